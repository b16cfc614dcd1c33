"""The bench's figures as Markdown and as a picture of delay against budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from detector.backfill.evaluate_detection import poisson_interval
from tests.bench.detect_ours import Found, Rate


def quantile(values: Sequence[float], share: float) -> float:
    """The lower quantile, so that half without an alert is `inf`.

    >>> quantile([1.0, 2.0, inf], 0.5), quantile([], 0.5)
    (2.0, nan)
    """
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


def minutes(value: float) -> str:
    """A delay for a table.

    >>> minutes(2.345), minutes(inf)
    ('2.3', 'none')
    """
    return "none" if value == inf else f"{value:.1f}"


def delay_rows(volume: float, found: Mapping[str, Sequence[Found]], limit: Sequence[Found], ours: str) -> list[str]:
    """A line a factor: median delay of each detector with P(<=5), P(<=10), P(<=30), and ours over the oracle's."""
    lines = []
    for ratio in sorted({one.ratio for one in limit}):
        cells = []
        for rows in [*found.values(), limit]:
            delays = [one.delay for one in rows if one.ratio == ratio]
            shares = "/".join(
                f"{sum(d <= bound for d in delays) / max(len(delays), 1):.2f}".lstrip("0") for bound in (5, 10, 30)
            )
            cells.append(f"{minutes(quantile(delays, 0.5))} [{shares}]")
        best = quantile([one.delay for one in limit if one.ratio == ratio], 0.5)
        own = quantile([one.delay for one in found[ours] if one.ratio == ratio], 0.5)
        size = sum(one.ratio == ratio for one in found[ours])
        lines.append(f"| {volume:g} x{ratio:g} (n={size}) | {' | '.join(cells)} | {own / best:.2f} |")
    return lines


def interval(rate: Rate) -> str:
    """Episodes a service-month with its 95 % interval."""
    low, high = poisson_interval(rate.count)
    bounds = f"{low / rate.months:.2f}-{high / rate.months:.2f}"
    return f"{rate.a_month:.2f} ({bounds}; {rate.count} in {rate.months:.1f} months)"


def close_line(volume: float, found: Sequence[Found]) -> str:
    """Minutes from an outage's true end to the close."""
    closes = [one.close for one in found if one.close is not None]
    return f"| {volume:g} | {minutes(quantile(closes, 0.5))} | {minutes(quantile(closes, 0.9))} | {len(closes)} |"


def plot(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], out: Path) -> list[Path]:
    """Median delay against budget: a panel a volume, a line a detector of (false alarms a month, minutes)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "bench-detect"
    figure, axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), 4.4), squeeze=False, sharex=True)
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        for label, rows in lines.items():
            ordered = [row for row in sorted(rows) if row[1] < inf]
            own = label.startswith(("ours", "oracle"))
            axis.plot(
                [row[0] for row in ordered],
                [row[1] for row in ordered],
                marker="o",
                linewidth=2.4 if own else 1.0,
                linestyle="--" if label.startswith("oracle") else "-",
                label=label,
            )
        axis.set_xscale("log")
        axis.set_xlabel("false alarms a service-month")
        axis.set_ylabel("median delay, minutes")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.set_title(title, fontsize=10)
    axes[0][0].legend(fontsize=7)
    paths = [out / "delay-against-budget.png", out / "delay-against-budget.svg"]
    figure.tight_layout()
    figure.savefig(paths[0], dpi=150)
    figure.savefig(paths[1], metadata={"Date": None})
    plt.close(figure)
    return paths
