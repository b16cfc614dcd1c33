"""Plug-ins by entry point: ours come through the same door as anybody's."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from detector.errors import PluginError

GROUPS = ("collectors", "classifiers", "detectors", "notifiers", "status")


def names(group: str) -> list[str]:
    """The registered names of a group, sorted.

    >>> "scan" in names("detectors")
    True
    """
    return sorted({point.name for point in _points(group)})


def load(group: str, name: str) -> Any:
    """The callable registered under `name`.

    Raises:
        PluginError: nobody registered it (the known names are listed), or importing it failed.
    """
    for point in _points(group):
        if point.name == name:
            try:
                return point.load()
            except Exception as error:
                raise PluginError(
                    f"plug-in {name!r} of detector.{group} ({point.value}) cannot be loaded: {error}"
                ) from error
    known = ", ".join(names(group)) or "none"
    raise PluginError(f"no plug-in {name!r} in detector.{group}; registered: {known}")


def _points(group: str) -> list[EntryPoint]:
    if group not in GROUPS:
        raise PluginError(f"no plug-in group {group!r}; there are {', '.join(GROUPS)}")
    return list(entry_points(group=f"detector.{group}"))
