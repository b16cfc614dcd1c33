"""Which lines of an archive could name a watched service, told from their bytes.

Nineteen lines in twenty name none, and making a post of a line costs many times as much as looking at its bytes. The
sieve may let a line pass that names nothing; it must never hold back one that the matcher would find something in:

- The matcher looks for folded names: lower case, a space for everything that is no letter, digit or `_`. The same is
  done to the bytes of a whole chunk; a run of blanks becomes one blank, as in the text.
- In a line of plain ASCII without markup and odd escapes, the words of the text stand in the bytes as they will stand
  in the text. All other lines pass: what they hold is known only when they are decoded.
- What a line says beside its text (hint, community, address of a status page) is looked at by `archive_light`.

`tests/collectors/test_archive_sieve.py` holds this as a property over odd texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SCAN = bytes(
    (byte | 0x20 if 65 <= byte <= 90 else byte)
    if byte == 10 or (byte < 128 and (chr(byte).isalnum() or byte == 95))
    else 32
    for byte in range(256)
)
_ODD = bytes(1 if byte >= 127 or byte in b"&<" or (byte < 32 and byte not in b"\n\r\t") else 0 for byte in range(256))
_PLAIN_ESCAPES = np.frombuffer(b'nrt"/', dtype=np.uint8)
_HASH, _SPACE, _S, _NEWLINE, _BACKSLASH, _QUOTE, _COLON = (ord(char) for char in '# s\n\\":')
# Curly quotes, dashes, dots: as separate as a space, so a line that holds nothing odder need not be decoded.
_CURLY = re.compile(rb"\xe2\x80[\x93\x94\x98\x99\x9c\x9d\xa2\xa6]")
_ESCAPES = ((b"\\n", b" "), (b"\\r", b" "), (b"\\t", b" "), (b'\\"', b"'"), (b"\\/", b"/"))


class Sieve:
    """Holds the folded names of all watched services.

    Args:
        names: as the matcher looks for them, each behind a space (`NameMatcher.patterns`).
    """

    def __init__(self, names: Iterable[str]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        # A name with letters beyond ASCII is met only in lines that pass anyway.
        self._names = sorted({name for name in names if name.isascii()})
        self._open_ended = np.array([name.endswith(" ") for name in self._names], dtype=bool)
        words = [name.encode() for name in self._names]
        self._automaton: Any = BytesAhoCorasick(words, implementation=Implementation.DFA) if words else None

    def candidates(self, data: bytes, starts: I64, *, escaped: bool = True) -> Bools:
        """(n,) whether each line of a chunk could name a service.

        Args:
            data: lines of JSON objects, or of texts that begin with a space and hold no line end.
            starts: (n,) offset of each line.
            escaped: the lines are JSON; otherwise a backslash is just a backslash.

        >>> sieve = Sieve([" slack"])
        >>> lines = b'{"text":"is Slack down?"}\\n{"text":"is it?"}\\n{"text":"\\\\u0053lack"}'
        >>> sieve.candidates(lines, line_starts(lines)).tolist()
        [True, False, True]
        """
        found = np.zeros(len(starts), dtype=bool)
        if self._automaton is None:
            return found
        if escaped and b"\\" in data:
            found[_lines_of(_odd_escapes(data), starts)] = True
            for escape, sign in _ESCAPES:
                data = data.replace(escape, sign)
        if b"\xe2\x80" in data:
            data = _CURLY.sub(b" ", data)
        data = data.replace(b"\t", b" ")
        data = _single_blanks(data)
        starts = line_starts(data)
        odd = np.flatnonzero(np.frombuffer(data.translate(_ODD), dtype=np.bool_))
        if len(odd):
            found[_lines_of(odd, starts)] = True
        found[self._named(data, starts)] = True
        return found

    def _named(self, data: bytes, starts: I64) -> I64:
        """The lines with a name that ends as the matcher wants: at a word's end, with an s, or in a hashtag."""
        scan = data.translate(_SCAN)
        hits = self._automaton.find_matches_as_indexes(scan, overlapping=True)
        if not hits:
            return np.zeros(0, dtype=np.int64)
        at = np.array(hits, dtype=np.int64)
        index, start, end = at[:, 0], at[:, 1], at[:, 2]
        after = np.frombuffer(scan + b" ", dtype=np.uint8)[end]
        whole = self._open_ended[index] | (after == _SPACE) | (after == _S) | (after == _NEWLINE)
        whole |= np.frombuffer(data, dtype=np.uint8)[start] == _HASH
        whole &= ~_is_source(data, start)
        return _lines_of(start[whole], starts)


def line_starts(data: bytes) -> I64:
    """(n,) offsets of the lines of a chunk; a line end at its end opens no further one.

    >>> line_starts(b"a\\nbc\\n").tolist()
    [0, 2]
    """
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
    starts = np.concatenate(([0], ends + 1))
    return starts[:-1] if data.endswith(b"\n") else starts


def _lines_of(offsets: I64, starts: I64) -> I64:
    return np.searchsorted(starts, offsets, side="right") - 1


def _single_blanks(data: bytes) -> bytes:
    """Runs of blanks as one, which is what a text's runs become."""
    raw = np.frombuffer(data, dtype=np.uint8)
    blank = raw == _SPACE
    again = blank[1:] & blank[:-1]
    if not again.any():
        return data
    return raw[~np.concatenate(([False], again))].tobytes()


def _is_source(data: bytes, start: I64) -> Bools:
    """Whether a name opens the value of "source", which is no text ("hackernews" names nobody there).

    A quote stands nowhere inside a text any more, so one behind a colon opens a value; no text's key ends in "ce".
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    colon = start - 1 - (raw[start - 1] == _SPACE)
    found: Bools = (raw[start] == _QUOTE) & (colon > 3) & (raw[colon] == _COLON) & (raw[colon - 1] == _QUOTE)
    found &= (raw[colon - 2] == ord("e")) & (raw[colon - 3] == ord("c"))
    return found


def _odd_escapes(data: bytes) -> I64:
    """Where an escape stands that is none of a line end, a tabulator, a quote and a slash."""
    raw = np.frombuffer(data + b"  ", dtype=np.uint8)
    found = np.flatnonzero(raw == _BACKSLASH)
    result: I64 = found[~np.isin(raw[found + 1], _PLAIN_ESCAPES)]
    return result
