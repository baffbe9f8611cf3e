"""`clew new`: a project that runs at once. Its files are those of `template/`, each with the suffix `.template`, and `dot-` for a dot.
"""
