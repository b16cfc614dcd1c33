"""The words with which everything that a pattern finds must start, read off the pattern itself.

A pattern of plain alternatives costs a try at every letter of a text. One automaton finds the starts of all patterns
in one pass, and a pattern is tried only there. The starts are derived, not written by hand: none can be forgotten.
"""

from __future__ import annotations

Start = tuple[str, bool]
"""Letters that a match may begin with, and whether what follows in the pattern comes right after them."""

_MANY = 400
"""More starts than this are cut where they are: shorter starts are found too often, never too seldom."""

_NOTHING: set[Start] = {("", True)}
_ANYTHING: set[Start] = {("", False)}


def starts(pattern: str) -> tuple[str, ...]:
    """The shortest list of words of which each match has one at its start; `("",)` where that can be anything.

    Reads what the rules are written in: letters, `(?:|)`, `(?!)`, `[]`, `?`, `{m,n}`, `^ $ .` and escapes.

    Raises:
        ValueError: the pattern holds something else.

    >>> starts(r"\\b(?:time[sd]? out|never (?:\\w{1,9} )?up|50[0-2])\\b")
    ('500', '501', '502', 'never ', 'time out', 'timed out', 'times out')
    >>> starts(r"(?!not)\\w{1,5} down")
    ('',)
    """
    words = {word for word, _ in _Reader(pattern).read()}
    return tuple(sorted(word for word in words if not any(word[:end] in words for end in range(len(word)))))


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0

    def read(self) -> set[Start]:
        found = self._either()
        if self._at < len(self._pattern):
            raise self._strange()
        return found

    def _strange(self) -> ValueError:
        return ValueError(f"cannot read {self._pattern[self._at : self._at + 9]!r} at {self._at} in {self._pattern!r}")

    def _next_is(self, expected: str) -> bool:
        if not self._pattern.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def _upto(self, last: str) -> str:
        end = self._pattern.find(last, self._at + 1)
        if end < 0:
            raise self._strange()
        inner, self._at = self._pattern[self._at : end], end + 1
        return inner

    def _either(self) -> set[Start]:
        found = self._one_after_another()
        while self._next_is("|"):
            found = found | self._one_after_another()
        return found

    def _one_after_another(self) -> set[Start]:
        found = _NOTHING
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            piece = self._repeated()
            grown = _joined(found, piece)
            found = grown if len(grown) <= _MANY else {(word, False) for word, _ in found}
        return found

    def _repeated(self) -> set[Start]:
        piece = self._piece()
        if self._next_is("?"):
            return piece | _NOTHING
        if not self._next_is("{"):
            return piece
        least, comma, most = self._upto("}").partition(",")
        if not least.isdecimal() or (comma and not most.isdecimal()):
            raise self._strange()
        found = _NOTHING if int(least) == 0 else set()
        times = _NOTHING
        for time in range(1, int(most or least) + 1):
            times = _joined(times, piece)
            if time >= int(least):
                found = found | times
            if len(times) > _MANY or not any(on for _, on in times):
                return found | {(word, False) for word, _ in times}
        return found

    def _piece(self) -> set[Start]:
        if self._next_is("(?!"):
            self._group()
            return _NOTHING  # what must not follow takes no place
        if self._next_is("(?:"):
            return self._group()
        if self._next_is("["):
            return _one_of(self._upto("]"))
        if self._next_is("\\"):
            return self._escaped()
        letter = self._pattern[self._at]
        if letter in "(*+?{":
            raise self._strange()
        self._at += 1
        if letter in "^$":
            return _NOTHING
        return _ANYTHING if letter == "." else {(letter, True)}

    def _group(self) -> set[Start]:
        found = self._either()
        if not self._next_is(")"):
            raise self._strange()
        return found

    def _escaped(self) -> set[Start]:
        letter = self._pattern[self._at : self._at + 1]
        if letter not in {"b", "w", "W"} and (not letter or letter.isalnum()):
            raise self._strange()
        self._at += 1
        if letter == "b":
            return _NOTHING
        return _ANYTHING if letter in "wW" else {(letter, True)}


def _joined(found: set[Start], piece: set[Start]) -> set[Start]:
    return {(word + more, further) if on else (word, False) for word, on in found for more, further in piece}


def _one_of(inner: str) -> set[Start]:
    if inner[0] == "^" or "\\" in inner:
        return _ANYTHING
    if len(inner) == 3 and inner[1] == "-":
        return {(chr(code), True) for code in range(ord(inner[0]), ord(inner[2]) + 1)}
    if "-" in inner:
        return _ANYTHING
    return {(letter, True) for letter in inner}
