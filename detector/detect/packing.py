"""Columns of numbers in few bytes: fixed-point differences, by planes of bytes, deflated.

What is packed was rounded when it was learned, not when it is saved, so that a state that was read back goes on as one
that was never saved. Neighbours differ little: of their differences the high bytes are zeros, which, put side by
side, cost nothing (the shuffle filter of HDF5 and Blosc).
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from struct import pack, unpack

_WIDTH = 8


def packed(columns: Sequence[tuple[Sequence[float], int]]) -> str:
    """Columns of numbers, each with so many decimals, as a text.

    >>> text = packed([([1.25, 1.5, -3.0], 2), ([7, 8], 0)])
    >>> unpacked(text, [2, 0])
    [[1.25, 1.5, -3.0], [7, 8]]
    """
    numbers = [len(columns), *(len(values) for values, _ in columns)]
    for values, decimals in columns:
        scale, last = 10.0**decimals, 0
        for value in values:
            whole = round(value * scale)
            step, last = whole - last, whole
            numbers.append(step * 2 if step >= 0 else -2 * step - 1)
    raw = pack(f"<{len(numbers)}Q", *numbers)
    return b64encode(zlib.compress(b"".join(raw[place::_WIDTH] for place in range(_WIDTH)), 9)).decode("ascii")


def unpacked(text: str, decimals: Sequence[int]) -> list[list[float]]:
    """The inverse; a column without decimals has integers.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        planes = zlib.decompress(b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(f"a packed state cannot be read: {error}") from error
    count = len(planes) // _WIDTH
    raw = bytearray(len(planes))
    for place in range(_WIDTH):
        raw[place::_WIDTH] = planes[place * count : (place + 1) * count]
    numbers = unpack(f"<{count}Q", raw)
    if not numbers or numbers[0] != len(decimals) or count != 1 + len(decimals) + sum(numbers[1 : 1 + len(decimals)]):
        raise ValueError("a packed state cannot be read: its columns are not those of this version")
    found: list[list[float]] = []
    at = 1 + len(decimals)
    for size, digits in zip(numbers[1:at], decimals, strict=True):
        scale, whole = 10.0**digits, 0
        column: list[float] = []
        for step in numbers[at : at + size]:
            whole += step // 2 if step % 2 == 0 else -(step + 1) // 2
            column.append(whole / scale if digits else whole)
        at += size
        found.append(column)
    return found
