"""The demo's entry point, named by `[tool.clew]` in pyproject.toml."""

from app.pages import routes
from app.replies import reply
from app.resolvers import message, mutation, query, thread, user
from clew import Clew

clew = Clew(bindables=[query, mutation, user, thread, message], routes=routes)
clew.job("reply")(reply)
