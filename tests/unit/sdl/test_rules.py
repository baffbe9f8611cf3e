"""Each rule: what it refuses, word for word, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.unit.sdl.marked import faults, marked

USER = "type User @table { id: ID! @id name: String }"
LONG = "a" * 64

# Refused SDL with its marks, the message, the hint, and SDL near it that is valid.
CASES: dict[str, tuple[str, str, str | None, str]] = {
    "an unknown directive": (
        "type A «@tabel» { id: ID! @id }",
        "unknown directive @tabel",
        'did you mean "@table"?',
        "type A @table @mine { id: ID! @id }\ndirective @mine on OBJECT",
    ),
    "an unknown argument": (
        'type A @table(«nam»: "x") { id: ID! @id }',
        'unknown argument "nam" on @table',
        'did you mean "name"?',
        'type A @table(name: "x", plural: as) { id: ID! @id }',
    ),
    "an argument of a wrong type": (
        "type A @table(name: «3») { id: ID! @id }",
        '"name" of @table must be a name, not 3',
        None,
        "type A @table(name: x) { id: ID! @id }",
    ),
    "an unknown value of an argument": (
        "type A @table @allow(role: user, to: [«REED»]) { id: ID! @id }",
        '"to" of @allow must be one of CREATE, READ, UPDATE, DELETE, EXPORT, ALL or a list of such, not REED',
        'did you mean "READ"?',
        'type A @table @allow(role: user, to: ["READ", ALL]) { id: ID! @id }',
    ),
    "a missing argument": (
        "type A @table «@allow» { id: ID! @id }",
        '@allow needs the argument "role"',
        "write @allow(role: ...)",
        "type A @table @allow(role: [user, editor]) { id: ID! @id }",
    ),
    "a directive that is not repeatable": (
        "type A @table { id: ID! @id «@id» }",
        "@id can be used here only once",
        "remove one of them",
        "type A @table { id: ID! @id a: Int @index @index(using: hash) }",
    ),
    "a directive in a wrong place": (
        "enum E «@table» { X }\ntype A @table { id: ID! @id }",
        "@table cannot be used on an enum",
        "@table belongs on a type",
        "enum E { X }\ntype A @table { id: ID! @id }",
    ),
    "an entity's directive on a plain type": (
        "type A «@guard»(where: {a: 1}) { a: Int }",
        '@guard needs an entity, and "A" is none',
        "add @table to the type",
        "type A @table @guard(where: {a: 1}) { id: ID! @id a: Int }",
    ),
    "a rule on a plain type": (
        "type A «@allow»(role: user) { a: Int }",
        '@allow on the plain type "A" would have no effect',
        "put it on the root field that returns the type",
        "type A { a: Int }\nextend type Query { a: A @allow(role: user) }",
    ),
    "an entity's directive on a plain type's field": (
        "type A { id: ID! «@id» }",
        '@id needs a field of an entity, and "A" is none',
        "add @table to the type",
        "type A { id: ID! }",
    ),
    "a column's directive on a relation": (
        f'type A @table {{ id: ID! @id u: User «@column»(name: "x") }}\n{USER}',
        '@column cannot be used on "u": it is a to-one relation',
        'name its key\'s column with @relation(column: "...")',
        f'type A @table {{ id: ID! @id u: User @relation(column: "x") }}\n{USER}',
    ),
    "a search of a computed field that is not stored": (
        "type A @table { id: ID! @id a: String @computed(sql: \"'x'\") «@search» }",
        '@search needs a stored field, and "a" is computed in each statement',
        "add @index, which stores it",
        "type A @table { id: ID! @id a: String @computed(sql: \"'x'\") @search @index }",
    ),
    "a column name of a computed field that is not stored": (
        'type A @table { id: ID! @id a: Int @computed(sql: "1") @column(name: «b», type: int8) }',
        '@column(name:) cannot be used on "a": it is @computed, and not stored',
        "remove name; type is its exact SQL type",
        'type A @table { id: ID! @id a: Int @computed(sql: "1") @column(type: int8) '
        'b: Int @computed(sql: "2") @column(name: c) @index }',
    ),
    "a default on a computed field": (
        'type A @table { id: ID! @id a: Int @computed(sql: "1") «@default»(value: 1) }',
        '@default cannot be used on "a": it is @computed',
        None,
        'type A @table { id: ID! @id a: Int @computed(sql: "1") @index }',
    ),
    "a row argument on a plain type": (
        "type A { a(id: ID! «@row»(type: User)): Int }\n" + USER,
        "@row admits arguments of your own root fields and of @resolver fields only",
        "move the argument to a field of Query or Mutation",
        "extend type Query { a(id: ID! @row(type: User)): Int }\n"
        + USER.replace("name: String", "name(of: ID @row(type: User)): String @resolver"),
    ),
    "a row argument that is no key": (
        f"extend type Query {{ a(u: «Int» @row(type: User)): Int }}\n{USER}",
        '"u" is not a key of "User", which is of type ID',
        "write: u: ID",
        f"extend type Query {{ a(u: [ID] @row(type: User)): Int }}\n{USER}",
    ),
    "a row argument of lists": (
        f"extend type Query {{ a(u: [[«ID»]] @row(type: User)): Int }}\n{USER}",
        '"u" is a list of lists: a key or a list of keys is needed',
        None,
        f"extend type Query {{ a(u: ID @row(type: User)): Int }}\n{USER}",
    ),
    "a row argument that is not all of a key": (
        "type P @table { user: User! @id n: Int! @id }\ninput I { userId: ID! }\n"
        f"extend type Query {{ a(p: «I» @row(type: P)): Int }}\n{USER}",
        '"p" is not a key of "P", which has several fields',
        "use an input of just these: input PId { userId: ID! n: Int! }",
        "type P @table { user: User! @id n: Int! @id }\ninput I { n: Int! userId: ID! }\n"
        f"extend type Query {{ a(p: [I!] @row(type: P)): Int }}\n{USER}",
    ),
    "a result without a key": (
        f'type V @view(sql: "SELECT 1 AS n") {{ n: Int }}\nextend type Query {{ a: [«V»] }}\n{USER}',
        '"Query.a" is of the type "V", which has no key',
        "mark a field of V with @id, for the resolver to return",
        f'type V @view(sql: "SELECT 1 AS n") {{ n: Int! @id }}\nextend type Query {{ a: [V] }}\n{USER}',
    ),
    "a row of a view without a key": (
        'type V @view(sql: "SELECT 1 AS n") { n: Int }\n'
        f"extend type Query {{ a(v: Int @row(type: «V»)): Int }}\n{USER}",
        '@row cannot name rows of "V", which has no key',
        "mark a field with @id",
        'type V @view(sql: "SELECT 1 AS n") { n: Int! @id }\n'
        f"extend type Query {{ a(v: Int @row(type: V)): Int }}\n{USER}",
    ),
    "an unknown type": (
        "type A @table { id: ID! @id b: «Strng» }",
        'unknown type "Strng"',
        'did you mean "String"?',
        "type A @table { id: ID! @id b: String }",
    ),
    "an entity as an input": (
        f"{USER}\nextend type Query {{ a(u: «User»): Int }}",
        '"User" is an entity: it cannot be an input',
        "declare an input: input UserInput",
        f"{USER}\ninput UserArgument {{ a: Int }}\nextend type Query {{ a(u: UserArgument): Int }}",
    ),
    "an input as the type of a field": (
        "input I { a: Int }\ntype A { i: «I» }",
        '"I" is an input type: it cannot be the type of a field',
        None,
        "input I { a: Int }\ninput J { i: I }",
    ),
    "a type declared twice": (
        "type A @table { id: ID! @id }\ntype «A» { a: Int }",
        'the type "A" is declared already in a.graphql:1',
        "remove one of them, or write extend to add to a type",
        "type A @table { id: ID! @id }\nextend type A { a: Int }",
    ),
    "a field declared twice": (
        "type A @table { id: ID! @id }\nextend type A { «id»: Int }",
        'the field "A.id" is declared already in a.graphql:1',
        "remove or rename one of them",
        "type A @table { id: ID! @id }\nextend type A { other: Int }",
    ),
    "an enum value declared twice": (
        "enum E { A «A» }",
        'the value "A" of "E" is declared already in a.graphql:1',
        "remove or rename one of them",
        "enum E { A B }",
    ),
    "an extension of nothing": (
        "extend type «Foo» { a: Int }\ntype Food { a: Int }",
        'the type "Foo" is extended but not declared',
        'did you mean "Food"?',
        "extend type Food { a: Int }\ntype Food { b: Int }",
    ),
    "a root type of another name": (
        "schema { query: «Root» }\ntype Root { a: Int }",
        "the query root type is named Query",
        None,
        "schema { query: Query }\ntype Query { a: Int }",
    ),
    "a root type as an entity": (
        "type «Query» @table { id: ID! @id }",
        '"Query" is a root type and cannot be an entity',
        "remove @table",
        "type Query { id: ID! }",
    ),
    "a generated type's name": (
        "type «PageInfo» @table { id: ID! @id }",
        'the type "PageInfo" is generated by Clew',
        "give the type another name",
        "type Page @table { id: ID! @id }",
    ),
    "a built-in scalar as a type": (
        "type «String» @table { id: ID! @id }",
        '"String" is a built-in scalar and cannot be declared',
        "give the type another name",
        "type Text @table { id: ID! @id }",
    ),
    "a scalar of Clew's as a type": (
        "type «JSON» { a: Int }",
        '"JSON" is a scalar of Clew\'s own and cannot be changed',
        "remove this definition, or give the type another name",
        "scalar JSON\ntype A { a: JSON }",
    ),
    "a word of filters as a field": (
        "type A @table { id: ID! @id «not»: Int }",
        '"not" cannot be a field of an entity: filters use the word',
        'rename the field and keep its column: @column(name: "...")',
        'type A @table { id: ID! @id negated: Int @column(name: "not") }',
    ),
    "a field with two underscores": (
        "type A { «__a»: Int }",
        'the field name "__a" is reserved: GraphQL owns "__"',
        None,
        "type A { _a: Int }",
    ),
    "a system column": (
        "type A @table { id: ID! @id «ctid»: Int }",
        'the column "ctid" of "A" is Postgres\' own',
        '@column(name: "...") names the column',
        'type A @table { id: ID! @id ctid: Int @column(name: "c") }',
    ),
    "the schema of Clew": (
        'type A @table(schema: «"clew"») { id: ID! @id }',
        'the database schema "clew" is reserved',
        None,
        'type A @table(schema: "shop") { id: ID! @id }',
    ),
    "a column name of 64 bytes": (
        f"type A @table {{ id: ID! @id «{LONG}»: Int }}",
        f'the column name "{LONG}" has 64 bytes: Postgres takes 63',
        '@column(name: "...") names it',
        f"type A @table {{ id: ID! @id {LONG[:63]}: Int }}",
    ),
    "a table name of 64 bytes": (
        f'type «A» @table(name: "{"é" * 32}") {{ id: ID! @id }}',
        f'the table name "{"é" * 32}" has 64 bytes: Postgres takes 63',
        '@table(name: "...") names it',
        f'type A @table(name: "{"é" * 31}") {{ id: ID! @id }}',
    ),
    "a name without letters": (
        "type A @table { id: ID! @id «_»: Int }",
        'no SQL name can be made of "_"',
        "use letters in it",
        "type A @table { id: ID! @id _a: Int }",
    ),
    "an entity without columns": (
        "type «A» @table { a: String @resolver }",
        'the entity "A" has no columns',
        "add: id: ID! @id",
        "type A @table { id: ID! @id a: String @resolver }",
    ),
    "a plain type's field on an entity": (
        "type A @table { id: ID! @id s: «S» }\ntype S { a: Int }",
        '"A.s" is of the plain type "S", which no column can hold',
        "add @resolver to the field, or @table to S",
        "type A @table { id: ID! @id s: S @resolver }\ntype S { a: Int }",
    ),
    "a scalar of the user's on an entity": (
        "type A @table { id: ID! @id c: «Color» }\nscalar Color",
        'the scalar "Color" is your own: no column holds it',
        "use one of Clew's scalars, such as JSON, or add @resolver",
        "type A @table { id: ID! @id c: Color @resolver }\nscalar Color",
    ),
    "arguments without a resolver": (
        "type A @table { id: ID! @id a(«x»: Int): Int }",
        '"A.a" takes arguments, which only a @resolver field can',
        "add @resolver, or remove the arguments",
        "type A @table { id: ID! @id a(x: Int): Int @resolver }",
    ),
    "a list of lists": (
        "type A @table { id: ID! @id a: [[«Int»]] }",
        '"A.a" is a list of lists, which no column can hold',
        "use JSON, or make the inner list an entity",
        "type A @table { id: ID! @id a: [Int] }",
    ),
    "an entity with an interface": (
        "interface N { id: ID! }\ntype A implements «N» @table { id: ID! @id }",
        'the entity "A" implements "N": not supported yet',
        "relate the types with to-one fields instead",
        "interface N { id: ID! }\ntype A implements N { id: ID! }",
    ),
    "a union over an entity": (
        f"{USER}\ntype B {{ a: Int }}\nunion U = «User» | B",
        'the union "U" holds the entity "User": not supported yet',
        "relate the types with to-one fields instead",
        "type B { a: Int }\ntype C { a: Int }\nunion U = C | B",
    ),
    "a type without its interface's field": (
        "interface N { id: ID! }\ntype «A» implements N { a: Int }",
        '"A" implements "N" and lacks its field "id"',
        None,
        "interface N { id: ID! }\ntype A implements N { id: ID! }",
    ),
    "an entity without a key": (
        "type «A» @table { id: ID! }",
        'the entity "A" has no @id: a table needs a key',
        "add @id to the field id",
        'type A @view(sql: "select 1 as n") { n: Int }',
    ),
    "a key that may be null": (
        "type A @table { id: «ID» @id }",
        'the key "A.id" must not be null',
        "write ID!",
        "type A @table { id: ID! @id }",
    ),
    "a key that is a list": (
        "type A @table { id: [ID!]! «@id» }",
        'the key "A.id" cannot be a list',
        None,
        "type A @table { id: ID! @id }",
    ),
    "a key of a wrong type": (
        "type A @table { id: «JSON»! @id }",
        "JSON cannot be a key",
        "use ID!, Int!, BigInt! or String!",
        "type A @table { id: DateTime! @id }",
    ),
    "an empty list of unique fields": (
        "type A @table «@unique»(fields: []) { id: ID! @id }",
        "@unique on a type needs fields or sql",
        "write @unique(fields: [...])",
        "type A @table @unique(fields: [x]) { id: ID! @id x: Int }",
    ),
    "a deferrable key with a condition": (
        'type A @table { id: ID! @id x: Int @unique(where: "x > 1", deferrable: «true») }',
        "@unique with where cannot be deferrable",
        "leave out deferrable",
        "type A @table { id: ID! @id x: Int @unique(deferrable: true) }",
    ),
    "a deferrable key over an expression": (
        'type A @table @unique(sql: "abs(x)", deferrable: «true») { id: ID! @id x: Int }',
        "@unique with sql cannot be deferrable",
        "leave out deferrable",
        'type A @table @unique(sql: "abs(x)", deferrable: false) { id: ID! @id x: Int }',
    ),
    "a deferrable key of rows that are deleted softly": (
        "type A @table { id: ID! @id x: Int @unique(deferrable: «true») d: DateTime @softDelete }",
        "@unique on a type with @softDelete cannot be deferrable",
        "leave out deferrable",
        "type A @table { id: ID! @id x: Int @unique d: DateTime @softDelete }",
    ),
    "an empty condition of an index": (
        'type A @table { id: ID! @id x: Int @index(where: «" "») }',
        "the where of @index is empty",
        "leave it out",
        "type A @table { id: ID! @id x: Int @index }",
    ),
    "an empty expression of a default": (
        'type A @table { id: ID! @id x: Int @default(sql: «""») }',
        "the sql of @default is empty",
        "leave it out",
        'type A @table { id: ID! @id x: Int @default(sql: "1") }',
    ),
    "two fields renamed from one": (
        "type A @table { id: ID! @id x: Int @renamed(from: z) y: Int @renamed(from: «z») }",
        '"z" was renamed to "x" already',
        "one name has one successor: remove one @renamed",
        "type A @table { id: ID! @id x: Int @renamed(from: z) }",
    ),
    "an enum value renamed from one that is there": (
        "type A @table { id: ID! @id e: E } enum E { X Y @renamed(from: «X») }",
        '"X" is a value of E, so it was not renamed',
        "name the earlier name, or remove @renamed",
        "type A @table { id: ID! @id e: E } enum E { X Y @renamed(from: Z) }",
    ),
    "a field renamed from one that is there": (
        "type A @table { id: ID! @id x: Int @renamed(from: «id») }",
        '"id" is a field of A, so it was not renamed',
        "name the earlier name, or remove @renamed",
        "type A @table { id: ID! @id x: Int @renamed(from: gone) }",
    ),
    "a type renamed from one that is there": (
        "type A @table { id: ID! @id } type B @table @renamed(from: «A») { id: ID! @id }",
        '"A" is an entity, so it was not renamed',
        "name the earlier name, or remove @renamed",
        "type B @table @renamed(from: A) { id: ID! @id }",
    ),
    "a table of Alembic's": (
        "type A @table(name: «alembic_version») { id: ID! @id }",
        'the table "alembic_version" is Alembic\'s own',
        None,
        "type A @table(name: alembic_version, schema: other) { id: ID! @id }",
    ),
    "a schema of the standard's": (
        "type A @table(schema: «information_schema») { id: ID! @id }",
        'the database schema "information_schema" is reserved',
        None,
        "type A @table(schema: information) { id: ID! @id }",
    ),
    "a null character in a text": (
        'type A @table { id: ID! @id x: String @check(pattern: «"a\\u0000"») }',
        "the text holds a null character, which Postgres cannot store",
        None,
        'type A @table { id: ID! @id x: String @check(pattern: "a\\u0041") }',
    ),
    "a null character in a description": (
        '«"a\\u{0}b"» type A @table { id: ID! @id }',
        "the text holds a null character, which Postgres cannot store",
        None,
        'type A @table { id: ID! @id x: String @check(pattern: "a\\u0041") }',
    ),
    "through of a field that is no list": (
        "type A @table { id: ID! @id a: A @unique b: A @relation(from: a, through: «L») }",
        '"A.b" is not a list: through is for many-to-many',
        "write [A!]!",
        "type A @table { id: ID! @id a: A @unique b: A @relation(from: a) }",
    ),
    "set null on a relation that must be there": (
        f"type A @table {{ id: ID! @id u: User! @relation(onDelete: «SET_NULL») }}\n{USER}",
        '"A.u" cannot be set to null: its type is User!',
        "write User, or onDelete: CASCADE",
        f"type A @table {{ id: ID! @id u: User @relation(onDelete: SET_NULL) }}\n{USER}",
    ),
    "a default of a wrong type": (
        'type A @table { id: ID! @id a: Int @default(value: «"x"») }',
        'the default of "a" must be an integer of 32 bits, not "x"',
        None,
        "type A @table { id: ID! @id a: Int @default(value: 3) }",
    ),
    "a default that is no value of the enum": (
        "enum E { DRAFT DONE }\ntype A @table { id: ID! @id e: E @default(value: «DRAF») }",
        'the default of "e" must be one of DRAFT, DONE, not DRAF',
        'did you mean "DRAFT"?',
        "enum E { DRAFT DONE }\ntype A @table { id: ID! @id e: E @default(value: DRAFT) }",
    ),
    "a default in an array of a wrong type": (
        'type A @table { id: ID! @id a: [Int!] @default(value: [1, «"x"»]) }',
        'the default of "a" must be an integer of 32 bits, not "x"',
        None,
        "type A @table { id: ID! @id a: [Int!] @default(value: [1, 2]) }",
    ),
    "a default without a value": (
        "type A @table { id: ID! @id a: Int «@default» }",
        "@default takes either value or sql",
        None,
        'type A @table { id: ID! @id a: Int @default(sql: "1 + 1") }',
    ),
    "a to-one's default of a wrong type": (
        'type A @table { id: ID! @id b: B @default(value: «"x"») }\ntype B @table { id: Int! @id }',
        'the default of "b" must be an integer of 32 bits, not "x"',
        None,
        "type A @table { id: ID! @id b: B @default(value: 1) }\ntype B @table { id: Int! @id }",
    ),
    "a preset with two sources": (
        'type A @table { id: ID! @id a: String «@preset»(claim: "sub", sql: "now()") }',
        "@preset takes exactly one of claim, value and sql",
        None,
        'type A @table { id: ID! @id a: String @preset(claim: "sub", on: UPDATE) }',
    ),
    "a preset of a wrong type": (
        "type A @table { id: ID! @id a: Boolean @preset(value: «1») }",
        'the preset of "a" must be true or false, not 1',
        None,
        "type A @table { id: ID! @id a: Boolean @preset(value: true) }",
    ),
    "createdAt of a wrong type": (
        "type A @table { id: ID! @id c: «Int» @createdAt }",
        "a @createdAt field must be of type DateTime",
        None,
        "type A @table { id: ID! @id c: DateTime! @createdAt }",
    ),
    "a version that may be null": (
        "type A @table { id: ID! @id v: «Int» @version }",
        "a @version field must not be null",
        "write Int!",
        "type A @table { id: ID! @id v: Int! @version }",
    ),
    "two versions": (
        "type A @table { id: ID! @id v: Int! @version w: Int! «@version» }",
        '"A" has @version already, on "v"',
        None,
        "type A @table { id: ID! @id v: Int! @version w: Int! }",
    ),
    "a softDelete that must be there": (
        "type A @table { id: ID! @id d: «DateTime»! @softDelete }",
        "a @softDelete field must be nullable",
        "write DateTime",
        "type A @table { id: ID! @id d: DateTime @softDelete }",
    ),
    "a computed field with a subquery": (
        'type A @table { id: ID! @id a: Int @computed(sql: «"(select 1)"») }',
        '"a" is computed over its own row: no subquery (SELECT)',
        "use a relation, an aggregate, a @view or a @resolver",
        "type A @table { id: ID! @id a: String @computed(sql: \"'select ' || id\") }",
    ),
    "a computed field with a comment": (
        'type A @table { id: ID! @id a: Int @computed(sql: «"1 -- x"») }',
        'the expression of "a" cannot hold ; or a comment',
        None,
        'type A @table { id: ID! @id a: Int @computed(sql: "1 - -2") }',
    ),
    "a pattern on a number": (
        'type A @table { id: ID! @id a: Int @check(pattern: «"x"») }',
        '"a" is not a String: a pattern cannot match it',
        "use sql",
        'type A @table { id: ID! @id a: String @check(pattern: "^x+$") }',
    ),
    "a pattern that is broken": (
        'type A @table { id: ID! @id a: String @check(pattern: «"("») }',
        "the pattern is not a regular expression",
        None,
        'type A @table { id: ID! @id a: String @check(pattern: "^[[:alpha:]]$") }',
    ),
    "a search in numbers": (
        "type A @table { id: ID! @id a: Int «@search» }",
        '"a" is not a String: @search is for text',
        None,
        "type A @table { id: ID! @id a: String @search(weight: A) }",
    ),
    "a check on reading": (
        "type A @table @allow(role: user, check: «{a: 1}») { id: ID! @id a: Int }",
        "@allow(check:) judges rows after a write, and this rule allows none",
        "add to: [CREATE, UPDATE]",
        "type A @table @allow(role: user, to: CREATE, check: {a: 1}) { id: ID! @id a: Int }",
    ),
    "a condition on a root field": (
        "extend type Query { a: Int @allow(role: user, where: «{a: 1}») }",
        'on a field of Query, @allow takes role alone, not "where"',
        "judge rows with @row on an argument",
        "extend type Query { a: Int @allow(role: user) }",
    ),
    "a job outside of Mutation": (
        "extend type Query { a: Int «@job» }",
        "@job belongs on fields of Mutation",
        "move the field to Mutation",
        "extend type Mutation { a: Int @job }",
    ),
    "a job's unknown argument": (
        "extend type Mutation { a(post: ID): Int @job(unique: [«pst»]) }".replace("[«pst»]", "«[pst]»"),
        '@job(unique:) names "pst", which is not an argument of "a"',
        'did you mean "post"?',
        "extend type Mutation { a(post: ID): Int @job(unique: post) }",
    ),
    "a job's time of a wrong type": (
        "extend type Mutation { a(at: «Int»): Int @job(runAt: at) }",
        '"at" says when the job runs: it must be a DateTime',
        None,
        "extend type Mutation { a(at: DateTime): Int @job(runAt: at) }",
    ),
    "a row of an unknown type": (
        f"extend type Query {{ a(u: ID! @row(type: «Usr»)): Int }}\n{USER}",
        '@row names "Usr", which is not an entity',
        'did you mean "User"?',
        f"extend type Query {{ a(u: ID! @row(type: User, to: UPDATE)): Int }}\n{USER}",
    ),
    "a trigger of an unknown entity": (
        f"extend schema @on(model: «Usr», run: a)\nextend type Mutation {{ a: Int @job }}\n{USER}",
        '@on names "Usr", which is not an entity',
        'did you mean "User"?',
        f"extend schema @on(model: User, run: a)\nextend type Mutation {{ a: Int @job }}\n{USER}",
    ),
    "a trigger of a table without a log": (
        "extend schema @on(model: «Log», run: a)\nextend type Mutation { a: Int @job }\n"
        "type Log @table(without: [BULK, LIVE]) { id: ID! @id }",
        '@on names "Log", whose changes are not logged',
        "remove LIVE from @table(without:) of Log",
        "extend schema @on(model: Log, run: a)\nextend type Mutation { a: Int @job }\n"
        "type Log @table(without: BULK) { id: ID! @id }",
    ),
    "a trigger of a view": (
        "extend schema @on(model: «Total», run: a)\nextend type Mutation { a: Int @job }\n"
        'type Total @view(sql: "SELECT 1 AS id") { id: Int! @id }',
        '@on names "Total", a view: rows change in tables',
        None,
        "extend schema @on(model: Total, run: a)\nextend type Mutation { a: Int @job }\n"
        "type Total @table { id: Int! @id }",
    ),
    "a trigger of an unknown job": (
        f"extend schema @on(model: User, run: «sen»)\nextend type Mutation {{ send: Int @job }}\n{USER}",
        '@on runs "sen", which is not a @job field of Mutation',
        'did you mean "send"?',
        f"extend schema @on(model: User, run: send)\nextend type Mutation {{ send: Int @job }}\n{USER}",
    ),
    "a trigger's payload without an argument": (
        f'extend schema @on(model: User, run: a, payload: «"{{ x }}"»)\nextend type Mutation {{ a: Int @job }}\n{USER}',
        'the job "a" has no argument for the payload',
        "declare: a(payload: JSON!)",
        'extend schema @on(model: User, run: a, payload: "{ x }")\n'
        f"extend type Mutation {{ a(payload: JSON!): Int @job }}\n{USER}",
    ),
    "a schedule of three fields": (
        'schema @cron(schedule: «"* * *"», run: a) { query: Query }\nextend type Mutation { a: Int @job }',
        "a schedule has five fields (minute hour day month weekday), not 3",
        'such as "0 3 * * *", every day at three (UTC)',
        'schema @cron(schedule: "*/5 8-18 * JAN MON-FRI", run: a) { query: Query }\n'
        "extend type Mutation { a: Int @job }",
    ),
    "a schedule that never comes": (
        'schema @cron(schedule: «"0 0 30,31 2 *"», run: a) { query: Query }\nextend type Mutation { a: Int @job }',
        "the schedule never comes: none of its months has one of its days",
        'such as "0 3 * * *", every day at three (UTC)',
        'schema @cron(schedule: "0 0 29 2 *", run: a) { query: Query }\nextend type Mutation { a: Int @job }',
    ),
    "an argument of a job with a reserved name": (
        "extend type Mutation { a(«__x»: Int): Int @job }",
        'the argument name "__x" is reserved: GraphQL owns "__"',
        "give the argument another name",
        "extend type Mutation { a(_x: Int): Int @job }",
    ),
    "an argument of a resolver with a reserved name": (
        "type A @table { id: ID! @id a(«__x»: Int): Int @resolver }",
        'the argument name "__x" is reserved: GraphQL owns "__"',
        "give the argument another name",
        "type A @table { id: ID! @id a(x__: Int): Int @resolver }",
    ),
    "a to-many without its other side": (
        f"type A @table {{ id: ID! @id «users»: [User!]! }}\n{USER}",
        '"A.users" has no other side: "User" has no to-one relation to "A"',
        'add to User: a: A! (for many-to-many: @relation(through: "AUser"))',
        "type A @table { id: ID! @id bs: [B!]! }\ntype B @table { id: ID! @id a: A! }",
    ),
    "a to-many with two other sides": (
        "type A @table { id: ID! @id «bs»: [B!]! }\ntype B @table { id: ID! @id x: A! y: A! }",
        '"A.bs" has several other sides on "B": x, y',
        "choose one: @relation(from: x)",
        "type A @table { id: ID! @id bs: [B!]! @relation(from: x) }\ntype B @table { id: ID! @id x: A! y: A! }",
    ),
    "a relation from an unknown field": (
        "type A @table { id: ID! @id bs: [B!]! @relation(from: «ax») }\ntype B @table { id: ID! @id axe: A! }",
        '"B" has no field "ax"',
        'did you mean "axe"?',
        "type A @table { id: ID! @id bs: [B!]! @relation(from: axe) }\ntype B @table { id: ID! @id axe: A! }",
    ),
    "the reverse of a relation that is not unique": (
        "type A @table { id: ID! @id «b»: B @relation(from: a) }\ntype B @table { id: ID! @id a: A! }",
        '"A.b" leads to one B, but "B.a" is not unique',
        "add @unique to B.a, or write [B!]!",
        "type A @table { id: ID! @id b: B @relation(from: a) }\ntype B @table { id: ID! @id a: A! @unique }",
    ),
    "a to-many of a type with itself without another side": (
        "type K @table { id: ID! @id «k»: [K!]! }",
        '"K.k" has no other side: "K" has no to-one relation to "K"',
        'add to K: otherK: K (for many-to-many: @relation(through: "KK"))',
        "type K @table { id: ID! @id k: [K!]! otherK: K }",
    ),
    "a to-many without another side, whose usual names are taken": (
        "type A @table { id: ID! @id «bs»: [B!]! }\ntype B @table { id: ID! @id a: Int otherAId: Int }",
        '"A.bs" has no other side: "B" has no to-one relation to "A"',
        'add to B: itsA: A! (for many-to-many: @relation(through: "AB"))',
        "type A @table { id: ID! @id bs: [B!]! }\ntype B @table { id: ID! @id a: Int otherAId: Int itsA: A! }",
    ),
    "a link that lacks a side": (
        f"type A @table {{ id: ID! @id u: [User!]! @relation(through: «L») }}\n"
        f"type L @table {{ id: ID! @id user: User! }}\n{USER}",
        '"L" has no to-one relation to "A": it cannot link the two',
        "add to L: a: A!",
        f"type A @table {{ id: ID! @id u: [User!]! @relation(through: L) }}\n"
        f"type L @table {{ user: User! @id a: A! @id }}\n{USER}",
    ),
    "a generated link from a type to itself, twice": (
        "type A @table { id: ID! @id x: [A!]! @relation(through: L) y: [A!]! @relation(through: «L») }",
        '"L" is used by several fields of "A": which end is which cannot be told',
        "say which end stands for this row: @relation(through: L, from: source) or @relation(through: L, from: target)",
        "type A @table { id: ID! @id x: [A!]! @relation(through: L) y: [A!]! @relation(through: M) }",
    ),
    "a generated link from a type to itself, one way only": (
        "type A @table { id: ID! @id x: [A!]! @relation(through: «L») y: [A!]! @relation(through: L, from: a) }",
        '"L" is used by several fields of "A": which end is which cannot be told',
        "say which end stands for this row: @relation(through: L, from: source) or @relation(through: L, from: target)",
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: b) y: [A!]! @relation(through: L, from: a) }",
    ),
    "a link from a type to itself, twice": (
        "type A @table { id: ID! @id x: [A!]! @relation(through: L) y: [A!]! @relation(through: «L») }\n"
        "type L @table { from: A! @id to: A! @id }",
        '"L" is used by several fields of "A": which end is which cannot be told',
        "say which end stands for this row: @relation(through: L, from: from) or @relation(through: L, from: to)",
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: to)\n"
        "  y: [A!]! @relation(through: L, from: from) }\n"
        "type L @table { from: A! @id to: A! @id }",
    ),
    "a third end of a generated link": (
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: b) y: [A!]! @relation(through: L, from: a)\n"
        "  z: [A!]! @relation(through: L, from: «c») }",
        '"L" has no to-one relation "c" to "A"',
        "its to-one relations to A are: a, b",
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: b) z: [A!]! @relation(through: L, from: a)\n"
        "  y: [A!]! @relation(through: L, from: a) }",
    ),
    "an end of a generated link that is no name": (
        'type A @table { id: ID! @id x: [A!]! @relation(through: L, from: «"a-b"») }',
        '"a-b" is not a name for a field',
        "such as source",
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: a) }",
    ),
    "an end that a generated link between two types lacks": (
        f"type A @table {{ id: ID! @id x: [User!]! @relation(through: L, from: «user») }}\n{USER}",
        '"L" has no to-one relation "user" to "A"',
        "its to-one relations to A are: a",
        f"type A @table {{ id: ID! @id x: [User!]! @relation(through: L, from: a) }}\n{USER}",
    ),
    "an end that a link lacks": (
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: «fro») }\n"
        "type L @table { from: A! @id to: A! @id }",
        '"L" has no to-one relation "fro" to "A"',
        'did you mean "from"?',
        "type A @table { id: ID! @id x: [A!]! @relation(through: L, from: from) }\n"
        "type L @table { from: A! @id to: A! @id }",
    ),
    "a link with several to-ones to this end": (
        f"type A @table {{ id: ID! @id x: [User!]! @relation(through: «L») }}\n"
        f"type L @table {{ a: A! @id b: A! @id user: User! @id }}\n{USER}",
        '"L" has several to-one relations to "A": a, b',
        "choose the one for this end: @relation(through: L, from: a)",
        f"type A @table {{ id: ID! @id x: [User!]! @relation(through: L, from: b) }}\n"
        f"type L @table {{ a: A! @id b: A! @id user: User! @id }}\n{USER}",
    ),
    "keys in a circle": (
        "type A @table { b: B! @id }\ntype «B» @table { a: A! @id }",
        "the keys go round in a circle: B -> A -> B",
        "give one of them another key: id: ID! @id",
        "type A @table { b: B! @id }\ntype B @table { id: ID! @id a: A! }",
    ),
    "a key field that is declared as well": (
        f"type A @table {{ id: ID! @id user: User! «userId»: ID! }}\n{USER}",
        '"A.user" brings the field "userId", which is declared as well',
        'share its column: user: ... @relation(column: "user_id")',
        f'type A @table {{ id: ID! @id user: User! @relation(column: "user_id") userId: ID! }}\n{USER}',
    ),
    "a shared column of another type": (
        f'type A @table {{ id: ID! @id user: User! @relation(column: «"n"») n: Int! }}\n{USER}',
        '"user" shares the column "n" of "n", which is Int (integer); the key of User is ID (uuid)',
        "declare n: ID",
        f'type A @table {{ id: ID! @id user: User! @relation(column: "n") n: ID! }}\n{USER}',
    ),
    "one column for a key of two": (
        'type A @table { x: Int! @id y: Int! @id }\ntype B @table { id: ID! @id a: A! @relation(column: «"a"») }',
        '"a" needs 2 columns, not 1',
        "the key of A is: x, y",
        "type A @table { x: Int! @id y: Int! @id }\n"
        'type B @table { id: ID! @id a: A! @relation(columns: ["ax", "ay"]) }',
    ),
    "two entities of one table": (
        'type A @table { id: ID! @id }\ntype «B» @table(name: "as") { id: ID! @id }',
        'the entities "A" and "B" are both the table "as"',
        '@table(name: "...") names the table',
        'type A @table { id: ID! @id }\ntype B @table(name: "as", schema: "other") { id: ID! @id }',
    ),
    "two fields of one column": (
        'type A @table { id: ID! @id a: Int «b»: Int @column(name: "a") }',
        '"A.a" and "A.b" are both the column "a"',
        '@column(name: "...") names the column',
        'type A @table { id: ID! @id a: Int b: Int @column(name: "c") }',
    ),
    "two entities of one root field": (
        "type Post @table { id: ID! @id }\ntype «Posts» @table { id: ID! @id }",
        'the entity "Posts" brings the field "Query.posts", and so does the entity "Post"',
        '@table(plural: "...") names the list',
        'type Post @table(plural: "articles") { id: ID! @id }\ntype Posts @table { id: ID! @id }',
    ),
    "a plural like the single": (
        'type Sheep @table(plural: «"sheep"») { id: ID! @id }',
        '"sheep" is the name of one Sheep and of the list as well',
        '@table(plural: "...") names the list',
        'type Sheep @table(plural: "flock") { id: ID! @id }',
    ),
    "a root field that is generated": (
        f"{USER}\nextend type Query {{ «userById»: Int «users»: Int }}".replace("«userById»", "userById"),
        'the field "Query.users" is generated for the entity "User"',
        "give your field another name",
        f"{USER}\nextend type Query {{ userCount: Int }}",
    ),
    "a look-up as a root field": (
        "type A @table { id: ID! @id slug: String! @unique }\nextend type Query { «aBySlug»: Int }",
        'the field "Query.aBySlug" is generated for the entity "A"',
        "give your field another name",
        'type A @table { id: ID! @id slug: String! @unique(where: "true") }\nextend type Query { aBySlug: Int }',
    ),
    "a mutation that is generated": (
        "type A @table { id: ID! @id d: DateTime @softDelete }\nextend type Mutation { «restoreA»: Int }",
        'the field "Mutation.restoreA" is generated for the entity "A"',
        "give your field another name",
        "type A @table { id: ID! @id }\nextend type Mutation { restoreA: Int }",
    ),
    "a live query that is generated": (
        f"{USER}\nextend type Subscription {{ viewer: Int «users»: Int }}",
        'the field "Subscription.users" is generated for the entity "User"',
        "give your field another name",
        f"{USER}\nextend type Subscription {{ viewer: Int userCount: Int }}",
    ),
    "change events that are generated": (
        f"{USER}\nextend type Subscription {{ «userChanges»: Int }}",
        'the field "Subscription.userChanges" is generated for the entity "User"',
        "give your field another name",
        'type User @view(sql: "SELECT 1 AS id") { id: ID! @id }\nextend type Subscription { userChanges: Int }',
    ),
    "a key that is named as a field of change events": (
        "type A @table { «kind»: String! @id }",
        'the key field "A.kind" has the name of a field of "AChange"',
        'rename the field and keep its column: @column(name: "kind")',
        'type A @table { type: String! @column(name: "kind") @id at: Date node: Int }',
    ),
    "a key that is named as an argument of its update": (
        "type A @table { «set»: Int! @id v: Int }",
        'the key field "A.set" has the name of an argument of "updateA"',
        'rename the field and keep its column: @column(name: "set")',
        'type A @table { number: Int! @column(name: "set") @id inc: Int append: [Int!] ifVersion: Int }',
    ),
    "a part of a key that is named as an argument of its update": (
        "type A @table { id: ID! @id «ifVersion»: Int! @id }",
        'the key field "A.ifVersion" has the name of an argument of "updateA"',
        'rename the field and keep its column: @column(name: "if_version")',
        'type A @view(sql: "SELECT 1 AS set") { set: Int! @id }\n'
        "type B @table { id: ID! @id set: Int }\ntype C @table { set: B! @id }",
    ),
    "a schema declared twice": (
        "schema { query: Query }\n«schema» {\n  query: Query\n}\ntype A { a: Int }",
        "schema is declared already",
        "write: extend schema",
        "schema { query: Query }\nextend schema { mutation: Mutation }\ntype A { a: Int }",
    ),
    "an unknown input": (
        "input I { a: «Foo» }",
        'unknown type "Foo"',
        "declare it: input Foo { ... }",
        "input I { a: Foo }\ninput Foo { a: Int }",
    ),
    "a type that is generated": (
        f"{USER}\ninput «UserFilter» {{ a: Int }}",
        'the type "UserFilter" is generated for the entity "User"',
        "give your type another name",
        f"{USER}\ninput UserFilters {{ a: Int }}",
    ),
    "a job's type as the user's own": (
        "extend type Mutation { send: Int @job }\ntype «SendJob» { a: Int }",
        'the type "SendJob" is generated for the job send',
        "give your type another name",
        "extend type Mutation { send: Int @job }\nextend type SendJob @allow(role: user)",
    ),
    "a field that a relation generates": (
        "type A @table { id: ID! @id bs: [B!]! «bsAggregate»: Int }\ntype B @table { id: ID! @id a: A! }",
        'the field "A.bsAggregate" is generated for "bs"',
        "give your field another name",
        "type A @table { id: ID! @id bs: [B!]! bsTotal: Int }\ntype B @table { id: ID! @id a: A! }",
    ),
    "a unique key over an unknown field": (
        "type A @table @unique(fields: «[idd]») { id: ID! @id }",
        '"A" has no field "idd"',
        'did you mean "id"?',
        "type A @table @unique(fields: [n]) { id: ID! @id n: Int }",
    ),
    "a unique key declared twice": (
        "type A @table «@unique»(fields: n) { id: ID! @id n: Int @unique }",
        '"A" has this unique key already',
        "remove one of them",
        'type A @table @unique(fields: n, where: "n > 1") { id: ID! @id n: Int @unique }',
    ),
    "an index over an unknown field": (
        "type A @table @index(fields: «[nam]») { id: ID! @id name: Int }",
        '"A" has no field "nam"',
        'did you mean "name"?',
        "type A @table @index(fields: [name]) { id: ID! @id name: Int }",
    ),
    "a resolver that requires an unknown field": (
        "type A @table { id: ID! @id a: Int @resolver(requires: «[idd]») }",
        '@resolver(requires:) names "idd", which is not a column of "A"',
        'did you mean "id"?',
        "type A @table { id: ID! @id a: Int @resolver(requires: id) }",
    ),
    "a rule over an unknown field": (
        "type A @table @allow(role: user, fields: «[nam]») { id: ID! @id name: Int }",
        '"A" has no field "nam"',
        'did you mean "name"?',
        f"type A @table @allow(role: user, fields: [user, userId]) {{ id: ID! @id user: User }}\n{USER}",
    ),
    "a rule over a field that was renamed": (
        "type A @table @allow(role: user, fields: «[subject]») "
        "{ id: ID! @id title: String @renamed(from: subject) subjects: Int }",
        '"A" has no field "subject"',
        'it is called "title" now',
        "type A @table @allow(role: user, fields: [title]) { id: ID! @id title: String @renamed(from: subject) }",
    ),
    "an index over a field that was renamed": (
        "type A @table @index(fields: «[subject]») { id: ID! @id title: String @renamed(from: subject) }",
        '"A" has no field "subject"',
        'it is called "title" now',
        "type A @table @index(fields: [title]) { id: ID! @id title: String @renamed(from: subject) }",
    ),
    "a resolver that requires a field that was renamed": (
        "type A @table { id: ID! @id b: Int @renamed(from: old) a: Int @resolver(requires: «[old]») }",
        '@resolver(requires:) names "old", which is not a column of "A"',
        'it is called "b" now',
        "type A @table { id: ID! @id b: Int @renamed(from: old) a: Int @resolver(requires: b) }",
    ),
    "a relation from a field that was renamed": (
        "type A @table { id: ID! @id bs: [B!]! @relation(from: «old») }\n"
        "type B @table { id: ID! @id a: A! @renamed(from: old) }",
        '"B" has no field "old"',
        'it is called "a" now',
        "type A @table { id: ID! @id bs: [B!]! @relation(from: a) }\n"
        "type B @table { id: ID! @id a: A! @renamed(from: old) }",
    ),
    "a cascade into rows that stay": (
        "type A @table { id: ID! @id d: DateTime @softDelete }\n"
        "type B @table { id: ID! @id a: A! @relation(onDelete: «CASCADE») }",
        '"A" is deleted softly, and so are the rows of "B" with it: "B" has no @softDelete',
        "add to B: deletedAt: DateTime @softDelete; or leave out onDelete: CASCADE",
        "type A @table { id: ID! @id d: DateTime @softDelete }\n"
        "type B @table { id: ID! @id a: A! @relation(onDelete: CASCADE) d: DateTime @softDelete }",
    ),
    "a circle of predicates": (
        "type A @table @is(name: x, where: {is: y}) @is(name: y, where: {is: «x»}) { id: ID! @id }",
        'predicates use one another in a circle: A."x" -> A."y" -> A."x"',
        None,
        'type A @table @is(name: x, where: {is: y}) @is(name: y, where: {id: "1"}) { id: ID! @id }',
    ),
}


def test_all_faults_of_a_job_are_told_at_once_and_none_that_follows_from_them() -> None:
    found = faults(
        f'{USER}\nextend schema @on(model: User, run: a) @cron(schedule: "0 3 * * *", run: a)\n'
        'extend type Mutation { a(b: Int): Int @job(queue: "", retries: -1, timeout: 0, runAt: no, key: [b], rate: x) }'
    )
    assert [fault.message for fault in found] == [
        '"queue" of @job must be a name, not ""',
        "@job(retries:) goes from 0 to 100",
        "@job(timeout:) must be more than 0 seconds",
        '@job(runAt:) names "no", which is not an argument of "a"',
        '"rate" of @job must be an integer, not x',
    ]


def test_every_type_that_a_soft_delete_needs_is_told_at_once() -> None:
    found = faults(
        "type A @table { id: ID! @id d: DateTime @softDelete }\n"
        "type B @table { id: ID! @id a: A! @relation(onDelete: CASCADE) }\n"
        "type C @table { id: ID! @id b: B! @relation(onDelete: CASCADE) }\n"
        "type D @table { id: ID! @id c: C! @relation(onDelete: CASCADE) a: A @relation(onDelete: SET_NULL) }\n"
        "type E @table { id: ID! @id b: B! }"
    )
    assert [(fault.message, fault.hint) for fault in found] == [
        (
            f'"{one}" {how} deleted softly, and so are the rows of "{other}" with it: "{other}" has no @softDelete',
            f"add to {other}: deletedAt: DateTime @softDelete; or leave out onDelete: CASCADE",
        )
        for one, how, other in (("A", "is", "B"), ("B", "must be", "C"), ("C", "must be", "D"))
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_rule_refuses_with_place_message_and_hint(case: tuple[str, str, str | None, str]) -> None:
    text, expected = marked(*case[:3])
    assert faults(text) == [expected]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_rule_lets_pass_what_is_valid(case: tuple[str, str, str | None, str]) -> None:
    assert faults(case[3]) == []
