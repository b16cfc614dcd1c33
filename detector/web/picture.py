"""Small pictures as SVG path data: no script, no style, drawn by the server. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def steps(values: Sequence[float], *, top: float, width: float, height: float) -> str:
    """An area of bars without gaps: one path, flat at zero.

    >>> steps([0, 2, 1], top=2, width=30, height=10)
    'M0 10H10V0H20V5H30V10Z'
    >>> steps([0, 0], top=2, width=30, height=10)
    ''
    """
    if not any(values):
        return ""
    each = width / len(values)
    path, last = f"M0 {_short(height)}", height
    for place, value in enumerate(values):
        y = height - height * min(value / top, 1.0)
        if y != last:
            path += f"H{_short(place * each)}V{_short(y)}" if place else f"V{_short(y)}"
            last = y
    path += f"H{_short(width)}" + ("" if last == height else f"V{_short(height)}") + "Z"
    return path


def spans(pieces: Sequence[tuple[float, float]], *, width: float, height: float) -> str:
    """Stretches of a line of time, each given as shares (0 to 1) of it.

    >>> spans([(0.5, 1.0)], width=100, height=8)
    'M50 0H100V8H50Z'
    """
    return "".join(
        f"M{_short(a * width)} 0H{_short(max(b * width, a * width + 0.5))}V{_short(height)}H{_short(a * width)}Z"
        for a, b in pieces
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
