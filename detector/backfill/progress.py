"""How far a backfill is: lines, rate, and when it will be done, on one line that is rewritten."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from time import monotonic

from detector.backfill.engines import Beat

_EVERY = 0.5  # seconds between two lines
_WINDOW = 60  # beats over which the rate is taken


class Progress:
    """Counts beats and shows them.

    Args:
        size: bytes of archives to read; 0 where all is judged already.
        write: takes one line of text.
        clock: seconds that only run forward.
    """

    def __init__(self, size: int, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._size, self._write, self._clock = size, write, clock
        self._began = self._shown = clock()
        self._lines = self._rows = self._read = 0
        self._recent: deque[tuple[float, int, int]] = deque(maxlen=_WINDOW)

    def __call__(self, beat: Beat) -> None:
        """Take a beat; a line is written at most twice a second."""
        self._lines += beat.lines
        self._read += beat.size
        self._rows += beat.rows
        now = self._clock()
        if now - self._shown >= _EVERY:
            self._shown = now
            self._recent.append((now, self._lines, self._read))
            self._write(self.line(now))

    def line(self, now: float) -> str:
        """The line as it would be shown at `now`."""
        if self._rows or not self._size:
            return f"weighing: {self._rows:,} mentions"
        since, lines, read = self._recent[0] if len(self._recent) > 1 else (self._began, 0, 0)
        span = max(now - since, 1e-9)
        rate, speed = (self._lines - lines) / span, (self._read - read) / span
        share = min(self._read / self._size, 1.0)
        left = duration((self._size - self._read) / speed) if speed > 0 else "unknown"
        return f"{share:4.0%}  {self._lines:,} lines  {rate:,.0f}/s  {speed / 1e6:.1f} MB/s  {left} left"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(42), duration(754), duration(90_000)
    ('42 s', '12 min 34 s', '25 h 0 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def on_stderr(size: int, *, wanted: bool) -> Progress | None:
    """Progress on stderr: rewritten on a terminal, line by line elsewhere if `wanted`; else None."""
    terminal = sys.stderr.isatty()
    if not (terminal or wanted):
        return None

    def write(line: str) -> None:
        sys.stderr.write(f"\r{line:<78}" if terminal else f"{line}\n")
        sys.stderr.flush()

    return Progress(size, write)
