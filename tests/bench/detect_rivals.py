"""What others use, each in one small function with its source, so that all are compared at one false-alarm rate.

Every rival turns streams into a statistic a minute (`-inf` where it says nothing); the threshold is found on streams
without outages. CUSUMs are computed by Page's identity W_n = S_n - min_{k<=n} S_k, so nothing loops over posts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.simulate import DAY, Stream
from tests.bench.detect_ours import MERGE, MONTH, Found

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

    Chart = Callable[[int, int | None], Floats]
    Events = Callable[["Series", int, int | None], tuple[Floats, Floats]]

NEVER = -np.inf
ORACLE = "oracle CUSUM"
RESET = 120  # minutes before an outage at which event-wise CUSUMs start afresh, or they would stay alarmed by the last


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A stream as the rivals see it.

    Attributes:
        counts: complaints, minute by minute.
        usual: what they are taught to expect, from the past alone.
        spread: overdispersion phi of the hourly counts around it.
    """

    stream: Stream
    at: Floats
    counts: Floats
    usual: Floats
    spread: float


def series(streams: Sequence[Stream]) -> list[Series]:
    """Prepare streams of one length; only the complaints are shown."""
    ats = [stream.at[stream.complaint] for stream in streams]
    minutes = len(streams[0].usual)
    counts = np.stack([np.bincount(at.astype(int), minlength=minutes)[:minutes] for at in ats]).astype(float)
    usual = _seasonal(counts)
    spreads = [_phi(row, mean) for row, mean in zip(counts, usual, strict=True)]
    typical = max(float(np.median(spreads)), 0.02)
    return [
        Series(stream, at, row, mean, max(0.02, (spread + typical) / 2))
        for stream, at, row, mean, spread in zip(streams, ats, counts, usual, spreads, strict=True)
    ]


def _seasonal(counts: Floats) -> Floats:
    """A level of half-life 3 days times a shrunk hour-of-week shape, learned from clipped past hours.

    Noufaily et al., Statistics in Medicine 2013 (seasonal, down-weighting past outbreaks), made causal and hourly.
    """
    streams, minutes = counts.shape
    hours = counts.reshape(streams, -1, 60).sum(2)
    keep = 0.5 ** (1 / 72)
    level_count, level_hours = np.full(streams, 0.3), np.full(streams, 1.0)
    seen, exposure = np.zeros((streams, 168)), np.zeros((streams, 168))
    day_seen, day_exposure = np.zeros((streams, 24)), np.zeros((streams, 24))
    means = np.empty_like(hours)
    for hour in range(hours.shape[1]):
        slot, of_day = hour % 168, hour % 24
        level = (level_count + 0.2) / (level_hours + 0.2)
        profile = (day_seen[:, of_day] + 5) / (day_exposure[:, of_day] + 5)
        shape = (seen[:, slot] + 20) / (exposure[:, slot] + 20 / profile)
        mean = means[:, hour] = level * shape
        count = hours[:, hour]
        if hour > 24:
            count = np.minimum(count, mean + 3 * np.sqrt(mean + 0.15 * mean**2) + 2)
        level_count, level_hours = level_count * keep + count, level_hours * keep + shape
        if hour > 36:
            for table, gain in ((seen, count), (exposure, level)):
                table[:, slot] = table[:, slot] * 0.85 + gain
            for table, gain in ((day_seen, count), (day_exposure, level)):
                table[:, of_day] = table[:, of_day] * 0.85 ** (1 / 7) + gain
    middle = np.arange(hours.shape[1]) * 60 + 30
    rows = [np.maximum(np.interp(np.arange(minutes), middle, row) / 60, 1e-6) for row in means]
    found: Floats = np.stack(rows)
    return found


def _phi(counts: Floats, usual: Floats) -> float:
    hours, means = counts.reshape(-1, 60).sum(1), usual.reshape(-1, 60).sum(1)
    first, last = 14 * 24, 28 * 24
    x, m = hours[first:last], means[first:last]
    excess = (x - m) ** 2 - m
    kept = excess <= np.quantile(excess, 0.995)
    return max(0.0, float(excess[kept].sum() / (m[kept] ** 2).sum()))


