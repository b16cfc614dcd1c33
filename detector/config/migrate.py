"""A settings file of an earlier release: what was renamed since is read under its old name, and said.

`version` on top of a file says for which release's names it was written; a file without it is of the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detector.config.locate import Place

VERSION = 2
KEY = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that older files say otherwise.

    Attributes:
        since: the version that changed it; files of an earlier one are mended.
        old: where it stood, `*` for any name (a source's or receiver's).
        new: where it stands; the same length, `*` for what `*` stood for. None if it only deserves a word.
        value: the change concerns this value only; None means any.
        words: what is said; by default that it was renamed.
    """

    since: int
    old: Place
    new: Place | None
    value: Any = None
    words: str = ""


CHANGES: tuple[Change, ...] = (
    Change(
        since=2,
        old=("watch", "classifier"),
        new=None,
        value="static",
        words="was the default of the first release; a better one is shipped now: remove the line, or write "
        "version = 2 on top to keep it without this word",
    ),
)


def migrate(
    values: dict[str, Any], changes: Sequence[Change] = CHANGES, *, version: int = VERSION
) -> tuple[list[tuple[Place, str]], list[tuple[Place, str]]]:
    """Bring the values of a settings file to today's names, in place; returns what is to be said, and mistakes.

    >>> values = {"store": {"keep_days": 7}}
    >>> renamed = Change(since=2, old=("store", "keep_days"), new=("store", "keep_text_days"))
    >>> migrate(values, [renamed])
    ([(('store', 'keep_days'), 'is called store.keep_text_days now; the old name was understood, write the new')], [])
    >>> values
    {'store': {'keep_text_days': 7}}
    """
    said: list[tuple[Place, str]] = []
    mistakes: list[tuple[Place, str]] = []
    written = values.pop(KEY, 1)
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        return said, [((KEY,), f"{written!r} will not do; write version = {version}")]
    if written > version:
        return said, [((KEY,), f"written for a newer detector, whose version is {written}; upgrade the program")]
    for change in changes:
        if written < change.since:
            for place in _found(values, change.old):
                _apply(values, change, place, said, mistakes)
    return said, mistakes


def _apply(
    values: dict[str, Any],
    change: Change,
    place: Place,
    said: list[tuple[Place, str]],
    mistakes: list[tuple[Place, str]],
) -> None:
    table = _table(values, place[:-1])
    if change.value is not None and table[str(place[-1])] != change.value:
        return
    if change.new is None:
        said.append((place, change.words))
        return
    names = iter([step for step, pattern in zip(place, change.old, strict=True) if pattern == "*"])
    new = tuple(next(names) if step == "*" else step for step in change.new)
    target = _table(values, new[:-1])
    if new[-1] in target:
        mistakes.append((place, f"is the old name of {_dotted(new)}, which is given too; remove this line"))
        return
    target[str(new[-1])] = table.pop(str(place[-1]))
    words = change.words or f"is called {_dotted(new)} now; the old name was understood, write the new"
    said.append((place, words))


def _found(values: dict[str, Any], pattern: Place) -> list[Place]:
    """Every place of the values that fits."""
    places: list[Place] = [()]
    for step in pattern:
        places = [
            (*place, key)
            for place in places
            if isinstance(table := _at(values, place), dict)
            for key in (table if step == "*" else [step])
            if key in table
        ]
    return places


def _at(values: Any, place: Place) -> Any:
    for step in place:
        values = values[step]
    return values


def _table(values: dict[str, Any], place: Place) -> dict[str, Any]:
    for step in place:
        values = values.setdefault(str(step), {})
    return values


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))
