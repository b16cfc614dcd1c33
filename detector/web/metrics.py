"""The figures a monitoring system collects, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detector.domain import parse_time
from detector.store.board import Figures
from detector.web.board import ORDER
from detector.web.shapes import Board, SourceLook

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Once(Collector):
    """Hands out metrics that were made beforehand."""

    def __init__(self, made: Sequence[Metric]) -> None:
        self._made = made

    def collect(self) -> Iterable[Metric]:
        return self._made


_WORKINGS = {
    "queue_bytes": "Bytes of posts that wait for the pipeline or are in it",
    "queue_waiting": "Sources that wait for their turn",
    "judgements_per_second": "Judgements made in the last minute, a second",
    "clock_jumps": "Steps of the system's clock of more than a minute",
    "loop_errors": "How often a source, a page or a receiver broke and was started again",
}


def exposition(
    board: Board,
    sources: Sequence[SourceLook],
    owed: tuple[int, int],
    streams: int,
    *,
    figures: Figures,
    workings: Mapping[str, float],
) -> bytes:
    """All metrics of a moment."""
    registry = CollectorRegistry()
    made = [*_services(board), *_sources(board, sources), *_rest(board, owed, streams), *_figures(board, figures)]
    made += [
        GaugeMetricFamily(f"detector_{name}", words, value=workings[name])
        for name, words in _WORKINGS.items()
        if name in workings
    ]
    registry.register(_Once(made))
    return generate_latest(registry)


def _figures(board: Board, figures: Figures) -> Iterator[Metric]:
    now = parse_time(board["at"])
    yield CounterMetricFamily("detector_judgements", "Judgements recorded", value=figures.judged)
    waits = 0.0 if figures.owed_since is None else max((now - figures.owed_since).total_seconds(), 0.0)
    yield GaugeMetricFamily("detector_outbox_age_seconds", "How long the oldest unsent message has waited", value=waits)
    if figures.alive_at is not None:
        age = max((now - figures.alive_at).total_seconds(), 0.0)
        yield GaugeMetricFamily(
            "detector_canary_age_seconds", "Since the daemon's own post last came through", value=age
        )
    lag = GaugeMetricFamily("detector_source_lag_seconds", "From writing to reading, latest posts", labels=["source"])
    for source, seconds in sorted(figures.lags.items()):
        lag.add_metric([source], seconds)
    score = GaugeMetricFamily("detector_score", "How surprising the open alert of a service is", labels=["service"])
    for row in board["services"]:
        score.add_metric([row["slug"]], figures.scores.get(row["slug"], 0.0))
    yield from (lag, score)


def _services(board: Board) -> Iterator[Metric]:
    state = GaugeMetricFamily("detector_service_state", "1 for the state a service is in", labels=["service", "state"])
    people = GaugeMetricFamily("detector_people", "Distinct people complaining in the last hour", labels=["service"])
    usual = GaugeMetricFamily("detector_people_expected", "How many the hour usually brings", labels=["service"])
    for row in board["services"]:
        for each in ORDER:
            state.add_metric([row["slug"], each], float(row["state"] == each))
        people.add_metric([row["slug"]], row["people"])
        if row["expected"] is not None:
            usual.add_metric([row["slug"]], row["expected"])
    yield from (state, people, usual)


def _sources(board: Board, sources: Sequence[SourceLook]) -> Iterator[Metric]:
    posts = CounterMetricFamily("detector_posts", "Posts by what became of them", labels=["source", "outcome"])
    up = GaugeMetricFamily("detector_source_up", "1 while a source is heard", labels=["source"])
    heard = GaugeMetricFamily(
        "detector_source_heard_seconds_ago", "Seconds since a source was last heard", labels=["source"]
    )
    now = parse_time(board["at"])
    for each in sources:
        for outcome, total in (("accepted", each["accepted"]), ("duplicate", each["duplicate"])):
            posts.add_metric([each["source"], outcome], total)
        posts.add_metric([each["source"], "rejected"], sum(each["rejected"].values()))
        up.add_metric([each["source"]], float(each["state"] == "ok"))
        if each["heard_at"] is not None:
            heard.add_metric([each["source"]], max((now - parse_time(each["heard_at"])).total_seconds(), 0.0))
    yield from (posts, up, heard)


def _rest(board: Board, owed: tuple[int, int], streams: int) -> Iterator[Metric]:
    if board["recorded_until"] is not None:
        lag = (parse_time(board["at"]) - parse_time(board["recorded_until"])).total_seconds()
        yield GaugeMetricFamily("detector_lag_seconds", "How far the pipeline is behind the present", value=lag)
    yield GaugeMetricFamily("detector_messages_owed", "Messages waiting to be sent", value=owed[0])
    yield GaugeMetricFamily("detector_messages_dead", "Messages given up", value=owed[1])
    yield GaugeMetricFamily("detector_page_streams", "Browsers following the board", value=streams)
