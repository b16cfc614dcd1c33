"""Two pictures of a classifier as SVG files: does a probability mean what it says, and precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from detector.classify.metrics import average_precision

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Bins of the reliability diagram: narrow where most posts are, since the detector weighs posts at .05 too."""

SIDE, LEFT, FOOT, TOP = 360.0, 46.0, 40.0, 34.0
WIDTH, HEIGHT = LEFT + SIDE + 16, TOP + SIDE + FOOT

_STYLE = """
svg{background:#fff;color:#1b1c20}text{font:12px system-ui,sans-serif;fill:currentColor}
.grid{stroke:#dedbd4;fill:none}.even{stroke:#8d8a83;stroke-dasharray:4 3;fill:none}
.line{stroke:#1d4ed8;fill:none;stroke-width:2}.dot{fill:#1d4ed8}.title{font-weight:650}
@media(prefers-color-scheme:dark){svg{background:#191b20;color:#e8e7e3}.grid{stroke:#2d3037}
.even{stroke:#737882}.line{stroke:#94b4ff}.dot{fill:#94b4ff}}
""".strip()


def wilson(true: float, posts: int, *, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson (1927).

    >>> tuple(round(end, 3) for end in wilson(0.0, 10))
    (0.0, 0.278)
    """
    middle, width = true + z * z / (2 * posts), z * np.sqrt(true * (1 - true) / posts + z * z / (4 * posts**2))
    low, high = (middle - width) / (1 + z * z / posts), (middle + width) / (1 + z * z / posts)
    return float(max(low, 0.0)), float(min(high, 1.0))


def binned(truth: Bools, score: F64, edges: Sequence[float] = EDGES) -> list[tuple[float, float, int]]:
    """For each filled bin: mean probability, share that is true, posts.

    >>> binned(np.array([True, False]), np.array([0.03, 0.04]))
    [(0.035, 0.5, 2)]
    """
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    return [
        (float(score[place == b].mean()), float(truth[place == b].mean()), int((place == b).sum()))
        for b in range(len(edges) - 1)
        if (place == b).any()
    ]


def reliability_svg(truth: Bools, score: F64, *, title: str) -> str:
    """Share that is true against the probability claimed, with 95 % intervals; both axes are square roots."""
    parts = _axes((0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1), root=True)
    parts += _titles(title, "probability claimed of now (root scale)", "share that was now")
    parts.append(f'<path class="even" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>')
    for claimed, true, posts in binned(truth, score):
        low, high = wilson(true, posts)
        x = _x(claimed**0.5)
        parts.append(f'<path class="line" d="M{x} {_y(low**0.5)}V{_y(high**0.5)}"/>')
        parts.append(f'<circle class="dot" cx="{x}" cy="{_y(true**0.5)}" r="4"/>')
        edge = claimed > 0.85
        anchor, shift = ("end", -8) if edge else ("start", 8)
        parts.append(f'<text x="{float(x) + shift:.1f}" y="{_y(true**0.5)}" text-anchor="{anchor}">{posts:,}</text>')
    return _svg(title, parts)


def precision_recall_svg(truth: Bools, score: F64, *, title: str) -> str:
    """Precision against recall over all thresholds, with the thresholds .05, .2, .5 and .8 marked."""
    parts = _axes((0, 0.2, 0.4, 0.6, 0.8, 1), root=False)
    words = f"{title}: AP {average_precision(truth, score):.3f}" if truth.any() else title
    parts += _titles(words, "recall of now", "precision")
    if truth.any():
        order = np.argsort(-score, kind="stable")
        hits = np.cumsum(truth[order])
        last = np.flatnonzero(np.concatenate((np.diff(score[order]) != 0, [True])))
        recall, precision = hits[last] / hits[-1], hits[last] / (last + 1)
        path = " ".join(f"{_x(r)},{_y(p)}" for r, p in zip(recall, precision, strict=True))
        parts.append(f'<polyline class="line" points="{path}"/>')
        for at in (0.05, 0.2, 0.5, 0.8):
            said = score >= at
            if said.any():
                r, p = (said & truth).sum() / truth.sum(), (said & truth).sum() / said.sum()
                parts.append(f'<circle class="dot" cx="{_x(r)}" cy="{_y(p)}" r="4"/>')
                parts.append(f'<text x="{float(_x(r)) + 8:.1f}" y="{float(_y(p)) - 6:.1f}">≥ {at}</text>')
    return _svg(words, parts)


def _x(share: float) -> str:
    return f"{LEFT + SIDE * share:.1f}"


def _y(share: float) -> str:
    return f"{TOP + SIDE * (1 - share):.1f}"


def _axes(ticks: Sequence[float], *, root: bool) -> list[str]:
    parts = []
    for tick in ticks:
        at = tick**0.5 if root else tick
        parts.append(f'<path class="grid" d="M{_x(at)} {_y(0)}V{_y(1)}M{_x(0)} {_y(at)}H{_x(1)}"/>')
        parts.append(f'<text x="{_x(at)}" y="{TOP + SIDE + 16:.1f}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{LEFT - 6:.1f}" y="{float(_y(at)) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    return parts


def _titles(title: str, across: str, up: str) -> list[str]:
    return [
        f'<text class="title" x="{LEFT:.1f}" y="16">{escape(title)}</text>',
        f'<text x="{LEFT + SIDE / 2:.1f}" y="{HEIGHT - 6:.1f}" text-anchor="middle">{across}</text>',
        f'<text x="{LEFT + 4:.1f}" y="{TOP - 4:.1f}">{up}</text>',
    ]


def _svg(title: str, parts: Sequence[str]) -> str:
    size = f'width="{WIDTH:.0f}" height="{HEIGHT:.0f}" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}"'
    named = f'role="img" aria-label="{escape(title)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {named}><title>{escape(title)}</title>'
    return f"{head}<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
