"""Which classifier runs: the one asked for, else the shipped one, else the keyword floor with a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from detector.classify import keyword, static
from detector.errors import ArtifactError, UsageError
from detector.protocols import Classifier
from detector.resources import model_path

_log = logging.getLogger(__name__)

Build = Callable[[Path | None], Classifier]
BUILT_IN: Mapping[str, Build] = {"static": static.build, "keyword": keyword.build}


def load_classifier(
    name_or_path: str | None = None, *, notes: list[str] | None = None, registered: Mapping[str, Build] | None = None
) -> Classifier:
    """The classifier by name, by artifact folder, or the default (None).

    Without a choice, a missing or damaged artifact leaves the keyword classifier, and says so in the log and in
    `notes`; a choice that cannot be kept is an error.

    Args:
        registered: further builders by name, as the entry points give them.

    Raises:
        ArtifactError: the named artifact cannot be used.
        UsageError: neither a known name nor a folder.
    """
    if name_or_path is None:
        try:
            return static.build(model_path("static"))
        except ArtifactError as error:
            note = f"the keyword classifier judges instead of the trained one, which is much weaker: {error}"
            _log.warning("classifier=keyword reason=%r", str(error))
            if notes is not None:
                notes.append(note)
            return keyword.build()
    known = {**BUILT_IN, **(registered or {})}
    if name_or_path in known:
        return known[name_or_path](None)
    folder = Path(name_or_path)
    if folder.is_dir():
        return static.build(folder)
    raise UsageError(
        f"no classifier {name_or_path!r}: name one of {', '.join(sorted(known))}, or a folder with a manifest.json"
    )
