"""The supervisor of `clew dev`: it keeps one valid version of the project serving while you edit it.

The supervisor imports nothing of the project. It holds the embedded Postgres and the listening
socket, so that both outlive each version. A save starts a candidate process beside the serving
one (see `clew.dev.child`). Once the candidate is ready, the old process is drained.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from clew.config import Settings
from clew.database import embedded
from clew.dev import terminal
from clew.dev.watch import watch
from clew.errors import StartupError
from clew.migrate.change import Doubts
from clew.project import Project
from clew.server.listen import address_of
from clew.server.processes import LAST_SECONDS, Child

T = TypeVar("T")

CHILD = "clew.dev.child"

# How to make a change that may fail on a filled table.
FILL = (
    "give a required field a @default. Or run `clew migrate make --yes -m TEXT`, edit the revision so that it fills or "
    "changes those rows first, and save the schema again."
)

# In seconds. A version that crashes sooner after its start is not restarted before the next save.
SHORT_LIFE = 5.0

# In seconds: the time that the old version has to close its listener.
HANDOVER = 2.0

# In seconds: the interval between checks of the embedded Postgres.
POSTGRES_LOOK = 2.0


class RejectedError(Exception):
    """A version of the project cannot serve. The text is the message to print."""


class SupersededError(Exception):
    """A file was saved while a version was being checked."""


class Supervisor:
    """One run of `clew dev`.

    Args:
        project: the project.
        settings: its dev settings.
        listener: the listening socket.
        url: the database's URL.
        postgres: the folder of the embedded Postgres, or None if the database is the user's own.
        accept: True for `--yes`: changes that lose data or may fail need no confirmation.
        began: `time.monotonic()` at the start of the command, for the banner.
    """

    def __init__(
        self,
        project: Project,
        settings: Settings,
        listener: socket.socket,
        url: str,
        postgres: Path | None,
        accept: bool,
        began: float,
    ) -> None:
        self._project = project
        self._settings = settings
        self._listener = listener
        self._postgres = postgres
        self._accept = accept
        self._began = began
        self._environment = {"CLEW_PROJECT": str(project.root), "CLEW_ENV": "dev", "DATABASE_URL": url}
        self._grace = settings.drain_seconds + settings.shutdown_seconds + LAST_SECONDS + 1
        self._current: Child | None = None
        self._promoted_at = 0.0
        self._promoted = asyncio.Event()
        self._saved = asyncio.Event()
        self._names: list[str] = []
        self._drains: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT, and return the exit code.

        Raises:
            RejectedError: the first version cannot serve.
        """
        stopped = _signals()
        work = asyncio.ensure_future(self._work())
        try:
            await asyncio.wait({stopped, work}, return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                work.result()
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work
            await self._stop()
        return 130 if stopped.result() == signal.SIGINT else 0

    async def _work(self) -> None:
        # Watch from the beginning, so that a save during the first start is not lost.
        tasks = [asyncio.create_task(watch(self._project, self._note))]
        try:
            ready = await self._first()
            address = address_of(self._listener)
            terminal.banner(address, self._facts(ready), time.monotonic() - self._began, bool(ready["playground"]))
            tasks += [asyncio.create_task(self._reload()), asyncio.create_task(self._restart_crashed())]
            if self._postgres is not None:
                tasks.append(asyncio.create_task(self._keep_postgres(self._postgres)))
            await asyncio.gather(*tasks)
        except OSError as error:
            raise RejectedError(f"error: the project's files cannot be watched: {error}") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _first(self) -> Mapping[str, Any]:
        while True:
            try:
                return await self._promote()
            except SupersededError:
                self._saved.clear()
                self._names = []

    def _note(self, names: list[str]) -> None:
        self._names = sorted({*self._names, *names})
        self._saved.set()

    async def _reload(self) -> None:
        while True:
            await self._saved.wait()
            self._saved.clear()
            saved, self._names = self._names, []
            names = ", ".join(saved)
            began = time.monotonic()
            try:
                ready = await self._promote()
            except SupersededError:
                self._names = sorted({*saved, *self._names})
            except RejectedError as rejected:
                terminal.complain(str(rejected))
                serving = self._current is not None and self._current.running
                state = "the version before keeps serving" if serving else "nothing is served until it is fixed"
                terminal.say(f"Not reloaded ({names}): {state}.", terminal.BOLD)
            else:
                done = [f"Reloaded in {time.monotonic() - began:.2f} s ({names})", *_applied(ready)]
                terminal.say("; ".join(done), terminal.GREEN)

    async def _promote(self) -> Mapping[str, Any]:
        """Check the project as it is on disk. If it is valid, let it serve and drain the old version.

        A save cancels the check until the version may change the database. After that it runs to its end.
        """
        child = await Child.start(CHILD, self._listener, self._environment)
        try:
            pending = await self._unless_saved(_verdict(child))
            await self._agree(Doubts(pending["losses"], pending["failures"]))
            await child.send({"event": "apply"})
            ready = await _verdict(child)
        except BaseException:
            await asyncio.shield(child.stop(1.0))
            raise
        before, self._current = self._current, child
        self._promoted_at = time.monotonic()
        self._promoted.set()
        if before is not None:
            drain = asyncio.create_task(before.stop(self._grace))
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
            # "Reloaded" promises that the old version accepts no more requests. So wait for that.
            with suppress(TimeoutError):
                async with asyncio.timeout(HANDOVER):
                    await before.receive()
        return ready

    async def _agree(self, doubts: Doubts) -> None:
        if not doubts or self._accept:
            return
        if not terminal.interactive():
            hints = []
            if doubts.losses:
                hints.append("`clew dev --yes` accepts the loss; `clew migrate make` writes it down for review.")
            if doubts.failures:
                hints.append(FILL)
            listed = "".join(f"\n  hint: {hint}" for hint in hints)
            raise RejectedError(f"error: {doubts}\nThere is no terminal to confirm this.{listed}")
        terminal.say(str(doubts), terminal.BOLD)
        if doubts.failures:
            terminal.say(f"  hint: {FILL}")
        if not await self._unless_saved(terminal.confirm("Make them?")):
            raise RejectedError("Nothing was changed.")

    async def _unless_saved(self, action: Coroutine[Any, Any, T]) -> T:
        acting = asyncio.ensure_future(action)
        saved = asyncio.ensure_future(self._saved.wait())
        try:
            await asyncio.wait({acting, saved}, return_when=asyncio.FIRST_COMPLETED)
            if not acting.done():
                raise SupersededError
            return acting.result()
        finally:
            acting.cancel()
            saved.cancel()
            # Both end here. An exception that nobody fetched would be printed at the end.
            await asyncio.gather(acting, saved, return_exceptions=True)

    async def _restart_crashed(self) -> None:
        while True:
            child = self._current
            if child is not None:
                code = await child.wait()
                if child is self._current:
                    terminal.complain(f"The server process ended unexpectedly ({_ending(code)}).")
                    if time.monotonic() - self._promoted_at > SHORT_LIFE:
                        self._note(["restart"])
                    else:
                        terminal.complain("It had just started. The next save starts it again.")
            while self._current is child:
                await self._promoted.wait()
                self._promoted.clear()

    async def _keep_postgres(self, folder: Path) -> None:
        complaint = ""
        while True:
            await asyncio.sleep(POSTGRES_LOOK)
            removed = not (folder / "data").exists()
            try:
                if not await asyncio.to_thread(embedded.ensure_running, folder):
                    continue
            except (StartupError, OSError) as error:
                before, complaint = complaint, str(error)
                if complaint != before:
                    terminal.complain(complaint)
                continue
            complaint = ""
            if removed:
                terminal.complain("The embedded Postgres' folder was removed. It starts again, empty.")
                self._note(["an empty database"])
            else:
                terminal.complain("The embedded Postgres had stopped. It was started again.")

    async def _stop(self) -> None:
        stops = [*self._drains]
        if self._current is not None:
            stops.append(asyncio.create_task(self._current.stop(self._grace)))
        await asyncio.gather(*stops, return_exceptions=True)

    def _facts(self, ready: Mapping[str, Any]) -> list[tuple[str, str]]:
        entities = ready["entities"]
        schema = f"{entities} {'entity' if entities == 1 else 'entities'}, checked in {ready['check_seconds']:.2f} s"
        database = "the one of DATABASE_URL"
        if self._postgres is not None:
            database = f"embedded Postgres in {self._postgres.relative_to(self._project.root)}/"
        facts = [("Schema", schema), ("Database", "; ".join([database, *_applied(ready)]))]
        if self._postgres is not None:
            facts.append(("", f"{self._environment['DATABASE_URL']}  (or `clew psql`)"))
        return facts


def _signals() -> asyncio.Future[Any]:
    """Return a future that receives the first SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[Any] = loop.create_future()

    def stop(number: int) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopped


async def _verdict(child: Child) -> Mapping[str, Any]:
    """Return the candidate's next message. Raise RejectedError if it is a fault, or if none arrives."""
    message = await child.receive()
    if message is None:
        ending = _ending(await child.wait())
        raise RejectedError(f"error: the new server process ended before it could serve ({ending}).")
    if message["event"] == "failed":
        raise RejectedError(message["text"])
    return message


def _applied(ready: Mapping[str, Any]) -> list[str]:
    done = []
    if ready["applied"]:
        done.append(f"migrated in {ready['migrate_seconds']:.2f} s: {', '.join(ready['applied'])}")
    if ready["seeded"]:
        done.append("demo data added")
    return done


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
