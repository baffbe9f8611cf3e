"""One server process of `clew serve --workers N`. Its parent has checked settings, schema and database."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from clew.asgi import create
from clew.config import Settings
from clew.observe import setup_logging
from clew.server.channel import Channel
from clew.server.http import Server
from clew.server.numbers import SharedNumbers
from clew.server.workers import SOCKET
from clew.wire.application import Application


def main(listener_fd: int, channel_fd: int) -> int:
    """Serve on the inherited socket until SIGTERM."""
    settings = Settings.load(Path(os.environ["CLEW_PROJECT"]), "production")
    setup_logging(settings.log_level, settings.log_format)
    channel = Channel(channel_fd)
    app = create()
    server: Server

    def started() -> None:
        if isinstance(app, Application):
            own = SharedNumbers(Path(os.environ[SOCKET]), app.metrics)
            app.background.start(own.serve(), "metrics")
        channel.send({"event": "ready"})
        # A killed parent cannot send SIGTERM.
        channel.when_closed(lambda: server.handle_exit(signal.SIGTERM, None))

    server = Server(app, settings, on_started=started)
    server.serve_on(socket.socket(fileno=listener_fd))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
