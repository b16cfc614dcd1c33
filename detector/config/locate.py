"""On which line of a TOML text a setting stands: the standard parser gives values, but no places."""

from __future__ import annotations

import re
import tomllib

Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[|\[)(.+?)(\]\]|\])\s*(#.*)?$")
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_LONGEST_VALUE = 2000  # lines that one value may span


def locate(text: str) -> dict[Place, int]:
    """The line (from 1) of every table and key of a TOML text that parses; `[[x]]` counts as `(x, 0)`, `(x, 1)`.

    >>> places = locate('a = 1\\n[b]\\nc = [\\n  2,\\n]\\nd.e = 3\\n[[f]]\\ng = 4\\n')
    >>> places[("a",)], places[("b", "c")], places[("b", "d", "e")], places[("f", 0, "g")]
    (1, 3, 6, 8)
    """
    places: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.lstrip().startswith("#"):
            at += 1
            continue
        header = _HEADER.match(line)
        if header:
            table = _resolve(_keys(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                places.setdefault(table, at + 1)
                table = (*table, counts[table])
            _note(places, table, at + 1)
            at += 1
            continue
        value, length = _statement(lines, at)
        for path in _paths(value):
            _note(places, table + path, at + 1)
        at += length
    return places


def line_of(places: dict[Place, int], path: Place) -> int:
    """The line of a setting, or of the nearest table around it; 1 when nothing is known.

    >>> line_of({("a",): 7}, ("a", "b", "c"))
    7
    """
    for end in range(len(path), 0, -1):
        if path[:end] in places:
            return places[path[:end]]
    return 1


def syntax_problem(error: tomllib.TOMLDecodeError) -> tuple[int | None, str]:
    """The line and the words of a TOML syntax error; the line is None where the text just ends.

    >>> try:
    ...     tomllib.loads("a = 1\\nb = \\n")
    ... except tomllib.TOMLDecodeError as error:
    ...     syntax_problem(error)
    (2, 'Invalid value')
    """
    found = _AT_LINE.search(str(error))
    if not found:
        return None, str(error)
    return (int(found[1]) if found[1] else None), str(error)[: found.start()]


def _keys(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key, quotes removed."""
    value: object = tomllib.loads(f"[{dotted.strip()}]")
    parts: list[str] = []
    while isinstance(value, dict) and value:
        part, value = next(iter(value.items()))
        parts.append(part)
    return tuple(parts)


def _resolve(keys: tuple[str, ...], counts: dict[Place, int]) -> Place:
    """Keys with the index of the current element after every array of tables on the way."""
    path: Place = ()
    for n, key in enumerate(keys):
        path = (*path, key)
        if path in counts and n < len(keys) - 1:
            path = (*path, counts[path])
    return path


def _statement(lines: list[str], at: int) -> tuple[dict[str, object], int]:
    """The `key = value` that starts at a line, and how many lines it takes."""
    for length in range(1, min(_LONGEST_VALUE, len(lines) - at) + 1):
        try:
            return tomllib.loads("\n".join(lines[at : at + length])), length
        except tomllib.TOMLDecodeError:
            continue
    return {}, 1


def _paths(value: dict[str, object]) -> list[Place]:
    """The path of each key in a statement, inline tables included."""
    found: list[Place] = []
    for key, inner in value.items():
        found.append((key,))
        if isinstance(inner, dict):
            found += [(key, *rest) for rest in _paths(inner)]
    return found


def _note(places: dict[Place, int], path: Place, line: int) -> None:
    for end in range(1, len(path) + 1):
        places.setdefault(path[:end], line)
