"""What an attack is, and what must hold of its answer on every transport."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from clew.errors import Code


@dataclass(frozen=True)
class Who:
    """Who attacks: a subject with roles and claims, or a token as it stands, which only a wire carries.

    `keys`: the server that is asked verifies tokens with public keys, not with a secret. `acts_as`: further headers, by
    which it wants to be taken for another.
    """

    sub: Any = None
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    token: str | None = None
    keys: bool = False
    acts_as: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The body of a response, and what else of it a client sees: status and headers, where there are any."""

    body: bytes
    around: tuple[Any, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        errors = self.json.get("errors")
        found: str | None = errors[0]["extensions"]["code"] if errors else None
        return found


class Transport(Protocol):
    """A way in. The next one joins the corpus by a class of this shape, and a line in `test_attacks.py`."""

    name: ClassVar[str]
    writes: ClassVar[bool]
    """Whether a mutation can be sent this way; elsewhere each is refused."""

    @staticmethod
    def carries(attack: Attack) -> bool:
        """Return whether an attack can be sent this way at all."""
        ...

    async def send(self, who: Who, document: str, variables: Mapping[str, Any], key: str | None = None) -> Answer:
        """Send one operation; errors have the request id `same`.

        Args:
            key: makes a mutation repeatable (`Idempotency-Key`).
        """
        ...


# --- what must hold -------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """The first error has one of these codes, and there is no data; where a message is given, it has that."""

    codes: tuple[Code, ...]
    message: str | None = None

    async def check(self, attack: Attack, transport: Transport) -> None:
        answer = await attack.send(transport)
        is_invalid = {Code.GRAPHQL_PARSE_FAILED, Code.GRAPHQL_VALIDATION_FAILED} & {*self.codes}
        if transport.name == "route" and is_invalid and answer.code == Code.FORBIDDEN:
            # The operation is the route's own. A client gets nothing of what is wrong with it.
            Refused((Code.FORBIDDEN,), "This needs a type or field that your role does not have.").judge(answer)
        else:
            self.judge(answer)

    def judge(self, answer: Answer) -> None:
        assert answer.code in self.codes, answer.body
        assert answer.json.get("data") is None, answer.body
        if self.message is not None:
            assert answer.json["errors"][0]["message"] == self.message, answer.body


@dataclass(frozen=True)
class Gives:
    """The answer is this data, whole."""

    data: Any

    async def check(self, attack: Attack, transport: Transport) -> None:
        self.judge(await attack.send(transport))

    def judge(self, answer: Answer) -> None:
        assert answer.json == {"data": self.data}, answer.body


@dataclass(frozen=True)
class AsUnknown:
    """With the name between `~` the answer is to the byte that to a name that does not exist."""

    async def check(self, attack: Attack, transport: Transport) -> None:
        text = attack.document + "\0" + json.dumps(attack.variables)
        before, hidden, after = text.split("~")
        first: tuple[bytes, tuple[Any, ...]] | None = None
        # Of the same length, so that places are the same, and one so near that it would be suggested.
        for name in (hidden, "zq" + "x" * (len(hidden) - 2), hidden[:-1] + "z"):
            document, _, variables = (before + name + after).partition("\0")
            answer = await attack.send(transport, document, json.loads(variables))
            told = (answer.body.replace(name.encode(), b"~"), answer.around)
            first = first or told
            assert told == first


@dataclass(frozen=True)
class WithCursor:
    """With the cursor that `whose` gets by `source` in the variable `v`, once `change` is made to it, that holds."""

    whose: Who
    source: str
    expect: Refused | Gives
    change: Callable[[str], str] = str

    async def check(self, attack: Attack, transport: Transport) -> None:
        found = (await transport.send(self.whose, self.source, {})).json["data"]
        ((edge,),) = (connection["edges"] for connection in found.values())
        changed = self.change(edge["cursor"])
        await self.expect.check(replace(attack, variables={"v": changed}), transport)


@dataclass(frozen=True)
class Alike:
    """With each of the values in the place of `~` the answer is the same to the byte, and that holds of it.

    One is hidden, one is not there at all.
    """

    values: tuple[str, ...]
    expect: Refused | Gives

    async def check(self, attack: Attack, transport: Transport) -> None:
        answers = [await attack.send(transport, attack.document.replace("~", value)) for value in self.values]
        assert len(set(answers)) == 1, answers
        self.expect.judge(answers[0])


@dataclass(frozen=True)
class Scattered:
    """The one list in the answer has these values of `choice`, each once, and tells nothing by their order.

    That is: it is neither the order in which they are given here, that of what is hidden of the rows, nor the same
    backwards, and when they are asked for again it has not changed. Several lists are in different orders.

    Args:
        first: the values of rows with nothing hidden, which come before the others.
        again: whether the same can be asked for again.
    """

    values: str
    first: str = ""
    again: bool = True

    async def check(self, attack: Attack, transport: Transport) -> None:
        answer = await attack.send(transport)
        lists = list(_lists(answer.json["data"]))
        assert lists, answer.body
        for found in lists:
            told, rest = found[: len(self.first)], found[len(self.first) :]
            assert "".join(told) == self.first, found
            assert sorted(rest) == list(self.values), found
            assert rest != sorted(rest), found
            assert rest[::-1] != sorted(rest), found
        assert len({tuple(found) for found in lists}) == len(lists), lists
        assert not self.again or await attack.send(transport) == answer


def _lists(value: Any) -> Iterator[list[str]]:
    """The values of `choice` in each list."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _lists(item)
    elif isinstance(value, list):
        rows = [item.get("node", item) for item in value]
        if all("choice" in row for row in rows):
            yield [row["choice"] for row in rows]
        else:
            for row in rows:
                yield from _lists(row)


@dataclass(frozen=True)
class Repeated:
    """When the attack's viewer has had that, and another sends the same with the same key, they get this."""

    first: Gives
    by: Who
    expect: Refused | Gives

    async def check(self, attack: Attack, transport: Transport) -> None:
        self.first.judge(await attack.send(transport, key="k"))
        self.expect.judge(await replace(attack, who=self.by).send(transport, key="k"))


Expectation = Refused | Gives | AsUnknown | WithCursor | Alike | Scattered | Repeated


# --- attacks --------------------------------------------------------------------------

# In no answer, unless the client wrote it: SQL, Postgres, Python, and what no viewer here may read.
LEAKS = (
    "select ",
    "postgresql",
    "pg_",
    "asyncpg",
    "sqlalchemy",
    "traceback",
    'relation "',
    "operator does not",
    "psycopg",
    "exceeds the limit",
    "integer string conversion",
    "encountered error",
)
SECRETS = ("password", "the secret of the audit", "did you mean", "clew_")
EMAIL = re.compile(r"(m\d+)@secret\.example")
# Random text, which holds `pg_` now and then.
CURSOR = re.compile(rb'"[0-9a-f]+\.[\w-]{40,}"')


@dataclass(frozen=True)
class Attack:
    """One operation that someone sends who wants more than they may have.

    `about_rules`: it is the access rules that stop it. `changes`: what it may do to the rows, as
    `tests.attacks.club.changes` tells it.
    """

    name: str
    who: Who
    document: str
    expect: Expectation
    variables: Mapping[str, Any] = field(default_factory=dict)
    about_rules: bool = False
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    async def check(self, transport: Transport) -> None:
        """Send it and raise AssertionError unless what must hold holds."""
        await self.expect.check(self, transport)

    async def send(
        self,
        transport: Transport,
        document: str | None = None,
        variables: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Answer:
        document = self.document if document is None else document
        variables = self.variables if variables is None else variables
        answer = await transport.send(self.who, document, variables, key)
        own = f"{document}{variables}".lower()
        text = CURSOR.sub(b'""', answer.body).decode().lower()
        assert not [leak for leak in (*LEAKS, *SECRETS) if leak in text and leak not in own], text
        assert answer.code != Code.INTERNAL, text
        # Of e-mail addresses each member sees their own.
        others = {found for found in EMAIL.findall(text) if found != self.who.sub} - set(EMAIL.findall(own))
        assert not others, text
        return answer
