"""Run one operation from start to end: document -> plan -> statement -> outcome."""

from clew.engine.engine import Engine
from clew.engine.outcome import Outcome
from clew.engine.types import Request

__all__ = ["Engine", "Outcome", "Request"]
