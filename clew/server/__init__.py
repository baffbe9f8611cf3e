"""Processes that serve HTTP: the listening socket, uvicorn with Clew's configuration, and worker processes."""
