"""A server in a process of its own. All ASGI apps run under uvicorn with the same options."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.paths import DATA, ROOT

_OPTIONS = (
    *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false"),
)
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


class Program:
    """One process that serves HTTP on the port that its environment names."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = name
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process while it runs."""
        if self._process is None:
            raise RuntimeError(f"{self._name} is not running; call start() first.")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the process printed."""
        return DATA / f"{self._name}.log"

    def start(self) -> str:
        """Start it, wait until it answers, return its base URL.

        Raises:
            RuntimeError: it ended, or did not answer within a minute; with the end of its log.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        DATA.mkdir(parents=True, exist_ok=True)
        # uvicorn has a name of its own for it.
        environment = {**os.environ, **self._environment, "BENCH_PORT": str(port), "UVICORN_PORT": str(port)}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self._name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return url

    def stop(self) -> None:
        """End the process; by force if it does not obey."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server(Program):
    """One uvicorn process. `factory` is `module:function`, called without arguments."""

    def __init__(
        self, name: str, factory: str, environment: Mapping[str, str], python: Path = Path(sys.executable)
    ) -> None:
        super().__init__(name, [str(python), "-m", "uvicorn", "--factory", factory, *_OPTIONS], environment)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True  # 404 is an answer too
    except OSError:
        return False
