"""What the result of a read plan depends on: tables, their columns, and how a changed row leads to a value.

A live query runs again when a row that its result may depend on has changed. To find such queries quickly, each place
where the plan reads rows becomes a `Dependency`. Its routes are *necessary* conditions of the form "a column of the
row, or of a row that it leads to, equals an operand". A changed row matters to a query only if one of its images
satisfies one of the routes. So a change may run a query in vain, but a query never misses a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from clew.access.types import (
    Aggregated,
    AllOf,
    AnyOf,
    Claim,
    Compare,
    Constant,
    Exists,
    FieldPath,
    IsNull,
    IsTrue,
    JsonPath,
    KeyDigest,
    Literal,
    Measure,
    Not,
    Operand,
    Predicate,
    RelatedMeasure,
    Rows,
    Ruled,
    Search,
    Somewhere,
    Template,
    ThisTransaction,
    Variable,
    Visible,
)
from clew.model.types import Column, Entity, Model, Relation
from clew.plan.types import (
    Aggregate,
    Connection,
    Groups,
    Many,
    Measured,
    Measures,
    MeasureValue,
    One,
    Output,
    Read,
    ReadPlan,
    Required,
    Value,
)

# More alternatives than these cost more than they save.
_MOST_ROUTES = 4
_MOST_HOPS = 4
_MOST_WAYS = 8


class DependencyKind(StrEnum):
    """How a changed row is matched with the queries that depend on it."""

    EQUALITY = "equality"  # by a column of the row itself
    LIFTED = "lifted"  # by a column of a row that it leads to
    TABLE = "table"  # any change of the table


@dataclass(frozen=True, slots=True)
class Hop:
    """A step from a row to rows of another entity. `on` are pairs (SQL column here, SQL column there)."""

    entity: str
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A necessary condition of a row: at the end of `hops`, `column` equals the operand, or an item of its list.

    `column` is an SQL name. It is one of the entity at the end of the hops.
    """

    hops: tuple[Hop, ...]
    column: str
    operand: Operand = field(compare=False)
    # Two operands of one value make one route. A value in the document may have no hash.
    _source: object = field(init=False, repr=False)

    def __post_init__(self) -> None:
        source = self.operand.source
        same = id(self.operand) if isinstance(source, Literal | Template) else (source, self.operand.type)
        object.__setattr__(self, "_source", same)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Rows of one entity that the result of a plan may depend on.

    `columns` are the SQL names of the columns that matter. None: all. A row matters only if one of `routes` holds of
    it. Without routes every row matters.
    """

    entity: str
    columns: frozenset[str] | None
    routes: tuple[Route, ...] = ()

    @property
    def kind(self) -> DependencyKind:
        if not self.routes:
            return DependencyKind.TABLE
        return DependencyKind.LIFTED if any(route.hops for route in self.routes) else DependencyKind.EQUALITY

    @property
    def shape(self) -> object:
        """All but the operands: what two plans have in common whose live queries are found in one way."""
        return self.entity, self.columns, tuple((route.hops, route.column) for route in self.routes)


def plan_dependencies(plan: ReadPlan, model: Model) -> tuple[Dependency, ...]:
    """Return what the result of a plan depends on."""
    walk = _Walk(model)
    for root in plan.reads:
        walk.read(root.read, walk.level(model.entity(root.read.rows.visible.entity.name)))
    return walk.dependencies()


def rule_dependencies(entity: Entity, where: Predicate, model: Model) -> tuple[tuple[Dependency, ...], bool]:
    """Return what the rows of an entity depend on under a rule's condition, and whether it names a claim.

    The first dependency is that of the rows themselves.
    """
    walk = _Walk(model)
    walk.rows(Rows(Visible(entity, where)), walk.level(entity), None)
    return walk.dependencies(), walk.names_claims


@dataclass(slots=True, eq=False)
class _Level:
    """A place where the plan reads rows of an entity.

    `parent` is the level that the rows are reached from, and `up` the step back to it. `conditions` hold of each row
    that matters. Rows of a link matter only with a row of the level `end` at their other end, by the step `on`.
    `columns` are the SQL names of the columns that are read; `all_columns`: they are unknown.
    """

    entity: Entity
    parent: _Level | None = None
    up: Hop | None = None
    conditions: list[Predicate] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    all_columns: bool = False
    end: _Level | None = None
    on: Hop | None = None
    ways: tuple[_Way, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no row can ever be here: no rule of the viewer opens one."""
        return any(map(_never_holds, self.conditions)) or (self.parent is not None and self.parent.is_empty)

    def use(self, column: Column) -> None:
        if column.computed is not None and not column.computed.stored:
            # Its SQL is text. The columns that it reads are unknown.
            self.all_columns = True
        self.columns.add(column.column)


