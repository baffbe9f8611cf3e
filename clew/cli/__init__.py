"""The command `clew`. Each sub-command has a file in `commands/`."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence

from clew import collector
from clew.cli.parser import build_parser
from clew.errors import SchemaError, StartupError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 1: impossible, with one message that gives the reason. 2: wrong usage. 130: Ctrl-C.
    """
    arguments = build_parser().parse_args(argv)
    # Otherwise Python walks over all objects when it ends, and that takes a third of a short command's time.
    atexit.register(collector.freeze)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except SchemaError as error:
        return _fail(str(error))
    except StartupError as error:
        return _fail(f"error: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # In `clew schema | head` the reader is gone. Without this, Python would report that again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
