"""The output and the questions of `clew dev`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

BOLD, DIM, RED, GREEN, CYAN, RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"


def say(text: str = "", style: str = "") -> None:
    """Print one message, in `style` on a terminal. A closed output is not an error."""
    with suppress(BrokenPipeError):
        print(f"{style}{text}{RESET}" if style and sys.stdout.isatty() else text, flush=True)


def complain(text: str) -> None:
    """Print a fault."""
    with suppress(BrokenPipeError):
        print(f"{RED}{text}{RESET}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def banner(address: str, facts: Sequence[tuple[str, str]], seconds: float, playground: bool) -> None:
    """Print the API's address and the steps of the start."""
    say()
    say(f"  Clew is ready in {seconds:.1f} s", BOLD + GREEN)
    say()
    say(f"  {'GraphQL API':12} {address}/graphql", CYAN)
    if playground:
        say(f"  {'Playground':12} {address}/graphql  (in a browser)", CYAN)
    for name, value in facts:
        say(f"  {name:12} {value}")
    say()
    say("  Save a file in graphql/ or in your Python package to reload; Ctrl-C stops.", DIM)
    say()


def interactive() -> bool:
    """Return whether a user can answer a question here."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


async def confirm(question: str) -> bool:
    """Ask on the terminal. Only `y` or `yes` agrees. Unlike `input` in a thread, this can be cancelled."""
    with suppress(BrokenPipeError):
        print(f"{question} [y/N] ", end="", flush=True)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        if not answer.done():
            answer.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, readable)
    try:
        return (await answer).strip().lower() in {"y", "yes"}
    finally:
        loop.remove_reader(sys.stdin)
