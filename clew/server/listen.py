"""The listening socket, bound once and shared by every server process."""

from __future__ import annotations

import errno
import socket

from clew.errors import StartupError

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket. Connections wait in it while no process serves it.

    Raises:
        StartupError: the port is taken or not allowed, or the host is not an address of this machine.
    """
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartupError(
            f"CLEW_HOST {host!r} is not an address: {error}.", "Use 127.0.0.1 for this machine only, 0.0.0.0 for all."
        ) from None
    family, kind, protocol, _, address = addresses[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from None
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `http://host:port` with a host that a browser on this machine can reach."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 (compared, not bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, error: OSError) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            f"Port {port} on {host} is in use by another program.", "Stop it, or choose another with --port."
        )
    if error.errno == errno.EACCES:
        return StartupError(f"This user may not listen on port {port}.", "Choose one above 1023 with --port.")
    return StartupError(f"Cannot listen on {host}:{port}: {error.strerror}.")
