"""What `clew dev` prints and asks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

BOLD, DIM, RED, GREEN, CYAN, RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"


def say(text: str = "", style: str = "") -> None:
    """Print one message, in `style` where the output is a terminal; nobody reading is no reason to stop."""
    with suppress(BrokenPipeError):
        print(f"{style}{text}{RESET}" if style and sys.stdout.isatty() else text, flush=True)


def complain(text: str) -> None:
    """Print a fault."""
    with suppress(BrokenPipeError):
        print(f"{RED}{text}{RESET}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def banner(address: str, facts: Sequence[tuple[str, str]], seconds: float, playground: bool) -> None:
    """Print where the API is, and what was done to get there."""
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
    """Whether somebody can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


async def confirm(question: str) -> bool:
    """Ask on the terminal; only `y` or `yes` is a yes. Can be cancelled, unlike `input` in a thread."""
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
