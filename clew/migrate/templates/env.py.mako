"""Alembic runs this for every command; Clew does the work."""

from clew.migrate.env import run

run()
