"""Turn the credentials of a request into a Viewer."""
