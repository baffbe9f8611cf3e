"""Whether the handlers of an application fit its `@job` fields.

Only what fails in every run is a fault. Where nothing is certain, such as behind a decorator, a handler passes.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from graphql import NonNullTypeNode

from clew.errors import Diagnostic
from clew.model.names import snake_case
from clew.model.types import CustomField, Model

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_POSITIONS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

# What nobody can await. A function that says or shows that it returns such a value is not async.
_PLAIN_TYPES = {"None", "bool", "bytes", "dict", "float", "int", "list", "str", "tuple"}
_PLAIN_NODES = (ast.Constant, ast.JoinedStr, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Compare)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def job_faults(model: Model, handlers: Mapping[str, Callable[..., Any]], root: Path) -> Iterator[Diagnostic]:
    """Yield the faults of handlers: one without a field, a field without one, one that no job can call.

    Args:
        handlers: by the name of the field.
        root: the project's folder, for the places of handlers.
    """
    declared = model.job_fields
    for name in handlers:
        if name not in declared:
            hint = f"add {name}(...) with @job to `extend type Mutation`"
            yield Diagnostic(f"the job {name!r} has a handler but no field", hint=hint)
    for name, custom in declared.items():
        if name not in handlers:
            hint = f'write one: @clew.job("{name}") async def ...(ctx: JobContext, ...)'
            yield Diagnostic(f"the job {name!r} has no handler", custom.location, hint=hint)
            continue
        handler = handlers[name]
        for fault, hint in _handler_faults(handler, custom):
            place = f"the handler {_name(handler)}{_where(handler, root)} of the job {name!r}"
            yield Diagnostic(f"{place} {fault}", custom.location, hint=hint)


def _handler_faults(handler: Callable[..., Any], custom: CustomField) -> Iterator[tuple[str, str]]:
    """Yield why a handler can never run, with hints."""
    if _is_never_awaitable(handler):
        yield "is not async", "write `async def`"
    signature = _signature(handler)
    if signature is not None:
        given = _given(custom)
        hint = f"it takes {_taken(signature)}; the job gives ({', '.join(('ctx', *given))})"
        if faults := list(_call_faults(signature, given)):
            yield ", and ".join(faults), hint


def _given(custom: CustomField) -> dict[str, bool]:
    """Return the names of the arguments that a job gives its handler, and whether each call has them."""
    return {
        snake_case(argument.name.value): isinstance(argument.type, NonNullTypeNode)
        or argument.default_value is not None
        for argument in custom.node.arguments or ()
    }


def _signature(handler: Callable[..., Any]) -> inspect.Signature | None:
    """Return what a handler takes; None if nobody can say. A decorator may take other arguments than it passes on."""
    if hasattr(handler, "__signature__"):
        return None
    try:
        return inspect.signature(handler, follow_wrapped=False)
    except (ValueError, TypeError):
        return None


def _call_faults(signature: inspect.Signature, given: Mapping[str, bool]) -> Iterator[str]:
    """Yield why each call by a job fails."""
    parameters = list(signature.parameters.values())
    first = next((one for one in parameters if one.kind in _POSITIONS), None)
    if first is None and not any(one.kind is one.VAR_POSITIONAL for one in parameters):
        yield "does not take the job's context first"
    others = [one for one in parameters if one is not first]
    names = {one.name for one in others if one.kind in _KEYWORDS}
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    for name, is_always in given.items():
        # The context has taken the first place. With **kwargs, a name before `/` may be used again.
        is_first = first is not None and first.name == name and first.kind in _KEYWORDS
        if is_always and name not in names and (is_first or not takes_any):
            yield f'takes no argument "{name}" beside its context' if is_first else f'takes no argument "{name}"'
    for one in others:
        is_required = one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if is_required and (one.name not in given or one.kind is one.POSITIONAL_ONLY):
            yield f'needs an argument "{one.name}" that the job does not give'


def _is_never_awaitable(handler: Callable[..., Any]) -> bool:
    """Whether it is certain that what a handler returns cannot be awaited."""
    function: Any = handler
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        function = getattr(type(handler), "__call__", None)  # noqa: B004  the function itself is asked for
    if inspect.ismethod(function):
        function = function.__func__
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return False
    if inspect.isasyncgenfunction(function):
        return True
    if inspect.isgeneratorfunction(function):
        return not function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    if hasattr(function, "__wrapped__") or inspect.iscoroutinefunction(handler):
        return False
    said = function.__annotations__.get("return", inspect.Parameter.empty)
    return (said is not inspect.Parameter.empty and _is_plain_type(said)) or _returns_plain_values(function)


def _is_plain_type(said: Any) -> bool:
    text = said.__name__ if isinstance(said, type) else str(said)
    try:
        node: ast.expr = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    return all(_base(part) in _PLAIN_TYPES for part in _parts(node))


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp):
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield node


def _base(node: ast.expr) -> str:
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)


def _returns_plain_values(function: Callable[..., Any]) -> bool:
    try:
        (found,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return False
    if not isinstance(found, ast.FunctionDef) or found.name != function.__code__.co_name:
        return False
    if isinstance(found.body[-1], ast.Raise):
        # It may be meant to fail.
        return False
    values = (one.value for one in _own(found.body) if isinstance(one, ast.Return))
    return all(value is None or isinstance(value, _PLAIN_NODES) for value in values)


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions within."""
    for node in nodes:
        if not isinstance(node, _SCOPES):
            yield node
            yield from _own(ast.iter_child_nodes(node))


def _behind(handler: Any) -> Any:
    """Return the function of a partial."""
    while isinstance(handler, partial):
        handler = handler.func
    return handler


def _name(handler: Any) -> str:
    handler = _behind(handler)
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


def _where(handler: Any, root: Path) -> str:
    """Return the file and line of a handler in brackets; nothing if they are not known."""
    handler = inspect.unwrap(_behind(handler))
    if not hasattr(handler, "__code__"):
        handler = handler if inspect.isclass(handler) else getattr(type(handler), "__call__", None)  # noqa: B004
    try:
        file, line = Path(inspect.getfile(handler)), _line(handler)
    except (OSError, TypeError):
        return ""
    return f" ({file.relative_to(root) if file.is_relative_to(root) else file}:{line})"


def _line(handler: Any) -> int:
    code = getattr(handler, "__code__", None)
    return inspect.getsourcelines(handler)[1] if code is None else int(code.co_firstlineno)


def _taken(signature: inspect.Signature) -> str:
    """Return the parameters without their types."""
    parameters = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))
