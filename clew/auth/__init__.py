"""Who asks: credentials of a request -> Viewer."""
