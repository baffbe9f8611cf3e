"""Mutants of the code that enforces the rules: each with one condition less, made from its source.

New code in a module of a scope has mutants by itself. A mutant is one function's code object, put in the place of the
real one for as long as a test runs.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import clew
from clew.access.conditions import unmasked
from clew.access.types import TRUE, Visible

# What conjunctions are made with: an argument less, or an item less of their list, is one condition less.
_CONJUNCTIONS = ("conjunction", "AllOf", "and_", "where")
# What gives the mask of a field.
_MASKS = ("masks.get", "open_.get")
# A condition about one of these is about what may be seen.
# Calls that only let others have a turn, which is counted elsewhere: `test_others_have_their_turn`.
_TURNS = frozenset({"pause", "rest"})

_ABOUT_SIGHT = frozenset(
    {
        *("mask", "masks", "visible", "sight", "claims", "admin", "link", "openings", "opening", "deleted", "hidden"),
        *("has_all", "conditional", "shown", "unconditional", "always_there", "roles"),
    }
)
SOURCES = sorted(Path(clew.__path__[0]).rglob("*.py"))


@dataclass(frozen=True)
class Scope:
    """What is mutated of a module.

    Args:
        holds: a class or function that no other module defines. It finds the module, wherever that moves.
        functions: by qualified name; default all.
        everything: every condition; otherwise those that look as if they were about what may be seen.
        statements: statements that are calls, and `.where(...)`, are left out too, and `all` is taken for `any`.
        compiles: it makes SQL, which the engine keeps.
    """

    holds: str
    functions: tuple[str, ...] = ()
    everything: bool = False
    statements: bool = False
    compiles: bool = False

    @property
    def path(self) -> Path:
        return _defining(self.holds)

    @property
    def module(self) -> ModuleType:
        parts = self.path.relative_to(Path(clew.__path__[0]).parent).with_suffix("").parts
        return importlib.import_module(".".join(parts))

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    def tree_of(self, function: str) -> ast.Module:
        """Return the tree of a module that has only the function, in its classes."""
        return ast.parse(_functions(self.path)[function])


@cache
def _texts() -> dict[Path, str]:
    """Return the text of each module of Clew, by its path."""
    return {path: path.read_text() for path in SOURCES}


@cache
def _defining(name: str) -> Path:
    """Return the one module that defines the class or function."""
    definition = re.compile(rf"^(class|def|async def) {name}\b", re.MULTILINE)
    paths = [path for path, text in _texts().items() if definition.search(text)]
    assert len(paths) == 1, f"{len(paths)} modules define {name}"
    return paths[0]


@cache
def _functions(path: Path) -> dict[str, str]:
    """Return the source of each function of the module and its classes, by qualified name, with the classes' heads."""
    text = path.read_text()
    lines = text.splitlines(keepends=True)

    def within(body: list[ast.stmt], prefix: str, heads: str) -> Iterator[tuple[str, str]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                head = f"{' ' * node.col_offset}class {node.name}:\n"
                yield from within(node.body, f"{prefix}{node.name}.", heads + head)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{node.name}", heads + "".join(lines[node.lineno - 1 : node.end_lineno])

    return dict(within(ast.parse(text).body, "", "from __future__ import annotations\n"))


@dataclass(frozen=True)
class Mutant:
    """A function with one change.

    Args:
        index: the number of the change in its scope.
        place: its number in its function.
        change: what is changed, as marks say it.
        code: the code that is changed.
        whole: what `code` is a part of.
        line: where `code` begins.
    """

    scope: Scope
    index: int
    place: int
    function: str
    change: str
    code: str
    whole: str
    line: int
    again: int = 0

    @property
    def name(self) -> str:
        number = f" ({self.again + 1})" if self.again else ""
        change, whole = _short(self.change), _short(self.whole)
        return f"{self.scope.path.stem}.{self.function}:{self.line}: {change} in `{whole}`{number}"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While this lasts the mutant runs instead of the function."""
        tree = _Mutator(self.scope, self.place).visit(self.scope.tree_of(self.function))
        with _replaced(self.scope, tree, [self.function], _HELPERS):
            yield


def mutants(scope: Scope) -> list[Mutant]:
    """Return every mutant of the scope; those of one name are told apart by a number."""
    mutator = _Mutator(scope)
    mutator.visit(scope.tree)
    missing = {*scope.functions} - mutator.functions
    assert not missing, f"{scope.path} does not define {sorted(missing)}"
    offered: list[Mutant] = []
    names: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for index, offer in enumerate(mutator.offers):
        function, place = offer.function, places[offer.function]
        code, whole = code_text(offer.code), code_text(offer.whole)
        plain = Mutant(scope, index, place, function, offer.change, code, whole, offer.line)
        offered.append(replace(plain, again=names[plain.name]))
        names[plain.name] += 1
        places[function] += 1
    return offered


@contextmanager
def reached(all_mutants: Iterable[Mutant]) -> Iterator[Probe]:
    """While this lasts, the probe gathers the mutants that the code comes to."""
    by_scope: dict[Scope, list[Mutant]] = {}
    for mutant in all_mutants:
        by_scope.setdefault(mutant.scope, []).append(mutant)
    probe = Probe()
    with ExitStack() as stack:
        for scope, its in by_scope.items():
            mutator = _Mutator(scope)
            tree = mutator.visit(scope.tree)
            tree = _Prober({mutant: mutator.offers[mutant.index] for mutant in its}, probe).visit(tree)
            helpers = {"_mutant_comes": probe.comes, "_mutant_is": probe.is_}
            stack.enter_context(_replaced(scope, tree, {mutant.function for mutant in its}, helpers))
        yield probe


class Probe:
    """Gathers the mutants that would run otherwise than the code does.

    Code that is never evaluated may be anything, and a condition may be what it always is.
    """

    def __init__(self) -> None:
        self._mutants: list[Mutant] = []
        self._come: set[int] = set()
        # Conditions that are being evaluated: an error ends that, too.
        self._begun: Counter[int] = Counter()

    def number(self, mutant: Mutant) -> int:
        self._mutants.append(mutant)
        return len(self._mutants) - 1

    def comes(self, always: tuple[int, ...], conditions: tuple[int, ...]) -> None:
        """Come to the code of mutants: to differ `always`, or as the `conditions` turn out."""
        self._come.update(always)
        self._begun.update(conditions)

    def is_(self, conditions: tuple[int, ...], value: Any) -> Any:
        """Return the value of a condition."""
        self._begun.subtract(conditions)
        self._come.update(n for n in conditions if bool(value) is (self._mutants[n].change == IF_FALSE))
        return value

    def take(self) -> set[Mutant]:
        """Return the mutants gathered, and begin anew."""
        numbers = self._come | {number for number, times in self._begun.items() if times}
        self._come.clear()
        self._begun.clear()
        return {self._mutants[number] for number in numbers}


@contextmanager
def _replaced(scope: Scope, tree: ast.Module, functions: Iterable[str], helpers: dict[str, Any]) -> Iterator[None]:
    module = scope.module
    # The rest of the module need not be compiled.
    roots = {path.partition(".")[0] for path in functions}
    tree.body = [node for node in tree.body if isinstance(node, ast.ImportFrom) or getattr(node, "name", "") in roots]
    code = compile(ast.fix_missing_locations(tree), f"<mutant of {scope.path.name}>", "exec")
    before = [(function, function.__code__) for function in (_function(module, path) for path in functions)]
    module.__dict__.update(helpers)
    for path in functions:
        _function(module, path).__code__ = _code(code, path)
    try:
        yield
    finally:
        for function, its in before:
            function.__code__ = its
        for name in helpers:
            # Scopes may share a module.
            module.__dict__.pop(name, None)


IF_TRUE, IF_FALSE = "if true", "if false"


# --- in the mutants ---------------------------------------------------------------------


def _see_all(visible: Visible | None) -> Visible | None:
    return None if visible is None else unmasked(visible.entity)


_HELPERS: dict[str, Any] = {"_mutant_sees_all": _see_all, "_mutant_true": TRUE}


@dataclass(frozen=True)
class _Offer:
    """A change that can be made: to `code`, in `whole`; it differs only where `probed` is evaluated."""

    function: str
    change: str
    code: ast.AST
    whole: ast.AST
    probed: ast.AST
    line: int


class _Mutator(ast.NodeTransformer):
    """Offers changes in the order of the source, and makes the one of number `wanted`."""

    def __init__(self, scope: Scope, wanted: int | None = None) -> None:
        self.scope = scope
        self.wanted = wanted
        self.offers: list[_Offer] = []
        self.functions: set[str] = set()
        self.path: list[str] = []
        self.inside = False

    def offered(self, change: str, node: ast.expr, part: ast.expr | None = None, line: int | None = None) -> bool:
        """Offer a change of `node`, at its `part`, and return whether this is the change to make."""
        function = ".".join(self.path)
        if not self.path or (self.scope.functions and function not in self.scope.functions):
            return False
        code = part or node
        # An operand decides nothing where it is not asked; anything else is taken away with what it stands in.
        probed = code if isinstance(node, ast.BoolOp) else node
        self.offers.append(_Offer(function, change, code, node, probed, line or code.lineno))
        return len(self.offers) - 1 == self.wanted

    # --- scopes -----------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.within(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        # Decorated functions are properties and caches: none has a condition of its own.
        return node if node.decorator_list else self.within(node, node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.within(node, node.name)

    def within(self, node: ast.AST, name: str) -> ast.AST:
        if self.inside:
            # What is within a function is replaced with it.
            return self.generic_visit(node)
        self.path.append(name)
        self.functions.add(".".join(self.path))
        self.inside = not isinstance(node, ast.ClassDef)
        self.generic_visit(node)
        self.inside = False
        self.path.pop()
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    # --- changes ----------------------------------------------------------------------

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        for index, value in enumerate(node.values):
            if self.concerns(node) and self.offered(f"without `{code_text(value)}`", node, value):
                rest = [other for other in node.values if other is not value]
                assert len(rest) == len(node.values) - 1, index
                return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        node.test = self.condition(node.test)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = self.condition(node.test)
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [self.condition(test) for test in node.ifs]
        return self.generic_visit(node)

    def condition(self, test: ast.expr) -> ast.expr:
        for value in (True, False):
            if self.concerns(test) and self.offered(IF_TRUE if value else IF_FALSE, test):
                return ast.Constant(value)
        return test

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        is_offered = self.scope.statements and isinstance(call, ast.Call) and _name_of(call) not in _TURNS
        if is_offered and self.offered("without it", node.value):
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = _name_of(node)
        if self.scope.statements:
            if name in ("all", "any"):
                other = "any" if name == "all" else "all"
                if self.offered(f"with {other}", node):
                    return ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
            if (
                name == "where"
                and isinstance(node.func, ast.Attribute)
                and self.offered("without where", node, line=node.func.end_lineno)
            ):
                return node.func.value
        if name in _CONJUNCTIONS:
            for items in (node.args, *(a.elts for a in node.args if isinstance(a, ast.List | ast.Tuple))):
                for index, item in enumerate(items if len(items) > 1 else ()):
                    if self.offered(f"without `{code_text(item)}`", node, item):
                        del items[index]
                        return node
        if code_text(node.func).endswith(_MASKS) and self.offered("without mask", node):
            return ast.Constant(None)
        for index, argument in enumerate(node.args):
            if code_text(argument).rpartition(".")[2] == "mask" and self.offered("without mask", node):
                node.args[index] = ast.Constant(None)
                return node
        if name in ("visible", "link", "held") and self.offered("unmasked", node):
            return ast.Call(ast.Name("_mutant_sees_all", ast.Load()), [node], [])
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr == "masks" and isinstance(node.ctx, ast.Load) and self.offered("without masks", node):
            return ast.Dict([], [])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "FALSE" and self.offered("with TRUE", node):
            return ast.Name("_mutant_true", ast.Load())
        return node

    def concerns(self, node: ast.AST) -> bool:
        names = {getattr(n, "id", None) or getattr(n, "attr", None) for n in ast.walk(node)}
        return self.scope.everything or not names.isdisjoint(_ABOUT_SIGHT)


class _Prober(ast.NodeTransformer):
    """Makes the code tell a probe which of the mutants it comes to."""

    def __init__(self, offers: dict[Mutant, _Offer], probe: Probe) -> None:
        self.always: dict[int, list[int]] = {}
        self.conditions: dict[int, list[int]] = {}
        for mutant, offer in offers.items():
            there = self.conditions if mutant.change in (IF_TRUE, IF_FALSE) else self.always
            there.setdefault(id(offer.probed), []).append(probe.number(mutant))

    def visit(self, node: ast.AST) -> Any:
        always, conditions = (tuple(there.get(id(node), ())) for there in (self.always, self.conditions))
        made = super().visit(node)
        if not always and not conditions:
            return made
        if conditions:
            made = ast.Call(ast.Name("_mutant_is", ast.Load()), [_literal(conditions), made], [])
        comes = ast.Call(ast.Name("_mutant_comes", ast.Load()), [_literal(always), _literal(conditions)], [])
        return ast.Subscript(ast.Tuple([comes, made], ast.Load()), ast.Constant(1), ast.Load())


def _literal(numbers: tuple[int, ...]) -> ast.expr:
    return ast.Tuple([ast.Constant(number) for number in numbers], ast.Load())


def _name_of(call: ast.Call) -> str:
    """Return the name of the function or method that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def code_text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:87]}..."


def _function(module: ModuleType, path: str) -> FunctionType:
    found: Any = module
    for name in path.split("."):
        found = found.__dict__[name]
    assert isinstance(found, FunctionType), path
    return found


def _code(code: CodeType, path: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == path:
                return constant
            if path.startswith(f"{constant.co_qualname}."):
                return _code(constant, path)
    raise LookupError(path)
