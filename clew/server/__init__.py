"""Processes that serve HTTP: the listening socket, uvicorn as Clew configures it, and worker processes."""
