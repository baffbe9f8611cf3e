"""Mutants of the code that enforces the rules: each with one condition less, made from its source.

What is new in a module has mutants by itself. A mutant is one function's code object,
put in the place of the real one for as long as a test runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from clew.access.types import TRUE, Visible
from clew.access.visible import unmasked

# What conjunctions are made with: an argument less, or an item less of their list, is one condition less.
_CONJUNCTIONS = ("conjunction", "AllOf", "and_", "where")
# What gives the mask of a field.
_MASKS = ("masks.get", "open_.get")
# A condition about one of these is about what may be seen.
_ABOUT_SIGHT = frozenset(
    {
        *("mask", "masks", "visible", "sight", "claims", "admin", "link", "openings", "opening", "deleted", "hidden"),
        *("has_all", "conditional", "shown", "unconditional", "always_there", "roles"),
    }
)


@dataclass(frozen=True)
class Scope:
    """What is mutated of a module.

    Args:
        functions: by qualified name; default all.
        everything: every condition; otherwise those that look as if they were about what may be seen.
        statements: statements that are calls, and `.where(...)`, are left out too, and `all` is taken for `any`.
    """

    module: ModuleType
    functions: tuple[str, ...] = ()
    everything: bool = False
    statements: bool = False

    @property
    def source(self) -> str:
        assert self.module.__file__ is not None
        return Path(self.module.__file__).read_text()


@dataclass(frozen=True)
class Mutant:
    """A function with one change, said in `what`; the change is number `index` of its scope."""

    scope: Scope
    index: int
    function: str
    what: str

    @property
    def name(self) -> str:
        return f"{self.scope.module.__name__}:{self.function}: {self.what}"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While this lasts the mutant runs instead of the function."""
        mutator = _Mutator(self.scope, self.index)
        tree = mutator.visit(ast.parse(self.scope.source))
        code = compile(ast.fix_missing_locations(tree), f"<{self.name}>", "exec")
        function = _function(self.scope.module, self.function)
        before = function.__code__
        self.scope.module.__dict__.update(_HELPERS)
        function.__code__ = _code(code, self.function)
        try:
            yield
        finally:
            function.__code__ = before
            for name in _HELPERS:
                del self.scope.module.__dict__[name]


def mutants(scope: Scope) -> list[Mutant]:
    """Every mutant of the scope; those of one name are told apart by a number."""
    mutator = _Mutator(scope)
    mutator.visit(ast.parse(scope.source))
    found: list[Mutant] = []
    for index, (function, what) in enumerate(mutator.offers):
        again = mutator.offers[:index].count((function, what))
        found.append(Mutant(scope, index, function, f"{what} ({again + 1})" if again else what))
    return found


# --- in the mutants ---------------------------------------------------------------------


def _see_all(visible: Visible | None) -> Visible | None:
    return None if visible is None else unmasked(visible.entity)


_HELPERS: dict[str, Any] = {"_mutant_sees_all": _see_all, "_mutant_true": TRUE}


class _Mutator(ast.NodeTransformer):
    """Offers changes in the order of the source, and makes the one of number `wanted`."""

    def __init__(self, scope: Scope, wanted: int | None = None) -> None:
        self.scope = scope
        self.wanted = wanted
        self.offers: list[tuple[str, str]] = []
        self.path: list[str] = []
        self.inside = False

    def offered(self, what: str, node: ast.AST) -> bool:
        """Whether this is the change to make."""
        function = ".".join(self.path)
        if not self.path or (self.scope.functions and function not in self.scope.functions):
            return False
        self.offers.append((function, f"{what} in `{_text(node)}`"))
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
            if self.concerns(node) and self.offered(f"without `{_text(value)}`", node):
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
            if self.concerns(test) and self.offered(f"{value} for a condition", test):
                return ast.Constant(value)
        return test

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if self.scope.statements and isinstance(call, ast.Call) and self.offered("without it", node):
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if self.scope.statements:
            if name in ("all", "any"):
                other = "any" if name == "all" else "all"
                if self.offered(f"{other} for {name}", node):
                    return ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
            if name == "where" and isinstance(node.func, ast.Attribute) and self.offered("without where", node):
                return node.func.value
        if name in _CONJUNCTIONS:
            for items in (node.args, *(a.elts for a in node.args if isinstance(a, ast.List | ast.Tuple))):
                for index, item in enumerate(items if len(items) > 1 else ()):
                    if self.offered(f"without `{_text(item)}`", node):
                        del items[index]
                        return node
        if _text(node.func).endswith(_MASKS) and self.offered("no mask", node):
            return ast.Constant(None)
        for index, argument in enumerate(node.args):
            if _text(argument).rpartition(".")[2] == "mask" and self.offered("no mask", node):
                node.args[index] = ast.Constant(None)
                return node
        if name in ("visible", "link", "held") and self.offered("unmasked rows", node):
            return ast.Call(ast.Name("_mutant_sees_all", ast.Load()), [node], [])
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr == "masks" and isinstance(node.ctx, ast.Load) and self.offered("no masks", node):
            return ast.Dict([], [])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "FALSE" and self.offered("TRUE for FALSE", node):
            return ast.Name("_mutant_true", ast.Load())
        return node

    def concerns(self, node: ast.AST) -> bool:
        names = {getattr(n, "id", None) or getattr(n, "attr", None) for n in ast.walk(node)}
        return self.scope.everything or not names.isdisjoint(_ABOUT_SIGHT)


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
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
