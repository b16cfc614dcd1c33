"""Which lines of an archive could name a watched service, told from their bytes.

Nineteen lines in twenty name none, and making a post of a line costs many times as much as looking at its bytes. The
sieve may let a line pass that names nothing; it must never hold back one that the matcher would find something in:

- The matcher looks for folded names: lower case, a space for everything that is no letter, digit or `_`. The same is
  done to the bytes of a whole chunk; a run of blanks becomes one blank, as in the text.
- In a line of plain ASCII without markup and odd escapes, the words of the text stand in the bytes as they will stand
  in the text. What is no ASCII, raw or as escapes, is spelt as the matcher would fold it (`archive_spelling`); a
  few entities and `<p>` become what they mean. Other lines pass: what they hold is known only when they are decoded.
- What a line says beside its text (hint, community, address of a status page) is looked at by `archive_light`.

`tests/collectors/test_archive_sieve.py` holds this as a property over odd texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.collectors.archive_spelling import Spelling

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ODD = 1
"""What becomes of bytes that mean more than themselves."""

_SCAN = bytes(
    (byte | 0x20 if 65 <= byte <= 90 else byte)
    if byte == 10 or (byte < 128 and (chr(byte).isalnum() or byte == 95))
    else _ODD
    if byte >= 127 or byte in b"&<" or (byte < 32 and byte not in b"\n\r\t")
    else 32
    for byte in range(256)
)
_PLAIN_ESCAPES = np.frombuffer(b'nrt"/u', dtype=np.uint8)
_HASH, _SPACE, _S, _NEWLINE, _BACKSLASH, _QUOTE, _COLON = (ord(char) for char in '# s\n\\":')
# Entities of signs that are no letters, with their semicolon: each is one sign, as separate as a full stop.
_ENTITY = re.compile(rb"&(?:amp|lt|gt|quot|#39|#x27|#x2F);")
_ESCAPES = ((b"\\n", b" "), (b"\\r", b" "), (b"\\t", b" "), (b'\\"', b"'"), (b"\\/", b"/"))


class Sieve:
    """Holds the folded names of all watched services.

    Args:
        names: as the matcher looks for them, each behind a space (`NameMatcher.patterns`).
    """

    def __init__(self, names: Iterable[str]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        names = list(names)
        # A name with letters beyond ASCII is met only in lines that pass anyway: those with one of these letters.
        self._names = sorted({name for name in names if name.isascii()})
        self._open_ended = np.array([name.endswith(" ") for name in self._names], dtype=bool)
        words = [name.encode() for name in self._names]
        self._spelling = Spelling({char for name in names for char in name if not char.isascii()})
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
            if b"\\u" in data:
                data = self._spelling.escapes(data)
        if not data.isascii():
            data = self._spelling.raw(data)
        if b"&" in data:
            data = _ENTITY.sub(b".", data)
        data = data.replace(b"<p>", b" ").replace(b"\t", b" ")
        while b"  " in data:  # runs of blanks as one, which is what a text's runs become
            data = data.replace(b"  ", b" ")
        starts = line_starts(data)
        scan = data.translate(_SCAN)
        if _ODD in scan:
            found[_lines_of(np.flatnonzero(np.frombuffer(scan, dtype=np.uint8) == _ODD), starts)] = True
        found[self._named(data, scan, starts)] = True
        return found

    def _named(self, data: bytes, scan: bytes, starts: I64) -> I64:
        """The lines with a name that ends as the matcher wants: at a word's end, with an s, or in a hashtag."""
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
