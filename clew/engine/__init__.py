"""The request, top to bottom: document -> plan -> statement -> bytes."""

from clew.engine.engine import Engine
from clew.engine.types import Request, Response

__all__ = ["Engine", "Request", "Response"]
