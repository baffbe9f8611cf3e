"""Run hooks: the application's own functions before and after generated writes, in one transaction (docs/hooks.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graphql import GraphQLEnumType, GraphQLError, GraphQLSchema
from graphql.pyutils import is_awaitable

from clew.errors import ClewError, Diagnostic
from clew.model.types import Column, Entity, Model, Operation
from clew.model.writing import is_writable
from clew.resolvers.context import Context
from clew.sql.keys import Key
from clew.sql.stored import given_value, python_value
from clew.writes.drafts import column_of
from clew.writes.types import Draft

BeforeHook = Callable[[Sequence["RowDraft"], Context], Awaitable[None] | None]
AfterHook = Callable[[Sequence[Any], Context], Awaitable[None] | None]

OPERATIONS = (Operation.CREATE, Operation.UPDATE, Operation.DELETE)


@dataclass(frozen=True, slots=True)
class Registered:
    """A function that the application has registered. `moment` is `before` or `after`."""

    moment: str
    entity: str
    operation: Operation
    run: Callable[..., Any]

    @property
    def name(self) -> str:
        """The hook's name, for errors."""
        return getattr(self.run, "__qualname__", repr(self.run))


def hook_faults(model: Model, hooks: Iterable[Registered]) -> list[Diagnostic]:
    """Return an error for each hook that could never run."""
    faults: list[Diagnostic] = []
    for hook in hooks:
        place = f"the hook {hook.name} is {hook.moment} {hook.operation} of {hook.entity}"
        entity = model.entities.get(hook.entity)
        if hook.operation not in OPERATIONS:
            faults.append(Diagnostic(f"{place}, which is not a write", hint="use CREATE, UPDATE or DELETE"))
        elif entity is None:
            faults.append(Diagnostic(f"{place}, which is not an entity", hint="name a type with @table"))
        elif entity.view_sql is not None:
            faults.append(Diagnostic(f"{place}, which is a view", hint="it would never run: views are not written"))
        elif entity.is_job:
            hint = "it would never run: Clew itself writes jobs"
            faults.append(Diagnostic(f"{place}, which are jobs", hint=hint))
        elif entity.generated_link:
            hint = "it would never run: write the linking type yourself, and name it in @relation(through:)"
            faults.append(Diagnostic(f"{place}, whose rows Clew links itself", hint=hint))
    return faults


class RowDraft(MutableMapping[str, Any]):
    """A row that is about to be written, for a hook: a mapping from field names to new values.

    It holds the client's values, and the values of `@preset` by claim or value. Setting a field sets it on the row.
    `del` drops the new value of a field. Values are Python values, as resolvers get them.

    Attributes:
        key: the row's key, as resolvers return keys; None for a new row.
        inc: the increases by field name. Setting a field drops its increase.
        append: the appended list items by field name. Setting a field drops them.
    """

    __slots__ = ("_draft", "_entity", "_fixed", "_hook", "_hooks", "changed")

    def __init__(self, hooks: Hooks, hook: Registered, entity: Entity, draft: Draft) -> None:
        self.changed: set[str] = set()
        self._hooks: Hooks | None = hooks
        self._hook = hook
        self._entity = entity
        self._draft = draft
        filled = (name for source in draft.sources for name, _ in source.columns)
        led = (name for to_one in draft.to_ones if (r := entity.relation(to_one)) is not None for name in r.key)
        self._fixed = draft.kept.union(filled, led)

    def close(self) -> None:
        """Refuse further changes, because the hook has ended."""
        self._hooks = None

    @property
    def key(self) -> Any:
        """The row's key; None for a new row."""
        return _python_key(self._entity, self._draft.key) if self._draft.key else None

    @property
    def inc(self) -> Mapping[str, Any]:
        """The increases by field name."""
        return self._read_only(self._draft.increases)

    @property
    def append(self) -> Mapping[str, Any]:
        """The appended list items by field name."""
        return self._read_only(self._draft.appends)

    def _read_only(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return MappingProxyType({name: self._python(name, value) for name, value in values.items()})

    def _python(self, name: str, value: Any) -> Any:
        return python_value(value, column_of(self._entity, name).type)

    def __getitem__(self, name: str) -> Any:
        if name in self._draft.kept:
            raise KeyError(name)
        return self._python(name, self._draft.values[name])

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._draft.values if name not in self._draft.kept])

    def __len__(self) -> int:
        return len(self._draft.values) - len(self._draft.kept)

    def __setitem__(self, name: str, value: Any) -> None:
        column = self._changeable(name)
        assert self._hooks is not None
        place = f"{self._entity.name}.{name}"
        try:
            stored = given_value(column, value, self._hooks.enum(column), place)
        except (ClewError, GraphQLError, ValueError, TypeError) as error:
            raise TypeError(f"the hook {self._hook.name} sets {place} to a value that does not fit: {error}") from error
        self._draft.values[name] = stored
        self._forget_changes(name)

    def __delitem__(self, name: str) -> None:
        self._changeable(name)
        del self._draft.values[name]
        self.changed.add(name)

    def _forget_changes(self, name: str) -> None:
        self.changed.add(name)
        draft = self._draft
        draft.increases = {other: value for other, value in draft.increases.items() if other != name}
        draft.appends = {other: value for other, value in draft.appends.items() if other != name}

    def _changeable(self, name: str) -> Column:
        """Return the column of a field that the hook may set.

        Raises:
            TypeError: the hook may not set it.
        """
        entity, operation, hook = self._entity, self._hook.operation, self._hook.name
        column = entity.column(name)
        if self._hooks is None:
            why = "after it has ended"
        elif operation is Operation.DELETE:
            why = "of a row that is deleted"
        elif column is None or not is_writable(column, admin=True):
            why = "which is not a stored field that can be written"
        elif operation is Operation.UPDATE and name in entity.primary_key:
            why = "which is part of the key of a row that is there"
        elif column.preset is not None and column.preset.sql is not None and operation in column.preset.on:
            why = "which @preset(sql:) fills"
        elif name in self._fixed:
            why = "which another row of the input fills"
        else:
            return column
        raise TypeError(f"the hook {hook} changes {entity.name}.{name}, {why}")