def bins(counts: Floats, width: int) -> Floats:
    """Sums of `width` minutes."""
    found: Floats = counts[: len(counts) // width * width].reshape(-1, width).sum(1)
    return found


def spread_out(statistic: Floats, width: int, minutes: int) -> Floats:
    """A bin's statistic is known when the bin is over."""
    found = np.full(minutes, NEVER)
    at = (np.arange(len(statistic)) + 1) * width
    found[at[at < minutes]] = statistic[at < minutes]
    return found


def _trailing(values: Floats, width: int) -> Floats:
    """Sum of up to `width` values before each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    found: Floats = sums[at] - sums[np.maximum(at - width, 0)]
    return found


def z_score(one: Series) -> Floats:
    """5-minute counts against the mean and deviation of the last 24 hours: what most projects do."""
    x = bins(one.counts, 5)
    size = np.minimum(np.arange(len(x)), 288).clip(1)
    mean = _trailing(x, 288) / size
    variance = np.maximum(_trailing(x * x, 288) / size - mean**2, 0)
    return spread_out((x - mean) / np.sqrt(variance + 0.05), 5, len(one.counts))


def ewma(one: Series) -> Floats:
    """EWMA control chart of 5-minute counts, lambda .3 (Roberts, Technometrics 1959)."""
    from scipy.signal import lfilter

    x = bins(one.counts, 5)
    slow, fast = 0.005, 0.3
    mean = lfilter([slow], [1, slow - 1], x, zi=[(1 - slow) * x[:288].mean()])[0]
    mean = np.concatenate([mean[:1], mean[:-1]])
    variance = lfilter([slow], [1, slow - 1], (x - mean) ** 2, zi=[(1 - slow) * max(x[:288].var(), 0.1)])[0]
    variance = np.concatenate([variance[:1], variance[:-1]])
    chart = lfilter([fast], [1, fast - 1], x - mean)
    return spread_out(chart / np.sqrt(variance * fast / (2 - fast) + 0.02), 5, len(one.counts))


def _sliding(one: Series) -> tuple[Floats, Floats]:
    """15-minute counts every 5 minutes, and the 5-minute counts smoothed over an hour, times 3."""
    x = bins(one.counts, 5)
    return np.convolve(x, np.ones(3))[: len(x)], np.convolve(x, np.ones(12), mode="same") / 4


def _ago(values: Floats, days: Sequence[int]) -> Floats:
    """The values so many days before, one row a day; nan where there was nothing."""
    rows = [np.concatenate([np.full(min(288 * d, len(values)), np.nan), values[: -288 * d]]) for d in days]
    return np.stack(rows)


def ears_c2(one: Series) -> Floats:
    """EARS C2 (Hutwagner et al., J. Urban Health 2003): 7 days with a guard of 2, here the same time of day."""
    x, _ = _sliding(one)
    before = _ago(x, range(3, 10))
    mean, deviation = before.mean(0), before.std(0, ddof=1)
    statistic = np.nan_to_num((x - mean) / np.sqrt(deviation**2 + 0.25), nan=NEVER)
    return spread_out(statistic, 5, len(one.counts))


def times_baseline(one: Series) -> Floats:
    """15-minute count over the mean of that time of day (Downdetector's methodology page; here four weeks of past)."""
    x, smooth = _sliding(one)
    with np.errstate(all="ignore"):
        mean = np.nanmean(_ago(smooth, range(1, 29))[:, 288:], 0)
    mean = np.concatenate([np.full(288, np.nan), mean])
    statistic = np.where(x >= 3, np.log((x + 1e-9) / (mean + 0.5)), NEVER)
    return spread_out(np.nan_to_num(statistic, nan=NEVER), 5, len(one.counts))


def bocpd(all_of: Sequence[Series]) -> list[Floats]:
    """Bayesian online change points (Adams and MacKay, arXiv 0710.3742), gamma-Poisson, 5-minute bins.

    The statistic is the log odds that the run began within 30 minutes and runs higher than before.
    """
    from scipy.special import gammaln

    x = np.stack([bins(one.counts, 5) for one in all_of])
    streams, steps = x.shape
    longest, hazard = 60, 1 / 2000
    slow = np.maximum(x[:, :288].mean(1), 0.01)
    logp = np.full((streams, longest), -1e9)
    logp[:, 0] = 0.0
    a = np.full((streams, longest), 0.5)
    b = np.repeat((0.5 / slow)[:, None], longest, axis=1)
    found = np.empty((streams, steps))
    for i in range(steps):
        count = x[:, i : i + 1]
        grown = logp + gammaln(a + count) - gammaln(a) + a * np.log(b / (b + 1)) - count * np.log(b + 1)
        top = grown.max(1, keepdims=True)
        grown -= top + np.log(np.exp(grown - top).sum(1, keepdims=True))
        last = np.logaddexp(grown[:, -1], grown[:, -2])
        logp[:, 1:] = grown[:, :-1] + log(1 - hazard)
        logp[:, -1] = last + log(1 - hazard)
        logp[:, 0] = log(hazard)
        a[:, 1:], b[:, 1:] = a[:, :-1] + count, b[:, :-1] + 1
        a[:, 0], b[:, 0] = 0.5, 0.5 / np.maximum(slow, 1e-3)
        recent = np.where(a[:, 1:7] / b[:, 1:7] > 1.5 * slow[:, None], np.exp(logp[:, 1:7]), 0.0).sum(1)
        recent = np.clip(recent, 1e-300, 1 - 1e-12)
        found[:, i] = np.log(recent) - np.log1p(-recent)
        slow += 0.002 * (np.minimum(x[:, i], 4 * slow + 3) - slow)
    return [spread_out(row, 5, len(one.counts)) for row, one in zip(found, all_of, strict=True)]


def _cusum(steps: Floats) -> Floats:
    sums = np.cumsum(steps, axis=-1)
    lowest = np.minimum(np.minimum.accumulate(sums, axis=-1), 0.0)
    found: Floats = sums - np.concatenate([np.zeros_like(lowest[..., :1]), lowest[..., :-1]], axis=-1)
    return np.maximum(found, 0.0)


def nb_glr_cusum(one: Series, first: int = 0, last: int | None = None) -> Floats:
    """Negative-binomial GLR-CUSUM of 1-minute counts (Hoehle and Paul, CSDA 2008) over a grid of ratios."""
    count, mean = one.counts[first:last], one.usual[first:last]
    alpha, best = one.spread, np.full(len(count), NEVER)
    for ratio in (1.5, 2.5, 4.0, 8.0, 16.0, 40.0):
        gain = np.log((1 + alpha * ratio * mean) / (1 + alpha * mean))
        best = np.maximum(best, _cusum(count * log(ratio) - (count + 1 / alpha) * gain))
    return np.concatenate([[NEVER], best[:-1]])


def _events(at: Floats, rate: Floats, ratios: Sequence[float], first: int, last: int | None) -> tuple[Floats, Floats]:
    """The posts' times and, at each, the max over ratios of Page's CUSUM of a Poisson process."""
    last = len(rate) if last is None else last
    at = at[(at >= first) & (at < last)]
    if not len(at):
        return at, at
    sums = np.concatenate([[0.0], np.cumsum(rate[first:last])])
    place = at.astype(int) - first
    passed = sums[place] + (at - np.floor(at)) * rate[place + first]
    between = np.diff(passed, prepend=0.0)
    best = np.full(len(at), NEVER)
    for ratio in ratios:
        # W before the post: max(0, W - (ratio-1) passed); after it: + ln ratio. Same identity, minimum before the post.
        before = np.cumsum(np.concatenate([[0.0], np.full(len(at) - 1, log(ratio))]) - (ratio - 1) * between)
        best = np.maximum(best, before + log(ratio) - np.minimum.accumulate(before))
    return at, best


def _by_minute(at: Floats, best: Floats, first: int, last: int) -> Floats:
    """The highest statistic of each minute's posts."""
    found = np.full(last - first, NEVER)
    if len(at):
        place = at.astype(int) - first
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        found[place[starts]] = np.maximum.reduceat(best, starts)
    return found


def poisson_focus(one: Series, first: int = 0, last: int | None = None) -> tuple[Floats, Floats]:
    """Poisson-FOCuS (Ward et al., JASA 2023): the exact GLR over all starts and ratios of at least 2, at each post.

    FOCuS maximises Page's CUSUM over the ratio; a grid of 24 ratios loses under 1 % of the statistic.
    """
    return _events(one.at, one.usual, np.geomspace(2, 400, 24).tolist(), first, last)


def oracle(one: Series, first: int = 0, last: int | None = None, *, ratio: float = 10.0) -> tuple[Floats, Floats]:
    """The CUSUM that knows the hidden level and the ratio: optimal for a step (Moustakides, Annals of Stat. 1986)."""
    return _events(one.at, one.stream.rate, (ratio,), first, last)


def minutes_of(events: Events, one: Series) -> Floats:
    """A chart of posts as one of minutes, over a whole stream."""
    return _by_minute(*events(one, 0, None), 0, len(one.counts))


def threshold(statistics: Sequence[Floats], episodes: float) -> float:
    """The lowest threshold with at most so many episodes over all streams."""
    values = np.concatenate([np.sort(row)[-3000:] for row in statistics])
    values = np.unique(values[np.isfinite(values)])
    low, high = 0, len(values) - 1

    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if sum(raised(row, values[middle]) for row in statistics) <= episodes else (middle + 1, high)
        )
    return float(values[low]) + 1e-9


def raised(row: Floats, level: float) -> int:
    """Episodes at or over a level."""
    at = np.flatnonzero(row >= level)
    return 1 + int((np.diff(at) > MERGE).sum()) if len(at) else 0


def found_by(statistic: Chart, stream: Stream, level: float) -> list[Found]:
    """Delays of one stream's outages; one at whose onset the alarm was on already is left out."""
    rows: list[Found] = []
    for outage in stream.outages:
        first, last = int(outage.onset) - RESET, int(outage.end) + 1
        segment = statistic(first, last)
        before = segment[:RESET]
        before = before[np.isfinite(before)]
        if len(before) and before[-1] >= level:
            continue
        hit = np.flatnonzero(segment[RESET + 1 :] >= level)
        delay = float("inf") if not len(hit) else first + RESET + 1 + int(hit[0]) - outage.onset
        rows.append(
            Found(outage.ratio, outage.ramp, delay if delay <= outage.end - outage.onset else float("inf"), None)
        )
    return rows


def found_at_posts(events: Events, one: Series, level: float) -> list[Found]:
    """The same of a chart that speaks at posts: to the second, as ours, and also within the onset's own minute."""
    rows: list[Found] = []
    for outage in one.stream.outages:
        at, best = events(one, int(outage.onset) - RESET, int(outage.end) + 1)
        before = best[at < outage.onset]
        if len(before) and before[-1] >= level:
            continue
        over = at[(at >= outage.onset) & (at <= outage.end) & (best >= level)]
        rows.append(
            Found(outage.ratio, outage.ramp, float(over[0]) - outage.onset if len(over) else float("inf"), None)
        )
    return rows


BINNED: dict[str, Callable[[Series], Floats]] = {
    "z-score, 24 h of 5 min": z_score,
    "times baseline, 15 min": times_baseline,
    "EARS C2": ears_c2,
    "EWMA, 5 min": ewma,
}
CUSUMS: dict[str, Callable[[Series, int, int | None], Floats]] = {
    "NB GLR-CUSUM, 1 min": nb_glr_cusum,
}
AT_POSTS: dict[str, Events] = {"Poisson-FOCuS": poisson_focus}


def stored(values: Floats, first: int = 0, last: int | None = None) -> Floats:
    """A chart that was computed before."""
    return values[first:last]


def rivals(
    calm: Sequence[Series], true: Sequence[Series], *, from_day: float, ratios: Sequence[float], rates: Sequence[float]
) -> dict[float, dict[str, tuple[float, list[Found]]]]:
    """For each rate of false episodes a service-month, every rival's threshold and delays, by its name."""
    first = int(from_day * DAY)
    months = sum((len(one.counts) - first) / MONTH for one in calm)
    charts: dict[str, tuple[list[Chart], list[Chart]]] = {
        name: ([partial(stored, rival(one)) for one in calm], [partial(stored, rival(one)) for one in true])
        for name, rival in BINNED.items()
    }
    charts["BOCPD, 5 min"] = ([partial(stored, v) for v in bocpd(calm)], [partial(stored, v) for v in bocpd(true)])
    for name, cusum in CUSUMS.items():
        charts[name] = ([partial(cusum, one) for one in calm], [partial(cusum, one) for one in true])
    found: dict[float, dict[str, tuple[float, list[Found]]]] = {rate: {} for rate in rates}
    for name, (quiet, loud) in charts.items():
        whole = [chart(0, None)[first:] for chart in quiet]
        for rate in rates:
            level = threshold(whole, months * rate)
            hits = (found_by(chart, one.stream, level) for chart, one in zip(loud, true, strict=True))
            found[rate][name] = (level, [row for rows in hits for row in rows])
    for name, events in AT_POSTS.items():
        whole = [minutes_of(events, one)[first:] for one in calm]
        for rate in rates:
            level = threshold(whole, months * rate)
            found[rate][name] = (level, [row for one in true for row in found_at_posts(events, one, level)])
    limits: dict[float, list[Found]] = {rate: [] for rate in rates}
    for ratio in ratios:
        knowing = partial(oracle, ratio=ratio)
        whole = [minutes_of(knowing, one)[first:] for one in calm]
        for rate in rates:
            level = threshold(whole, months * rate)
            for one in true:
                limits[rate] += [row for row in found_at_posts(knowing, one, level) if row.ratio == ratio]
    for rate in rates:
        found[rate][ORACLE] = (float("nan"), limits[rate])
    return found
