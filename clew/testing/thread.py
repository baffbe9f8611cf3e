"""An event loop on a thread of its own, on which the app serves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers on any thread. Tests block on it, or await it on an asyncio loop of their own."""

    def __init__(self) -> None:
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._calls: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._work, args=(started,), name="clew-testing", daemon=True)
        self._thread.start()
        self._loop = started.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return its result."""
        future = self._submit(coroutine)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C and time-outs interrupt the wait, and must not leave the request running.
            future.cancel()
            raise

    async def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and await its result. Cancelling the caller cancels it."""
        return await asyncio.wrap_future(self._submit(coroutine))

    def cancel_all(self) -> None:
        """Cancel what still runs, and return when it has ended."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result()

    def close(self) -> None:
        """End the loop and the thread."""
        self.cancel_all()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("The app itself cannot wait for a request to the app: send it from the test.")
        return asyncio.run_coroutine_threadsafe(self._tracked(coroutine), self._loop)

    async def _tracked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            return await coroutine
        finally:
            self._calls.discard(task)

    async def _cancel_all(self) -> None:
        running = set(self._calls)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _work(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        async def serve() -> None:
            self._ended = asyncio.Event()
            started.set_result(asyncio.get_running_loop())
            await self._ended.wait()

        asyncio.run(serve())
