"""`clew new`: a project that runs at once. Its files are those of `template/`, under names that tools leave alone."""
