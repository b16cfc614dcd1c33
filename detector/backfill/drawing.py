"""Pictures as SVG: one outage, the leads against chance, posts by month. Pure; the same values give the same bytes.

Drawn at the width of a phone and shown at it, so that text is never shrunk. Colours are CSS variables of the page
that holds the picture; `alone` adds them for a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import ceil, floor, log10

from detector.backfill.timeline import STEP

WIDTH, HEIGHT = 360.0, 190.0
_LEFT, _RIGHT, _FOOT, _ROW, _LETTER = 24.0, 6.0, 18.0, 13.0, 6.3
_TICKS = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_MOST_TICKS = 6

STYLE = """
.pic text{font:10.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;fill:var(--soft)}
.pic text[class]{paint-order:stroke;stroke:var(--sheet);stroke-width:4px;stroke-linejoin:round}
.pic .people{fill:var(--people)}.pic .grid{stroke:var(--line);fill:none}.pic .base{stroke:var(--edge);fill:none}
.pic .usual{stroke:var(--soft);stroke-dasharray:4 3;fill:none;stroke-width:1.25}
.pic .chance{stroke:var(--ink);fill:none;stroke-width:1.5;stroke-dasharray:4 3}
.pic .mark{stroke-width:1.75;fill:none}.pic .onset{stroke:var(--watch);stroke-dasharray:2 3}
.pic .alert{stroke:var(--accent)}.pic .page{stroke:var(--outage)}.pic .over{stroke:var(--ok);stroke-dasharray:7 3}
.pic text.t-onset{fill:var(--watch)}.pic text.t-alert{fill:var(--accent);font-weight:650}
.pic text.t-page{fill:var(--outage)}.pic text.t-over{fill:var(--ok)}.pic .early{fill:var(--accent)}
""".strip()
LIGHT = (
    "--ground:#f7f6f3;--sheet:#fff;--sunk:#efede8;--ink:#1b1c20;--soft:#5a5e68;--line:#dedbd4;--edge:#8d8a83;"
    "--outage:#b42318;--watch:#8a5300;--ok:#2c6a3f;--accent:#1d4ed8;--people:#8593ad"
)
DARK = (
    "--ground:#111216;--sheet:#191b20;--sunk:#22252b;--ink:#e8e7e3;--soft:#a4a8b1;--line:#2d3037;--edge:#737882;"
    "--outage:#ff8f85;--watch:#f2b84f;--ok:#87c897;--accent:#94b4ff;--people:#6b7a96"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment on the time axis; `kind` is onset, alert, page or over."""

    kind: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One outage.

    Attributes:
        start: beginning of the first of `people`.
        people: who complained in each step of five minutes.
        usual: how many are expected in such a step; None where nothing says.
        marks: those outside the picture are named at its edge.
        label: the picture in words, for those who do not see it.
    """

    label: str
    start: datetime
    people: tuple[int, ...]
    usual: float | None
    marks: tuple[Mark, ...]


def outage(picture: Picture) -> str:
    """People per five minutes, what is usual, and who spoke when."""
    end = picture.start + len(picture.people) * STEP
    span = end - picture.start
    inner = WIDTH - _LEFT - _RIGHT

    def x(at: datetime) -> float:
        return _LEFT + inner * min(max((at - picture.start) / span, 0.0), 1.0)

    placed, rows = _rows([(x(mark.at), _words(mark, picture.start, end)) for mark in picture.marks])
    top, bottom = 4.0 + rows * _ROW, HEIGHT - _FOOT
    most = max(2, *picture.people) if picture.people else 2
    parts = [_scale(most, top, bottom)]
    width = inner / max(len(picture.people), 1)
    bars = "".join(
        f"M{_n(_LEFT + place * width)} {_n(bottom)}v-{_n((bottom - top) * count / most)}"
        f"h{_n(width * 0.86)}V{_n(bottom)}z"
        for place, count in enumerate(picture.people)
        if count
    )
    if bars:
        parts.append(f'<path class="people" d="{bars}"/>')
    if picture.usual is not None:
        y = _n(bottom - (bottom - top) * min(picture.usual / most, 1.0))
        parts.append(f'<path class="usual" d="M{_n(_LEFT)} {y}H{_n(WIDTH - _RIGHT)}"/>')
    parts.append(_clock(picture.start, end, x, bottom))
    words = []
    for mark, (text_x, anchor, row) in zip(picture.marks, placed, strict=True):
        at, base = x(mark.at), 11.0 + row * _ROW
        parts.append(f'<path class="mark {mark.kind}" d="M{_n(at)} {_n(base + 2)}V{_n(bottom)}"/>')
        words.append(
            f'<text class="t-{mark.kind}" x="{_n(text_x)}" y="{_n(base)}" text-anchor="{anchor}">'
            f"{escape(_words(mark, picture.start, end))}</text>"
        )
    parts += words  # over the lines that pass behind them
    return _frame(picture.label, parts)


def histogram(
    bars: Sequence[float],
    chance: Sequence[float],
    ticks: Sequence[tuple[int, str]],
    *,
    label: str,
    split: int | None = None,
) -> str:
    """Counts as bars, what chance gives as a stepped line; bars from place `split` on are the good ones.

    Args:
        ticks: places (bar borders) and their words.
    """
    inner, bottom, top = WIDTH - _LEFT - _RIGHT, HEIGHT - _FOOT, 14.0
    most = max(2, *(round(value + 0.5) for value in chance), *(round(value) for value in bars))
    width = inner / len(bars)
    parts = [_scale(most, top, bottom)]
    for place, count in enumerate(bars):
        if count:
            tall = (bottom - top) * count / most
            kind = "early" if split is not None and place >= split else "people"
            parts.append(
                f'<rect class="{kind}" x="{_n(_LEFT + place * width + 0.5)}" y="{_n(bottom - tall)}" '
                f'width="{_n(width - 1)}" height="{_n(tall)}"/>'
            )
    if any(chance):
        line = "".join(
            f"{'H' if place else 'M'}{_n(_LEFT + place * width)}{'V' if place else ' '}"
            f"{_n(bottom - (bottom - top) * value / most)}"
            for place, value in enumerate(chance)
        )
        parts.append(f'<path class="chance" d="{line}H{_n(WIDTH - _RIGHT)}"/>')
    if split is not None:
        parts.append(f'<path class="mark page" d="M{_n(_LEFT + split * width)} {_n(top)}V{_n(bottom)}"/>')
        parts.append(
            f'<text class="t-page" x="{_n(_LEFT + split * width - 4)}" y="10" text-anchor="end">the page speaks</text>'
        )
    for place, words in ticks:
        anchor = "start" if place == 0 else "end" if place == len(bars) else "middle"
        parts.append(
            f'<text x="{_n(_LEFT + place * width)}" y="{_n(HEIGHT - 5)}" text-anchor="{anchor}">{escape(words)}</text>'
        )
    return _frame(label, parts)


def tradeoff(points: Sequence[tuple[float, float, str]], *, label: str, across: str, up: str) -> str:
    """Points (x, y, words) joined in their order; x on a logarithmic scale, at most 0 at its left end.

    Args:
        across, up: what x and y are.
    """
    left, right, top, bottom = _LEFT + 10, WIDTH - _RIGHT - 46, 30.0, HEIGHT - _FOOT - 14
    above = [x for x, _, _ in points if x > 0]
    low, high = (log10(min(above)), log10(max(above))) if above else (0.0, 1.0)
    low, high = floor(low) - (0.5 if len(above) < len(points) else 0.0), max(ceil(high), floor(low) + 1)
    floor_y, most = min(0.0, *(y for _, y, _ in points)), max(1.0, *(y for _, y, _ in points))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (log10(x) - low) / (high - low) if x > 0 else 0.0
        return left + (right - left) * share, bottom - (bottom - top) * (y - floor_y) / (most - floor_y)

    parts = [f'<path class="base" d="M{_n(left)} {_n(top)}V{_n(bottom)}H{_n(right)}"/>']
    parts += [
        f'<text x="{_n(left - 4)}" y="{_n(place(1, y)[1] + 4)}" text-anchor="end">{_figure(y)}</text>'
        for y in sorted({floor_y, 0.0, most})
    ]
    for power in range(ceil(low), high + 1):
        x, _ = place(10.0**power, 0.0)
        parts.append(f'<path class="grid" d="M{_n(x)} {_n(top)}V{_n(bottom)}"/>')
        parts.append(f'<text x="{_n(x)}" y="{_n(bottom + 12)}" text-anchor="middle">{10.0**power:g}</text>')
    parts.append(f'<text x="{_n(right)}" y="{_n(HEIGHT - 4)}" text-anchor="end">{escape(across)}</text>')
    parts.append(f'<text x="{_n(left)}" y="12">{escape(up)}</text>')
    placed = [place(x, y) for x, y, _ in points]
    parts.append(f'<path class="mark alert" d="M{" L".join(f"{_n(x)} {_n(y)}" for x, y in placed)}"/>')
    taken: list[tuple[float, float]] = []
    for (x, y), (_, _, words) in zip(placed, points, strict=True):
        parts.append(f'<circle class="early" cx="{_n(x)}" cy="{_n(y)}" r="3"/>')
        tail = x + 6 + len(words) * _LETTER > WIDTH
        row = y - 5 if tail else y + 4
        while any(abs(row - other) < _ROW - 2 and abs(x - at) < len(words) * _LETTER for at, other in taken):
            row += 2
        taken.append((x, row))
        side = f'x="{_n(x)}" text-anchor="end"' if tail else f'x="{_n(x + 6)}"'
        parts.append(f'<text class="t-alert" {side} y="{_n(row)}">{escape(words)}</text>')
    return _frame(label, parts)


def alone(svg: str, title: str) -> str:
    """A drawing as a file of its own, with its colours, for light and dark.

    >>> alone('<svg class="pic">x</svg>', "a < b").startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    True
    """
    head, _, rest = str.partition(svg, ">")  # a plain text, also of one that is marked as safe
    dark = f"@media(prefers-color-scheme:dark){{svg{{{DARK}}}}}"
    style = f"<style>svg{{{LIGHT};background:var(--sheet)}}{dark}{STYLE}</style>"
    named = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" width="1080" height="570"', 1)
    return f"{named}><title>{escape(title)}</title>{style}{rest}\n"


def _frame(label: str, parts: Sequence[str]) -> str:
    size = f"0 0 {_n(WIDTH)} {_n(HEIGHT)}"
    return f'<svg class="pic" viewBox="{size}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _words(mark: Mark, start: datetime, end: datetime) -> str:
    day = f"{mark.at.day} {mark.at:%b} " if abs(mark.at - start) >= timedelta(hours=20) else ""
    words = f"{mark.words} {day}{mark.at:%H:%M}"
    return f"{words} →" if mark.at > end else f"← {words}" if mark.at < start else words


def _rows(labels: Sequence[tuple[float, str]]) -> tuple[list[tuple[float, str, int]], int]:
    """A place for each label in as few rows as keep them apart: (x, anchor, row)."""
    taken: list[list[tuple[float, float]]] = []
    placed = []
    for x, words in labels:
        wide = len(words) * _LETTER + 6
        right = x + wide > WIDTH
        first, last = (x - wide, x) if right else (x, x + wide)
        row = 0
        while row < len(taken) and any(first < b and a < last for a, b in taken[row]):
            row += 1
        if row == len(taken):
            taken.append([])
        taken[row].append((first, last))
        placed.append((x - 3 if right else x + 3, "end" if right else "start", row))
    return placed, len(taken)


def _scale(most: float, top: float, bottom: float) -> str:
    lines = f"M{_n(_LEFT)} {_n(top)}H{_n(WIDTH - _RIGHT)}"
    return (
        f'<path class="grid" d="{lines}"/><path class="base" d="M{_n(_LEFT)} {_n(bottom)}H{_n(WIDTH - _RIGHT)}"/>'
        f'<text x="{_n(_LEFT - 5)}" y="{_n(top + 4)}" text-anchor="end">{_figure(most)}</text>'
        f'<text x="{_n(_LEFT - 5)}" y="{_n(bottom)}" text-anchor="end">0</text>'
    )


def _clock(start: datetime, end: datetime, x: Callable[[datetime], float], bottom: float) -> str:
    minutes = (end - start) / timedelta(minutes=1)
    every = next((each for each in _TICKS if minutes / each <= _MOST_TICKS), _TICKS[-1])
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    past = (start - midnight) / timedelta(minutes=1)
    at = midnight + timedelta(minutes=every * -(-past // every))
    parts = []
    while at <= end:
        place = x(at)
        if _LEFT + 10 <= place <= WIDTH - _RIGHT - 10:
            parts.append(f'<text x="{_n(place)}" y="{_n(bottom + 13)}" text-anchor="middle">{at:%H:%M}</text>')
        at += timedelta(minutes=every)
    return "".join(parts)


def _figure(value: float) -> str:
    """A count as short as the margin.

    >>> _figure(7), _figure(999), _figure(26834), _figure(1_500_000)
    ('7', '999', '27k', '1.5M')
    """
    if value < 1000:
        return f"{value:g}"
    return f"{value / 1000:.0f}k" if value < 999_500 else f"{value / 1e6:.1f}M"


def _n(value: float) -> str:
    """A length with one digit at most.

    >>> _n(3.0), _n(2.26)
    ('3', '2.3')
    """
    return f"{value:.1f}".removesuffix(".0")
