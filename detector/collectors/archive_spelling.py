"""What is no ASCII in the bytes of an archive, in the letters under which the matcher looks for names.

The matcher folds a character by itself, whatever stands beside it (`match.folding`), so a run of such characters can be
folded where it stands, without decoding the line. Where that is not certain, the run becomes a sign that no archive
holds, and the line passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set

import numpy as np

from detector.match.folding import fold

PASS = b"\x01"
"""Stands for what is known only when the line is decoded."""

_SEPARATE = b"."  # a letter in no name is as good as a full stop: it lets more lines pass, never fewer
_ESCAPED = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
_MEMORY = 20_000
_SHORT = 12  # bytes of a run that is worth remembering


class Spelling(dict[bytes, bytes]):
    """Runs of bytes beyond ASCII, and of `\\u` escapes, and what becomes of them; worked out on first use.

    Args:
        kept: letters beyond ASCII that stand in names; a run with one of them makes its line pass.
    """

    def __init__(self, kept: Set[str] = frozenset()) -> None:
        super().__init__()
        self._kept = frozenset(kept)

    def __missing__(self, run: bytes) -> bytes:
        found = self._spelt(run)
        if len(run) <= _SHORT and len(self) < _MEMORY:
            self[run] = found
        return found

    def raw(self, data: bytes) -> bytes:
        """Bytes in which every run beyond ASCII is spelt.

        >>> Spelling().raw("caf\u00e9 \u2014 \uff21\u03b9rbnb\u2019s \u3042".encode())
        b'cafe . airbnb.s .'
        """
        beyond = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) > 127)
        apart = np.flatnonzero(np.diff(beyond) > 1)
        starts = beyond[np.concatenate(([0], apart + 1))].tolist() if len(beyond) else []
        ends = (beyond[np.concatenate((apart, [len(beyond) - 1]))] + 1).tolist() if len(beyond) else []
        pieces: list[bytes] = []
        done = 0
        for start, end in zip(starts, ends, strict=True):
            pieces += (data[done:start], self[data[start:end]])
            done = end
        pieces.append(data[done:])
        return b"".join(pieces)

    def escapes(self, data: bytes) -> bytes:
        """Bytes in which every run of escapes is spelt.

        >>> Spelling().escapes("it\u2019s".encode("ascii", "backslashreplace"))
        b'it.s'
        """
        return _ESCAPED.sub(lambda run: self[run[0]], data)

    def _spelt(self, run: bytes) -> bytes:
        try:
            text = json.loads(b'"%s"' % run) if run.startswith(b"\\") else run.decode()
            text.encode()
        except ValueError:  # no UTF-8, half a character
            return PASS
        return b"".join(map(self._sign, text))

    def _sign(self, char: str) -> bytes:
        if char in " \t\n\r" or (char.isspace() and char > "\x9f"):
            return b" "  # blanks run together, as in the text
        if char < " " or "\x7f" <= char <= "\x9f" or char in "&<":
            return PASS
        found = []
        for each in fold(char).plain:
            if each in self._kept:
                return PASS
            found.append(each.encode() if each.isascii() and (each.isalnum() or each in "_#") else _SEPARATE)
        return b"".join(found)
