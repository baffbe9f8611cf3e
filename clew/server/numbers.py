"""The numbers of all processes behind one listener (docs/metrics.md), for the process that is asked for them.

Each process tells its own ones to whoever connects to its socket in a folder. Only the server's user may enter that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric

from clew.metrics import Metrics

# In seconds: how long a process may take to tell. One that is busy or has ended is left out.
_PATIENCE = 1.0


class SharedNumbers:
    """The numbers of one process of several.

    Args:
        socket: of this process, beside those of the others. Its name tells this process apart.
    """

    def __init__(self, socket: Path, metrics: Metrics) -> None:
        self._folder = socket.parent
        self._worker = socket.name
        self._metrics = metrics

    async def serve(self) -> None:
        """Tell this process's numbers, and show those of all."""
        server = await asyncio.start_unix_server(self._tell, self._folder / self._worker)
        self._metrics.others = self._gathered
        async with server:
            await server.serve_forever()

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        families = [
            (family.name, family.documentation, family.type, [sample[:3] for sample in family.samples])
            for family in self._metrics.registry.collect()
        ]
        with suppress(OSError):
            writer.write(json.dumps(families).encode())
            await writer.drain()
        writer.close()

    async def _gathered(self, metrics: Metrics) -> Mapping[str, Iterable[Metric]]:
        others = sorted(path for path in self._folder.iterdir() if path.name != self._worker)
        told = await asyncio.gather(*map(_told, others))
        found = {path.name: families for path, families in zip(others, told, strict=True) if families is not None}
        return {self._worker: metrics.registry.collect(), **found}


async def _told(path: Path) -> list[Metric] | None:
    """Return what another process tells, or None."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                text = await reader.read()
            finally:
                writer.close()
        families = json.loads(text)
    except (OSError, TimeoutError, ValueError):
        return None
    found = []
    for name, about, kind, samples in families:
        family = Metric(name, about, kind)
        for sample, labels, value in samples:
            family.add_sample(sample, labels, value)
        found.append(family)
    return found
