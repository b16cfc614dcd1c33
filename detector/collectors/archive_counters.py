"""What reading an archive met: every line is in exactly one of these counts, and the assumptions are said in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

MAX_EXAMPLES = 5
_PLACE = re.compile(r"(.*?):(\d+): ")


@dataclass(slots=True, kw_only=True)
class ReadCounters:
    """Filled while an archive is read; `lines == read + filtered + skipped + bad + blank`.

    Attributes:
        lines: lines (or rows) met.
        read: posts or incidents made.
        duplicates: of those read, how many were dropped because their (source, id) came before.
        filtered: valid posts that the caller's prefilter did not want.
        blank: empty lines.
        skipped: lines that are no posts, by kind ("deletion", "maintenance", "bookkeeping").
        bad: lines that cannot be used, by kind.
        examples: the first five of each bad kind, "file:line: why".
        clamped: posts whose `created_at` was after `seen_at` and was set to it.
        shortened: posts longer than 16 kB, cut.
        retroactive: incidents first posted when already resolved: they never were an alert.
        assumed: how often each assumption was made.
    """

    files: int = 0
    lines: int = 0
    read: int = 0
    duplicates: int = 0
    filtered: int = 0
    blank: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    clamped: int = 0
    shortened: int = 0
    retroactive: int = 0
    assumed: Counter[str] = field(default_factory=Counter)

    @property
    def bad_lines(self) -> int:
        """Lines that could not be used."""
        return self.bad.total()

    @property
    def accepted(self) -> int:
        """Posts that reach the caller."""
        return self.read - self.duplicates

    @property
    def assumptions(self) -> list[str]:
        """What was assumed, in words, with counts, in alphabetical order.

        >>> counters = ReadCounters()
        >>> counters.assumed["times without a zone were read as UTC"] += 2
        >>> counters.assumptions
        ['times without a zone were read as UTC: 2']
        """
        said = [f"{what}: {count:,}" for what, count in sorted(self.assumed.items())]
        if self.clamped:
            said.append(f"writing times after the time of sight were set back to it: {self.clamped:,}")
        if self.shortened:
            said.append(f"texts longer than 16 kB were cut: {self.shortened:,}")
        return said

    def reject(self, kind: str, where: str, line: int, why: str = "") -> None:
        """Count a bad line and keep its place while there are fewer than five of its kind."""
        self.bad[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(f"{where}:{line}: {kind}{': ' + why if why and why != kind else ''}")

    def take(self) -> dict[str, Any]:
        """Everything counted so far as plain values; counting begins anew."""
        taken = {each.name: getattr(self, each.name) for each in fields(self)}
        for each in fields(ReadCounters()):
            setattr(self, each.name, getattr(ReadCounters(), each.name))
        return taken

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add what another one took; of the examples those of the first lines stay, in whatever order it is called."""
        for name, value in other.items():
            if name == "examples":
                for kind, examples in value.items():
                    known = {*self.examples.get(kind, ()), *examples}
                    self.examples[kind] = sorted(known, key=_line_of)[:MAX_EXAMPLES]
            elif isinstance(value, Mapping):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def report(self) -> list[str]:
        """Lines for a person: how many of each kind were bad or left out, and where the first ones are."""
        said = []
        for kind, count in sorted(self.bad.items()):
            said.append(f"{count:,} bad line{'s' if count > 1 else ''}: {kind}")
            said += [f"  {example}" for example in self.examples.get(kind, ())]
        said += [
            f"{count:,} line{'s' if count > 1 else ''} left out: {kind}" for kind, count in sorted(self.skipped.items())
        ]
        return said


def _line_of(example: str) -> tuple[str, int, str]:
    """File and line of an example, to sort by.

    >>> sorted(["b.csv:2: x", "a.csv:10: x", "a.csv:9: x"], key=_line_of)
    ['a.csv:9: x', 'a.csv:10: x', 'b.csv:2: x']
    """
    found = _PLACE.match(example)
    return (found[1], int(found[2]), example) if found else (example, 0, example)
