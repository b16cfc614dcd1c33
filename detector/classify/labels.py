"""Labelled posts: with their text, or as facts (`source`, `id`, `label`) joined to archives that hold the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.classify.lines import BadLines, objects, opened
from detector.domain import LABELS
from detector.errors import BadArchiveError

FEW = 5
"""A class with fewer examples is trained, with a warning: its probabilities are little more than its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One post and the label a reader gave it; `where` is `file:line`."""

    source: str
    id: str
    text: str
    label: str
    service: str | None = None
    created_at: str = ""
    where: str = ""

    @property
    def kind(self) -> str:
        """The source without its part (`reddit` of `reddit:r/aws`); `own` for posts we made up ourselves."""
        return "own" if self.id.startswith("own-") else self.source.split(":")[0]

    @property
    def now(self) -> bool:
        """Whether it is evidence of a failure at this moment."""
        return self.label in {"complaint", "report"}


@dataclass(slots=True)
class LabelSet:
    """What was read: the posts, and everything that was left out and why."""

    posts: list[Labelled] = field(default_factory=list)
    without_text: int = 0
    repeated: int = 0
    contradictory: int = 0
    files: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def rare(self) -> list[str]:
        """A warning for each label with fewer than `FEW` examples, which matters where they are trained on."""
        return [
            f"label {label} has {count} examples, fewer than {FEW}: its probabilities say little but its share"
            for label, count in self.counts().items()
            if count < FEW
        ]

    def counts(self) -> dict[str, int]:
        """Posts of each label."""
        found = Counter(post.label for post in self.posts)
        return {label: found[label] for label in LABELS}


def whole_text(row: dict[str, Any]) -> str:
    """Title and body of an archive line, as `Post.text` holds them.

    >>> whole_text({"text": "Slack down?", "body": "since noon"})
    'Slack down?\\n\\nsince noon'
    """
    text, body = row.get("text"), row.get("body")
    head = text if isinstance(text, str) else ""
    tail = body if isinstance(body, str) else ""
    return f"{head}\n\n{tail}" if head and tail else head or tail


def read_labels(files: Sequence[Path], *, texts: Sequence[Path] = ()) -> LabelSet:
    """All labelled posts of the files, each (source, id) once; rows without text take it from `texts`.

    Raises:
        BadArchiveError: a file is missing, empty, or has lines that are no label; every such line is named.
    """
    rows: list[tuple[str, dict[str, Any]]] = []
    bad = BadLines()
    for path in files:
        before = len(rows)
        with opened(path) as stream:
            for number, row in objects(stream, str(path), bad):
                problem = _problem(row)
                if problem:
                    bad.add(str(path), number, problem)
                else:
                    rows.append((f"{path}:{number}", row))
        if len(rows) == before and not bad.count:
            raise BadArchiveError(f"{path}: holds no labelled post; a line is {{source, id, text, label}}")
    if bad.count:
        more = f"\n... and {bad.count - len(bad.messages)} more" if bad.count > len(bad.messages) else ""
        raise BadArchiveError("\n".join(bad.messages) + more)
    wanted = {_key(row) for _, row in rows if "text" not in row}
    joined = _texts(texts, wanted)
    found = LabelSet(files=[str(path) for path in files])
    seen: dict[tuple[str, str], str] = {}
    for where, row in rows:
        key = _key(row)
        if key in seen:
            found.repeated += 1
            found.contradictory += seen[key] != row["label"]
            continue
        full = row if "text" in row else joined.get(key)
        if full is None:
            found.without_text += 1
            continue
        seen[key] = row["label"]
        found.posts.append(
            Labelled(
                source=key[0],
                id=key[1],
                text=whole_text(full),
                label=row["label"],
                service=row.get("service") or full.get("service"),
                created_at=str(row.get("created_at") or full.get("created_at") or ""),
                where=where,
            )
        )
    _warn(found)
    return found


def _key(row: dict[str, Any]) -> tuple[str, str]:
    name = row.get("id")
    return (str(row["source"]), str(name) if name not in (None, "") else f"text:{row['text']}")


def _problem(row: dict[str, Any]) -> str | None:
    # A post that brings its own text needs no id: the text tells it from others.
    for key in ("source", "label") if isinstance(row.get("text"), str) else ("source", "id", "label"):
        if not isinstance(row.get(key), str | int) or row[key] == "":
            return f"{key} is missing"
    if row["label"] not in LABELS:
        return f"unknown label {row['label']!r}; one of {', '.join(LABELS)}"
    if "text" in row and not isinstance(row["text"], str):
        return "text is not a string"
    return None


def _texts(archives: Sequence[Path], wanted: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    if not wanted:
        return found
    bad = BadLines()
    for path in archives:
        with opened(path) as stream:
            for _, row in objects(stream, str(path), bad):
                key = (str(row.get("source")), str(row.get("id")))
                if key in wanted and key not in found:
                    found[key] = row
    return found


def _warn(found: LabelSet) -> None:
    if not found.posts:
        raise BadArchiveError(
            f"{', '.join(found.files)}: no labelled post has a text ({found.without_text} lack one); "
            "name the archives that hold them with --texts"
        )
    if found.without_text:
        found.warnings.append(f"{found.without_text} labels have no text and are left out; see --texts")
    if found.contradictory:
        found.warnings.append(f"{found.contradictory} posts are labelled twice and differently; the first label holds")
