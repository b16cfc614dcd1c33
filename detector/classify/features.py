"""Hashed words and character n-grams of many texts at once, in numpy alone.

All texts of a call lie one after another in one buffer of bytes. A polynomial hash of every prefix of the buffer gives
the hash of any piece of it in two operations, so word 1-2-grams and character 3-5-grams cost a few vector operations
for the whole call instead of a Python loop over letters. Integer arithmetic only: a text's features never depend on
its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15 | 1
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SPACE = 32
START, END = "^", "$"
GRAMS = (3, 4, 5)


def _byte_classes() -> bytes:
    """Letters, digits, apostrophe and every byte of a longer character stay; the rest separates words."""
    table = bytearray(b" " * 256)
    for byte in range(256):
        if byte >= 0x80 or chr(byte).isalnum() or chr(byte) in "'?!^$":
            table[byte] = byte
    return bytes(table)


_CLASSES = _byte_classes()


@dataclass(frozen=True, slots=True)
class Grams:
    """Features of n texts, ordered by text, each pair once.

    Attributes:
        rows: which text, ascending.
        columns: hashed feature in 0..2^bits-1; word features in the lower half, characters in the upper.
        word_rows, word_keys: every word in order of writing with its 64-bit hash, for the embedding table.
    """

    rows: I64
    columns: I64
    word_rows: I64
    word_keys: U64


def spell(text: str) -> bytes:
    """The bytes that are hashed: words apart by one or more spaces, start and end marked.

    >>> spell("is it down?")
    b' ^ is it down ?  $ '
    """
    text = text.replace("^", " ").replace("$", " ")
    if "?" in text:
        text = text.replace("?", " ? ")
    if "!" in text:
        text = text.replace("!", " ! ")
    return f" {START} {text} {END} ".encode("utf-8", "ignore").translate(_CLASSES)


def _powers(of: int, count: int) -> U64:
    steps = np.full(count + 1, of, dtype=np.uint64)
    steps[0] = 1
    result: U64 = np.multiply.accumulate(steps)
    return result


_INVERSE = pow(_BASE, -1, 1 << 64)
_KEPT = 1 << 15
_KEPT_POWERS = _powers(_BASE, _KEPT), _powers(_INVERSE, _KEPT)


def _powers_upto(count: int) -> tuple[U64, U64]:
    """Powers 0..count or more of the base and of its inverse mod 2^64."""
    return _KEPT_POWERS if count <= _KEPT else (_powers(_BASE, count), _powers(_INVERSE, count))


def _mixed(key: U64) -> U64:
    """The hash H(end) - H(start) * base^length of a piece, its bits stirred in place."""
    key ^= key >> np.uint64(31)
    key *= _MIX
    key ^= key >> np.uint64(29)
    return key


def word_key(word: str) -> int:
    """The 64-bit key under which one word is found in the embedding table.

    >>> word_key("down") == word_key("down") != word_key("up")
    True
    """
    grams = extract([word.encode()], bits=18)
    return int(grams.word_keys[0])


def extract(spelled: Sequence[bytes], *, bits: int) -> Grams:
    """Features of the texts (already through `spell`), hashed into 2^bits columns.

    >>> grams = extract([spell("is it down?"), spell("down")], bits=18)
    >>> sorted(set(grams.rows.tolist())), len(grams.word_keys)
    ([0, 1], 9)
    """
    count = len(spelled)
    buffer = np.frombuffer(b" " + b" ".join(spelled) + b"  ", dtype=np.uint8)
    size = len(buffer)
    # Text and feature are sorted as one number, of 32 bits where that is enough.
    kind: type[np.unsignedinteger[Any]] = np.uint32 if count << bits < 1 << 32 else np.uint64
    row_at = np.zeros(size, dtype=kind)
    if count:
        texts = np.arange(count, dtype=kind) << kind(bits)
        row_at[1:-1] = np.repeat(texts, np.fromiter(map(len, spelled), dtype=np.int64, count=count) + 1)
        row_at[-1] = texts[-1]
    # H(i+1) = H(i)*base + byte, written as a cumulative sum of byte*base^-position times base^i: with an odd base
    # the inverse exists mod 2^64, and the sum needs no loop.
    powers, inverse = _powers_upto(size)
    scaled = buffer.astype(np.uint64)
    scaled += np.uint64(1)
    scaled *= inverse[1 : size + 1]
    prefix = np.zeros(size + 1, dtype=np.uint64)
    np.cumsum(scaled, out=prefix[1:])
    prefix *= powers[: size + 1]

    inside = buffer != _SPACE
    turns = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    starts, ends = turns[0::2], turns[1::2]
    word_rows = row_at[starts]
    keys = _mixed(prefix[ends] - prefix[starts] * powers[ends - starts])
    half = np.uint64((1 << (bits - 1)) - 1)

    same = word_rows[1:] == word_rows[:-1]
    pairs = (keys[:-1] * np.uint64(3) + keys[1:] * np.uint64(0xD6E8FEB86659FD93))[same]
    pairs ^= pairs >> np.uint64(32)
    found = [(keys & half).astype(kind) | word_rows, (pairs & half).astype(kind) | word_rows[1:][same]]

    row_at |= kind(1 << (bits - 1))  # from here on characters, in the upper half
    for n in GRAMS:
        at, hashed = _characters(inside, prefix, powers, n)
        found.append((hashed & half).astype(kind) | row_at[at])
    joined = np.concatenate(found)
    joined.sort()
    if len(joined):
        joined = joined[np.concatenate(([True], joined[1:] != joined[:-1]))]
    return Grams(
        rows=(joined >> kind(bits)).astype(np.int64),
        columns=(joined & kind((1 << bits) - 1)).astype(np.int64),
        word_rows=(word_rows >> kind(bits)).astype(np.int64),
        word_keys=keys,
    )


def _characters(inside: NDArray[np.bool_], prefix: U64, powers: U64, n: int) -> tuple[I64, U64]:
    """Windows of n bytes inside one word with a space on either side, as scikit-learn's `char_wb`."""
    count = max(len(inside) - n + 1, 0)
    # A window is good if everything between its first and last byte is inside one word; those two may be spaces.
    good = inside[1 : 1 + count].copy()
    for offset in range(2, n - 1):
        good &= inside[offset : offset + count]
    at = np.flatnonzero(good)
    # All windows are subtracted and the good ones picked: that is less than to fetch both ends of each good one.
    return at, _mixed((prefix[n : n + count] - prefix[:count] * powers[n])[at])
