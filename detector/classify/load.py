"""Which classifier runs: the one asked for, else the shipped one, else the keyword floor with a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from detector.classify import cascade, encoder, keyword, static, transformer
from detector.classify.artifact import MANIFEST, read_manifest
from detector.errors import ArtifactError, UsageError
from detector.protocols import Classifier
from detector.resources import model_path

_log = logging.getLogger(__name__)

Build = Callable[[Path | None], Classifier]
BUILT_IN: Mapping[str, Build] = {
    "cascade": cascade.build,
    "static": static.build,
    "minilm": transformer.build,
    "keyword": keyword.build,
}
FOLDERS: Mapping[str, Build] = {"cascade": cascade.build, "minilm": transformer.build, encoder.KIND: encoder.build}
"""By the kind that a folder's manifest states; any other is read as a static one, which says what is wrong with it."""

DEFAULTS = ("cascade", "static")
"""Tried in this order where none is asked for; the keyword floor is what is left."""


def load_classifier(
    name_or_path: str | None = None, *, notes: list[str] | None = None, registered: Mapping[str, Build] | None = None
) -> Classifier:
    """The classifier by name, by artifact folder, or the default (None).

    Without a choice, a missing or damaged artifact leaves the next best classifier, and says so in the log and in
    `notes`; a choice that cannot be kept is an error.

    Args:
        registered: further builders by name, as the entry points give them.

    Raises:
        ArtifactError: the named artifact cannot be used.
        UsageError: neither a known name nor a folder.
    """
    if name_or_path is None:
        return _default(notes)
    known = {**BUILT_IN, **(registered or {})}
    if name_or_path in known:
        return known[name_or_path](None)
    folder = Path(name_or_path)
    if folder.is_dir():
        if (folder / "modules.json").is_file() and not (folder / MANIFEST).is_file():
            raise UsageError(
                f"{folder} holds an encoder without a head of ours; make one with "
                f"`detector train --encoder {folder} --labels ... --out FOLDER`, then name that folder"
            )
        kind = read_manifest(folder).get("kind")
        return FOLDERS.get(str(kind), static.build)(folder)
    raise UsageError(
        f"no classifier {name_or_path!r}: name one of {', '.join(sorted(known))}, or a folder with a manifest.json "
        "(for an encoder of the hub: `detector train --encoder NAME --out FOLDER`, then name that folder)"
    )


def _default(notes: list[str] | None) -> Classifier:
    """The best of the shipped ones that can be used, with a note if it is not the best there is."""
    reason: ArtifactError | None = None
    for name in DEFAULTS:
        try:
            found = BUILT_IN[name](model_path(name))
        except ArtifactError as error:
            reason = error
            continue
        if reason is not None:
            _log.warning("classifier=%s reason=%r", name, str(reason))
            if notes is not None:
                notes.append(f"the {name} classifier judges alone, which is weaker: {reason}")
        return found
    _log.warning("classifier=keyword reason=%r", str(reason))
    if notes is not None:
        notes.append(f"the keyword classifier judges instead of the trained one, which is much weaker: {reason}")
    return keyword.build()
