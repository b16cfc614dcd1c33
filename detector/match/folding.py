"""One spelling for every way of writing a letter, with the way back to the text as written.

`fold` lowers case, splits compatibility forms, drops accents, zero-width and bidirectional controls, and maps the
Cyrillic and Greek letters that look Latin (a small subset of Unicode TS 39), one character at a time. Folding a
character never depends on its neighbours, so offsets survive and a concatenation folds to the concatenation.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

# Letters of Cyrillic and Greek, both cases, under the Latin letter they are mistaken for.
_LOOKALIKES = {
    "a": "аАΑα", "b": "ВΒ", "c": "сСϲϹ", "d": "ԁԀ", "e": "еЕΕ", "g": "ɡ", "h": "һҺНΗ", "i": "іІΙι", "j": "јЈϳͿ",
    "k": "кКΚκ", "l": "ӏӀ", "m": "мМΜ", "n": "Ν", "o": "оОΟο", "p": "рРΡρ", "q": "ԛԚ", "s": "ѕЅ", "t": "тТΤτ",
    "u": "υ", "v": "νѵѴ", "w": "ԝԜ", "x": "хХΧ", "y": "уУүҮΥ", "z": "Ζ",
}  # fmt: skip
_SIGNS = {
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "`": "'", "\uff07": "'",
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u0131": "i", "\u0142": "l", "\u00f8": "o", "\u2122": "", "\u00ae": "", "\u00a9": "",
}  # fmt: skip
_UNSPACED = "\u0e00"  # Thai, kana, Han, Hangul: words stand side by side without spaces, so each letter is a boundary
_MOST_CACHED = 20_000
_DROPPED = frozenset({"Cf", "Mn", "Me"})

_LOWER_ASCII = bytes(ord(chr(i).lower()) if i != ord("`") else ord("'") for i in range(128)) + bytes(range(128, 256))
_SCAN_ASCII = bytes(ord(chr(i).lower()) if chr(i).isalnum() or chr(i) == "_" else ord(" ") for i in range(128)) + bytes(
    range(128, 256)
)


class _Table(dict[str, str]):
    """Folds of single characters, worked out on first use; at most `_MOST_CACHED` at a time."""

    def __missing__(self, char: str) -> str:
        if len(self) > _MOST_CACHED:
            self.clear()
            self.update(_FIXED)
        plain = "".join(c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in _DROPPED)
        folded = "".join(_FIXED.get(c, c) for c in plain.casefold())
        self[char] = folded
        return folded


class _Spaced(dict[str, str]):
    """A space for every character that is no letter, digit or `_`; at most `_MOST_CACHED` at a time."""

    def __missing__(self, char: str) -> str:
        if len(self) > _MOST_CACHED:
            self.clear()
        spaced = char if char == "_" or (char.isalnum() and char < _UNSPACED) else " "
        self[char] = spaced
        return spaced


def _known() -> dict[str, str]:
    return {char: latin for latin, chars in _LOOKALIKES.items() for char in chars} | _SIGNS


_FIXED = _known()
_FOLDS = _Table(_FIXED)
_SPACED = _Spaced()


@dataclass(slots=True, eq=False)
class Folded:
    """A text made comparable.

    Attributes:
        text: as written.
        plain: folded; where the text is ASCII, index i of `plain` is index i of `text`.
        scan: `plain` between two spaces, everything but letters, digits and `_` a space: `scan[i + 1]` is `plain[i]`.
    """

    text: str
    plain: str
    scan: str
    _starts: list[int] | None = field(default=None, repr=False)

    def written(self, start: int, end: int) -> str:
        """The part of the text that folds to `plain[start:end]`.

        >>> fold("Is Ｃlaude\u200b down?").written(3, 9)
        'Ｃlaude'
        """
        if self.text.isascii():
            return self.text[start:end]
        if self._starts is None:
            self._starts = list(accumulate((len(_FOLDS[char]) for char in self.text), initial=0))
        first = bisect_right(self._starts, start) - 1
        last = bisect_left(self._starts, end)
        return self.text[first:last]


def fold(text: str) -> Folded:
    """The folded forms of a text.

    >>> fold("Сlaude’s AWS").plain
    "claude's aws"
    """
    if text.isascii():
        raw = text.encode("ascii")
        return Folded(
            text, raw.translate(_LOWER_ASCII).decode("ascii"), f" {raw.translate(_SCAN_ASCII).decode('ascii')} "
        )
    plain = "".join(map(_FOLDS.__getitem__, text))
    return Folded(text, plain, f" {_spaced(plain)} ")


def _spaced(plain: str) -> str:
    if plain.isascii():
        return plain.encode("ascii").translate(_SCAN_ASCII).decode("ascii")
    return "".join(map(_SPACED.__getitem__, plain))


def squeeze(text: str) -> str:
    """Letters and digits of the folded text alone: the key under which names, slugs and handles are looked up.

    >>> squeeze("@Cash App")
    'cashapp'
    """
    return "".join(char for char in fold(text).plain if char.isalnum())
