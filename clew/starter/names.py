"""The name of a new project: what `[project] name` of its pyproject.toml may be."""

from __future__ import annotations

import keyword
import re
import unicodedata

# https://packaging.python.org/en/latest/specifications/name-normalization/
_VALID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

# Packages that the project imports, and its own folders. A package that requires itself cannot be installed.
_TAKEN = {"clew", "ariadne", "graphql", "sqlalchemy", "pytest", "app", "migrations", "test", "tests"}


def project_name(folder: str) -> str:
    """Return the name of a project in the folder `folder`: the folder's own, or the nearest that is valid.

    `My Shop!` is `my-shop`. A name that means something else to Python or to the project gets `-project`: `class` and
    `clew` are `class-project` and `clew-project`.
    """
    name = folder if _VALID.fullmatch(folder) else _nearest(folder)
    if not name:
        return "project"
    if keyword.iskeyword(name) or re.sub(r"[-_.]+", "-", name).lower() in _TAKEN:
        return f"{name}-project"
    return name


def _nearest(folder: str) -> str:
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
