"""The demo's entry point, named by `[tool.clew]` in pyproject.toml."""

from app.resolvers import message, query, thread, user
from clew import Clew

clew = Clew(bindables=[query, user, thread, message])