class Hooks:
    """The hooks of an application.

    Args:
        schema: the complete schema, whose enums have the application's own values.
    """

    def __init__(self, schema: GraphQLSchema, registered: Iterable[Registered] = ()) -> None:
        self._schema = schema
        self._by_place: dict[tuple[str, str, Operation], list[Registered]] = {}
        for hook in registered:
            self._by_place.setdefault((hook.moment, hook.entity, hook.operation), []).append(hook)

    def __bool__(self) -> bool:
        """Return whether there are any hooks."""
        return bool(self._by_place)

    def of(self, moment: str, entity: Entity, operation: Operation) -> Sequence[Registered]:
        """Return the hooks of an operation, in the order in which they were registered."""
        return self._by_place.get((moment, entity.name, operation), ())

    def enum(self, column: Column) -> GraphQLEnumType | None:
        """Return the enum of a column, if it has one."""
        found = self._schema.type_map[column.type.name] if column.type.is_enum else None
        assert found is None or isinstance(found, GraphQLEnumType)
        return found


class HookRunner:
    """Run hooks within one operation.

    Args:
        begins: is called before each hook. It refuses an operation that must not run the application's code.
        pause: gives other requests a turn after many rows. It takes the number of the next row.
    """

    def __init__(
        self, hooks: Hooks, context: Context, begins: Callable[[], None], pause: Callable[[int], Awaitable[None]]
    ) -> None:
        self.hooks = hooks
        self._context = context
        self._begins = begins
        self._pause = pause

    async def before(self, entity: Entity, operation: Operation, drafts: Sequence[Draft]) -> dict[int, set[str]]:
        """Let hooks change rows, or refuse them.

        Returns:
            The fields that hooks have changed, by the number of the draft.

        Raises:
            TypeError: a hook sets a field that it may not set, or returns a value.
        """
        changed: dict[int, set[str]] = {}
        for hook in self.hooks.of("before", entity, operation) if drafts else ():
            rows: list[RowDraft] = []
            for number, draft in enumerate(drafts):
                await self._pause(number)
                rows.append(RowDraft(self.hooks, hook, entity, draft))
            try:
                await self._run(hook, tuple(rows))
            finally:
                for row in rows:
                    row.close()
            for number, row in enumerate(rows):
                if row.changed:
                    changed.setdefault(number, set()).update(row.changed)
        return changed

    async def after(self, entity: Entity, operation: Operation, keys: Sequence[Key]) -> None:
        """Tell hooks the keys of the written rows."""
        for hook in self.hooks.of("after", entity, operation) if keys else ():
            found: list[Any] = []
            for number, key in enumerate(keys):
                await self._pause(number)
                found.append(_python_key(entity, key))
            await self._run(hook, found)

    async def _run(self, hook: Registered, rows: Sequence[Any]) -> None:
        self._begins()
        outcome: Any = hook.run(rows, self._context)
        if is_awaitable(outcome):
            outcome = await outcome
        if outcome is not None:
            raise TypeError(f"the hook {hook.name} returned {type(outcome).__name__}, and must return nothing")


def _python_key(entity: Entity, key: Key) -> Any:
    """Return a key as resolvers return keys: a value, or a dict for a composite key."""
    values = [python_value(value, column.type) for value, column in zip(key, entity.key_columns, strict=True)]
    return values[0] if len(values) == 1 else dict(zip(entity.primary_key, values, strict=True))
