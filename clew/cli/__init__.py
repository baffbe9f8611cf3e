"""The command `clew`. Each sub-command has a file in `commands/`."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Sequence

from clew import collector
from clew.cli.parser import build_parser
from clew.database.embedded import unwind
from clew.errors import SchemaError, StartupError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 1: impossible, with one message that gives the reason. 2: wrong usage. 130: Ctrl-C. 143: SIGTERM before
    the command had its own way to stop.
    """
    # Without a handler, Linux keeps SIGTERM from the first process of a container. To load a command takes a second.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, unwind)
    given = sys.argv[1:] if argv is None else argv
    arguments = build_parser(given[0] if given else None).parse_args(given)
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