class _Walk:
    """Visits each place of a plan that reads rows."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._levels: list[_Level] = []
        self.names_claims = False

    def level(self, entity: Entity, parent: _Level | None = None, up: Hop | None = None) -> _Level:
        found = _Level(entity, parent, up, all_columns=entity.view_sql is not None)
        if up is not None and parent is not None:
            found.columns.update(here for here, _ in up.on)
            parent.columns.update(there for _, there in up.on)
        self._levels.append(found)
        return found

    def dependencies(self) -> tuple[Dependency, ...]:
        merged: dict[tuple[str, tuple[Route, ...]], set[str] | None] = {}
        for level in self._levels:
            if level.is_empty:
                continue
            ways = _ways(level, self._model)
            key = (level.entity.name, ways[0] if ways else ())
            columns = None if level.all_columns else level.columns
            if key not in merged:
                merged[key] = None if columns is None else set(columns)
            else:
                before = merged[key]
                merged[key] = None if before is None or columns is None else before | columns
        return tuple(
            Dependency(entity, None if columns is None else frozenset(columns), routes)
            for (entity, routes), columns in merged.items()
        )

    # --- reads ------------------------------------------------------------------------

    def read(self, read: Read | Connection | Aggregate | Groups, level: _Level) -> None:
        self.rows(read.rows, level, None)
        match read:
            case Read(output=output):
                self.outputs(output, level)
            case Connection():
                self.outputs(read.fields, level)
            case Aggregate(output=output):
                self.measured(output, level)
            case Groups(by=by, order=order, output=output):
                for key in by:
                    self.path(key.value, level)
                for entry in order:
                    if isinstance(entry.value, Measure):
                        self.measure(entry.value, level)
                self.measured((part for part in output if isinstance(part, Measured)), level)

    def outputs(self, outputs: Iterable[Output], level: _Level) -> None:
        for output in outputs:
            match output:
                case Value(column=column, mask=mask):
                    level.use(column)
                    self.mask(mask, level)
                case Required(columns=columns, mask=mask):
                    for column in columns:
                        level.use(column)
                    self.mask(mask, level)
                case One(relation=relation, read=read, mask=mask):
                    self.mask(mask, level)
                    self.read(read, self.related(relation, level, None))
                case Many(relation=relation, read=read, link=link, mask=mask):
                    self.mask(mask, level)
                    self.read(read, self.related(relation, level, link))

    def measured(self, outputs: Iterable[Measured], level: _Level) -> None:
        for output in outputs:
            match output:
                case MeasureValue(measure=measure):
                    self.measure(measure, level)
                case Measures(output=inner):
                    self.measured(inner, level)

    def measure(self, measure: Measure, level: _Level) -> None:
        if measure.column is not None:
            level.use(measure.column)
        self.mask(measure.mask, level)

    # --- rows -------------------------------------------------------------------------

    def rows(self, rows: Rows, level: _Level, ruled: _Level | None) -> None:
        level.conditions += (rows.visible.where, rows.where)
        self.predicate(rows.visible.where, level, level)
        self.predicate(rows.where, level, ruled)
        for key in rows.order:
            self.path(key.value, level)

    def visible(self, visible: Visible, level: _Level) -> None:
        self.rows(Rows(visible), level, None)

    def related(self, relation: Relation, level: _Level, link: Visible | None) -> _Level:
        """Return the level of the rows at the other end of a relation."""
        target = self._model.entity(relation.target)
        through = relation.through
        if through is None:
            return self.level(target, level, Hop(level.entity.name, _turned(relation.on)))
        links = self.level(self._model.entity(through.entity), level, Hop(level.entity.name, _turned(through.local)))
        if link is not None:
            self.visible(link, links)
        links.on = Hop(relation.target, through.remote)
        links.end = self.level(target, links, Hop(links.entity.name, _turned(through.remote)))
        return links.end

    def path(self, value: FieldPath, level: _Level) -> None:
        for (relation, visible), mask in zip(value.path, value.masks, strict=False):
            self.mask(mask, level)
            level = self.related(relation, level, None)
            self.visible(visible, level)
        self.mask(value.masks[-1], level)
        match value.end:
            case KeyDigest(entity=entity):
                for column in entity.key_columns:
                    level.use(column)
            case RelatedMeasure(relation=relation, rows=rows, measure=measure, link=link):
                inner = self.related(relation, level, link)
                self.rows(rows, inner, None)
                self.measure(measure, inner)
            case Column() as column:
                level.use(column)

    # --- conditions -------------------------------------------------------------------

    def mask(self, mask: Predicate | None, level: _Level) -> None:
        if mask is not None:
            self.predicate(mask, level, level)

    def predicate(self, predicate: Predicate, level: _Level, ruled: _Level | None) -> None:
        """Visit a condition about the rows of a level.

        Args:
            ruled: within a rule, the level of the row that the rule is about.
        """
        match predicate:
            case AllOf(items) | AnyOf(items):
                for item in items:
                    self.predicate(item, level, ruled)
            case Not(item) | IsTrue(item):
                self.predicate(item, level, ruled)
            case Compare(column=column, operand=operand, mask=mask):
                level.use(column)
                self.operand(operand, ruled)
                self.mask(mask, level)
            case IsNull(column=column, mask=mask):
                level.use(column)
                self.mask(mask, level)
            case JsonPath(column=column, operand=operand, mask=mask):
                level.use(column)
                self.operand(operand, ruled)
                self.mask(mask, level)
            case Search(parts=parts):
                for part, mask in parts:
                    if (column_ := level.entity.column(part.column)) is not None:
                        level.use(column_)
                    self.mask(mask, level)
            case Exists(relation=relation, rows=rows, link=link, mask=mask):
                self.mask(mask, level)
                self.rows(rows, self.related(relation, level, link), ruled)
            case Somewhere(rows=rows):
                self.rows(rows, self.level(rows.visible.entity), ruled)
            case Aggregated(relation=relation, rows=rows, conditions=conditions, link=link, mask=mask):
                self.mask(mask, level)
                inner = self.related(relation, level, link)
                self.rows(rows, inner, ruled)
                for measure, _, operand in conditions:
                    self.measure(measure, inner)
                    self.operand(operand, ruled)

    def operand(self, operand: Operand, ruled: _Level | None) -> None:
        """Visit the row that a rule is about, where an operand is a field of it."""
        source = operand.source
        if isinstance(source, Claim):
            self.names_claims = True
        if not isinstance(source, Ruled):
            return
        assert ruled is not None, "a field of the ruled row stands in a rule"
        level = ruled
        *steps, name = source.path
        for step in steps:
            relation = level.entity.relation(step)
            assert relation is not None, f"{level.entity.name}.{step}"
            level = self.related(relation, level, None)
            if level.entity.soft_delete is not None:
                level.use(level.entity.soft_delete)
        column = level.entity.column(name)
        assert column is not None, f"{level.entity.name}.{name}"
        level.use(column)


# --- routes ---------------------------------------------------------------------------

# One way to find the queries that a row matters to. A row that matters satisfies one of the routes.
_Way = tuple[Route, ...]


def _ways(level: _Level, model: Model) -> tuple[_Way, ...]:
    """Return the ways to route the rows of a level, the best one first."""
    if level.ways is None:
        found = _own_ways(level, model)
        if level.end is not None and level.on is not None:
            found += _lifted(level.on, _own_ways(level.end, model), level.entity)
        if level.parent is not None and level.up is not None:
            found += _lifted(level.up, _ways(level.parent, model), level.entity)
        level.ways = _best(found)
    return level.ways


def _own_ways(level: _Level, model: Model) -> list[_Way]:
    return [way for condition in level.conditions for way in _of_predicate(condition, level.entity, model)]


def _of_predicate(predicate: Predicate, entity: Entity, model: Model) -> tuple[_Way, ...]:
    """Return ways of which each holds of every row for which the predicate holds."""
    match predicate:
        case Compare(column=column, operator="eq" | "in", operand=operand) if _ties(column, operand):
            return ((Route((), column.column, operand),),)
        case AllOf(items):
            return _best(way for item in items for way in _of_predicate(item, entity, model))
        case AnyOf(items):
            parts = [_of_predicate(item, entity, model) for item in items if not _never_holds(item)]
            if not parts or not all(parts):
                return ()
            return _best([tuple(dict.fromkeys(route for part in parts for route in part[0]))])
        case IsTrue(item, negated=False):
            return _of_predicate(item, entity, model)
        case Exists(relation=relation, rows=rows, link=link):
            target = model.entity(relation.target)
            found = [way for part in (rows.visible.where, rows.where) for way in _of_predicate(part, target, model)]
            if relation.through is None:
                return _lifted(Hop(relation.target, relation.on), found, entity)
            links = model.entity(relation.through.entity)
            found = [*_lifted(Hop(relation.target, relation.through.remote), found, links)]
            if link is not None:
                found += _of_predicate(link.where, links, model)
            return _lifted(Hop(links.name, relation.through.local), found, entity)
    return ()


def _never_holds(predicate: Predicate) -> bool:
    match predicate:
        case AnyOf(items):
            return all(map(_never_holds, items))
        case AllOf(items):
            return any(map(_never_holds, items))
        case Compare(operand=Operand(source=ThisTransaction())):
            # Who reads again has written nothing.
            return True
    return False


def _lifted(hop: Hop, ways: Iterable[_Way], near: Entity) -> tuple[_Way, ...]:
    """Return the ways of the row that a hop starts from, given those of the rows that it leads to."""
    return _best(tuple(dict.fromkeys(_from_near(hop, route, near) for route in way)) for way in ways)


def _from_near(hop: Hop, route: Route, near: Entity) -> Route:
    here = next((here for here, there in hop.on if there == route.column), None)
    if not route.hops and here is not None and _is_exact(near.column_by_sql(here)):
        # The two columns are equal, so the near row has the value itself.
        return Route((), here, route.operand)
    return Route((hop, *route.hops), route.column, route.operand)


def _best(ways: Iterable[_Way]) -> tuple[_Way, ...]:
    """Return the ways that are worth keeping, the best one first."""
    usable = [way for way in dict.fromkeys(ways) if len(way) <= _MOST_ROUTES and _length(way) <= _MOST_HOPS]
    return tuple(sorted(usable, key=_score)[:_MOST_WAYS])


def _length(way: _Way) -> int:
    return max(len(route.hops) for route in way)


def _score(way: _Way) -> tuple[int, int, int]:
    """Return how slow and how vague a way is: first look-ups, then the number of queries that share the value."""
    sources = [route.operand.source for route in way]
    # A constant is the same for all viewers, so it tells apart no queries of one text.
    constants = 1 + _MOST_HOPS if any(isinstance(source, Constant) for source in sources) else 0
    return _length(way) + constants, sum(isinstance(source, Claim) for source in sources), len(way)


def _ties(column: Column, operand: Operand) -> bool:
    """Return whether an equality with the operand can be looked up by value."""
    source = operand.source
    is_known = isinstance(source, Literal | Variable | Template | Constant | Claim)
    return is_known and operand.form == "value" and _is_exact(column)


# Types of which equal values have equal texts, in JSON as in Postgres.
_EXACT = frozenset(
    {"smallint", "int2", "integer", "int", "int4", "bigint", "int8", "uuid", "text", "varchar", "character varying"}
)


def _is_exact(column: Column | None) -> bool:
    if column is None or column.type.is_list or (column.computed is not None and not column.computed.stored):
        return False
    return column.type.is_enum or column.type.sql.split("(")[0].strip().lower() in _EXACT


def _turned(on: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((there, here) for here, there in on)
