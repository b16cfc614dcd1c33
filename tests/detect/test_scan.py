"""The scan finds outages early, keeps quiet otherwise, never latches, and does not depend on how it is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detect.scan import ScanDetector, build
from detector.domain import Budget, Coverage, CoverageState, Judgement, Level, Service
from detector.protocols import Detector, Signal
from tests.builders import CHATTER, PAST, REPORT, SLACK, START, at, daily, make_judgement, stream

DAY = 1440.0
YEARLY = Budget.parse("1/year")


def fresh(service: Service = SLACK) -> ScanDetector:
    return build(service, YEARLY, 0.2)


def play(judgements: Iterable[Judgement], detector: ScanDetector | None = None) -> tuple[ScanDetector, list[Signal]]:
    detector = detector or fresh()
    return detector, [signal for judgement in judgements for signal in detector.observe(judgement)]


def alerts(signals: Iterable[Signal]) -> list[tuple[float, float | None]]:
    """(opened, closed) minutes of every alert."""
    found: list[tuple[float, float | None]] = []
    opened = None
    for signal in signals:
        minute = (signal.at - START).total_seconds() / 60.0
        if signal.level is Level.ALERT and opened is None:
            opened = minute
        elif signal.level is None and opened is not None:
            found.append((opened, minute))
            opened = None
    return [*found, (opened, None)] if opened is not None else found


def found_within(signals: Iterable[Signal], start: float, minutes: float) -> bool:
    return any(start <= opened <= start + minutes for opened, _ in alerts(signals))


def test_the_scan_satisfies_the_protocol() -> None:
    """What the entry point makes is a Detector."""
    assert isinstance(fresh(), Detector)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5, 2.0])
def test_a_quiet_stream_with_a_rhythm_raises_nothing_in_two_months(rate: float) -> None:
    """Chance is not an outage, at any volume."""
    _, signals = play(stream(daily(rate), 60 * DAY if rate < 1 else 30 * DAY, seed=7))

    assert alerts(signals) == []


@pytest.mark.parametrize(
    ("usual", "times", "within"), [(0.05, 30, 20.0), (0.05, 100, 8.0), (0.5, 10, 15.0), (5.0, 5, 8.0)]
)
def test_an_outage_is_found_within_minutes(usual: float, times: float, within: float) -> None:
    """The delay is near what theory allows."""
    begin = 14 * DAY + 600

    def rate(minute: float) -> float:
        return usual * (times if begin <= minute < begin + 60 else 1.0)

    _, signals = play(stream(rate, 15 * DAY, seed=3))

    assert found_within(signals, begin, within)


def test_three_people_suffice_on_a_silent_stream() -> None:
    """Hacker News has three posts for most outages."""
    _, signals = play([make_judgement(0.0, p=CHATTER), *(make_judgement(10 * DAY + i, number=i) for i in range(3))])

    assert [signal.level for signal in signals] == [Level.WATCH, Level.ALERT]


def test_of_a_service_that_many_speak_of_three_people_are_only_a_watch() -> None:
    """Five are needed there: a handful of accounts that act together is commoner than an outage."""
    talk = list(stream(lambda _: 1.0, 5 * DAY, p=CHATTER, seed=3))
    burst = [make_judgement(5 * DAY + i / 2, number=i) for i in range(6)]
    detector, _ = play(talk)

    levels = [[signal.level for signal in detector.observe(judgement)] for judgement in burst]

    assert [Level.ALERT in some for some in levels].index(True) == 4
    assert any(Level.WATCH in some for some in levels[:4])


def test_four_who_do_not_post_again_are_enough_after_a_moment_and_four_loud_ones_never() -> None:
    """Accounts that act together repeat themselves; people of whom one is lacking do not."""
    talk = list(stream(lambda _: 1.0, 5 * DAY, p=CHATTER, seed=3))
    four = [make_judgement(5 * DAY + i / 5, number=i) for i in range(4)]
    again = [
        make_judgement(5 * DAY + 0.7 + i / 5, number=10 + i, author=f"author-{i}-{5 * DAY + i / 5:g}") for i in range(4)
    ]
    calm, signals = play([*talk, *four])
    assert {signal.level for signal in signals[-2:]} == {Level.WATCH}

    loud, _ = play([*talk, *four, *again])

    assert [signal.level for signal in calm.advance(at(5 * DAY + 2))] == [Level.ALERT]
    assert list(loud.advance(at(5 * DAY + 2))) == []
    assert {signal.level for signal in loud.observe(make_judgement(5 * DAY + 2.5, number=20))} <= {Level.WATCH}


def test_two_people_are_a_watch_and_a_news_report_lifts_it() -> None:
    """Reports corroborate, they are not people."""
    posts = [make_judgement(0.0, p=CHATTER), *(make_judgement(10 * DAY + i, number=i) for i in range(2))]
    _, quiet = play(posts)
    _, lifted = play([*posts, make_judgement(10 * DAY + 5, p=REPORT, number=9)])

    assert [signal.level for signal in quiet] == [Level.WATCH]
    assert lifted[-1].level is Level.ALERT
    assert lifted[-1].corroborated


def test_news_alone_raises_nothing() -> None:
    """Fifty headlines without one complaint are not an outage we may claim."""
    _, signals = play(
        [make_judgement(0.0, p=CHATTER), *(make_judgement(10 * DAY + i / 5, p=REPORT, number=i) for i in range(50))]
    )

    assert signals == []


def test_f35_one_loud_author_is_one_person() -> None:
    """A thousand posts by one author count once."""
    loud = [make_judgement(10 * DAY + i / 20, number=i, author="loud") for i in range(1000)]
    _, signals = play([make_judgement(0.0, p=CHATTER), *loud])

    assert signals == []


def test_f36_a_copied_text_is_one_vote_however_many_accounts_post_it() -> None:
    """Sockpuppets with one long text do not make an outage."""
    text = "Slack has been failing for our whole company since this morning and nobody there answers us"
    copies = [make_judgement(10 * DAY + i / 10, number=i, text=text) for i in range(200)]
    _, signals = play([make_judgement(0.0, p=CHATTER), *copies])

    assert signals == []


def test_a_viral_surge_of_chatter_with_the_usual_share_of_complaints_is_no_outage() -> None:
    """Mentions are the denominator."""
    begin = 21 * DAY

    def chat(minute: float) -> float:
        return 0.5 * (20.0 if begin <= minute < begin + 180 else 1.0)

    def complain(minute: float) -> float:
        return 0.02 * (5.0 if begin <= minute < begin + 180 else 1.0)

    both = [*stream(chat, 22 * DAY, p=CHATTER, seed=5), *stream(complain, 22 * DAY, seed=6)]
    both.sort(key=lambda judgement: judgement.mention.post.order)
    _, signals = play(both)

    assert not found_within(signals, begin, 300)


def shift_up(times: float) -> Callable[[float], float]:
    return lambda m: 0.05 * (times if m > 10 * DAY else 1.0) * (30.0 if 12 * DAY < m < 12 * DAY + 60 else 1.0)


@pytest.mark.parametrize("times", [3.0, 10.0, 100.0])
def test_a_level_shift_up_closes_and_the_next_outage_is_found(times: float) -> None:
    """A latched alert is the worst failure of this design."""
    _, signals = play(stream(shift_up(times), 13 * DAY, seed=2))

    assert all(closed is not None and closed - opened <= 12 * 60 + 1 for opened, closed in alerts(signals)[:-1])
    assert found_within(signals, 12 * DAY, 20)


def test_a_level_shift_of_a_thousand_closes_too() -> None:
    """From one post in three hours to six a minute."""
    _, signals = play(stream(lambda m: 0.005 * (1000.0 if m > 10 * DAY else 1.0), 12 * DAY, seed=2))

    assert [closed is not None for _, closed in alerts(signals)] == [True]


@pytest.mark.parametrize("times", [3.0, 10.0, 100.0, 1000.0])
def test_after_a_level_shift_down_the_next_outage_is_found(times: float) -> None:
    """A collector that hears a thousandth is followed within a day and a half."""

    def rate(minute: float) -> float:
        outage = 5.0 if 11.5 * DAY < minute < 11.5 * DAY + 60 else 0.0
        return 1.0 / (times if minute > 10 * DAY else 1.0) + outage

    _, signals = play(stream(rate, 12 * DAY, seed=4))

    assert found_within(signals, 11.5 * DAY, 40)


def test_a_cold_start_in_a_flood_does_not_latch() -> None:
    """The first five hours are an outage; a later one is found."""

    def rate(minute: float) -> float:
        return (50.0 if minute < 300 else 0.05) + (3.0 if 5 * DAY < minute < 5 * DAY + 60 else 0.0)

    _, signals = play(stream(rate, 6 * DAY, seed=8))

    assert len(alerts(signals)) == 1
    assert found_within(signals, 5 * DAY, 10)


def test_a_month_long_outage_closes_and_the_next_one_is_found() -> None:
    """What lasts becomes the level; a day after its end the old sharpness is back."""

    def rate(minute: float) -> float:
        return 0.05 + (1.0 if 10 * DAY < minute < 40 * DAY or 41 * DAY < minute < 41 * DAY + 60 else 0.0)

    _, signals = play(stream(rate, 42 * DAY, seed=9))

    opened, closed = alerts(signals)[0]
    assert closed is not None
    assert closed - opened <= 12 * 60 + 1
    assert found_within(signals, 41 * DAY, 20)


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_a_collector_doubled_or_halved_leaves_no_open_alert(times: float) -> None:
    """Coverage changes are survived."""
    _, signals = play(stream(lambda m: 0.5 * (times if m > 10 * DAY else 1.0), 14 * DAY, seed=11))

    assert all(closed is not None for _, closed in alerts(signals))


def test_an_alert_closes_after_the_outage_and_not_before() -> None:
    """The end is called within minutes on a busy stream."""
    begin = 10 * DAY
    _, signals = play(stream(lambda m: 0.5 * (30.0 if begin < m < begin + 60 else 1.0), 11 * DAY, seed=12))

    (_, closed), *rest = alerts(signals)
    assert not rest
    assert closed is not None
    assert begin + 55 <= closed <= begin + 80


def test_silence_does_not_close_an_alert_while_nothing_can_be_heard() -> None:
    """A dead collector is unknown, never calm."""
    detector, signals = play(
        [make_judgement(0.0, p=CHATTER), *(make_judgement(10 * DAY + i, number=i) for i in range(4))]
    )
    assert signals[-1].level is Level.ALERT
    detector.hear(Coverage(source="*", from_at=at(10 * DAY + 4), to_at=at(11 * DAY), state=CoverageState.FAILING))

    assert not any(signal.level is None for signal in detector.advance(at(10 * DAY + 600)))
    assert any(signal.level is None for signal in detector.advance(at(11 * DAY + 60)))


def test_f14_a_post_that_arrives_hours_late_is_not_counted() -> None:
    """Old posts that resurface are no news."""
    late = [make_judgement(10 * DAY + i, seen=10 * DAY + 300 + i, number=i) for i in range(20)]
    detector, signals = play([make_judgement(0.0, p=CHATTER), *late])

    assert signals == []
    assert detector.late == 20


def test_f14_posts_that_arrive_minutes_late_still_argue() -> None:
    """Every source has a delay; windows are in event time."""
    late = [make_judgement(10 * DAY + i, seen=10 * DAY + i + 3 + (i % 3), number=i) for i in range(8)]
    late.sort(key=lambda judgement: judgement.mention.post.order)
    _, signals = play([make_judgement(0.0, p=CHATTER), *late])

    assert any(signal.level is Level.ALERT for signal in signals)


def test_f37_new_accounts_alone_raise_only_a_watch_and_unknown_age_is_not_new() -> None:
    """Two hundred accounts of yesterday are not an outage."""
    young = [make_judgement(10 * DAY + i, number=i, account_created_at=at(9 * DAY)) for i in range(30)]
    old = [make_judgement(10 * DAY + i, number=i, account_created_at=at(-400 * DAY)) for i in range(4)]
    start = make_judgement(0.0, p=CHATTER)

    assert {signal.level for signal in play([start, *young])[1]} == {Level.WATCH}
    assert Level.ALERT in {signal.level for signal in play([start, *old])[1]}


def test_posts_without_an_author_need_one_more() -> None:
    """A source that names nobody could be one person."""
    nameless = [make_judgement(10 * DAY + i, number=i, author=None) for i in range(4)]
    start = make_judgement(0.0, p=CHATTER)

    assert {signal.level for signal in play([start, *nameless[:3]])[1]} == {Level.WATCH}
    assert Level.ALERT in {signal.level for signal in play([start, *nameless])[1]}


def test_people_who_say_it_is_back_close_an_alert_sooner() -> None:
    """Recovery is called where people call it."""
    begin = 10 * DAY
    posts = [make_judgement(0.0, p=CHATTER), *(make_judgement(begin + i / 2, number=i) for i in range(60))]
    back = [make_judgement(begin + 31 + i / 4, number=100 + i, p=PAST, text="slack is back") for i in range(10)]

    silent, first = play(posts)
    told, second = play([*posts, *back])
    ends = [
        next(opened_closed[1] for opened_closed in alerts([*signals, *detector.advance(at(begin + 300))]))
        for detector, signals in ((silent, first), (told, second))
    ]

    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[1] < ends[0]


def test_the_providers_own_posts_never_count() -> None:
    """A company account is no complaint."""
    own = [make_judgement(10 * DAY + i, number=i, official=True) for i in range(20)]
    _, signals = play([make_judgement(0.0, p=CHATTER), *own])

    assert signals == []


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(min_value=1, max_value=400), tick=st.floats(min_value=0.3, max_value=400.0))
def test_restarting_and_ticking_anywhere_changes_nothing(cut: int, tick: float) -> None:
    """State survives a dump through JSON at any post; extra ticks change nothing."""
    begin = 5 * DAY

    def rate(minute: float) -> float:
        return 0.02 + (1.0 if begin < minute < begin + 60 else 0.0)

    posts = list(stream(rate, 6 * DAY, seed=21))
    end = at(6 * DAY)
    whole, expected = play(posts)
    expected += whole.advance(end)

    detector = fresh()
    signals: list[Signal] = []
    for number, judgement in enumerate(posts):
        if number == cut:
            state = json.loads(json.dumps(detector.dump()))
            detector = fresh()
            detector.load(state)
        signals += detector.observe(judgement)
        if number + 1 < len(posts):
            upto = min(at(0) + (judgement.mention.post.seen_at - at(0)), posts[number + 1].mention.post.seen_at)
            signals += detector.advance(upto)
    last = posts[-1].mention.post.seen_at
    steps = int((end - last).total_seconds() / 60.0 / tick)
    for step in range(1, steps + 1):
        signals += detector.advance(last + (end - last) * step / (steps + 1))
    signals += detector.advance(end)

    assert signals == expected
    assert detector.dump() == whole.dump()


def test_a_state_of_another_format_is_refused() -> None:
    """Better to start afresh than to continue wrongly."""
    with pytest.raises(ValueError, match="format 99"):
        fresh().load({**fresh().dump(), "format": 99})


def test_a_state_is_small_and_holds_nothing_that_can_matter_no_more() -> None:
    """Votes and texts of this morning are forgotten; an hour is remembered."""
    detector, _ = play(stream(daily(0.05), 60 * DAY, seed=8))
    text = "nobody in our office has been able to send a single message since nine this morning"
    detector.observe(make_judgement(60 * DAY, number=1, text=text))
    detector.observe(make_judgement(60 * DAY + 300, number=2))

    again = fresh()
    again.load(detector.dump())

    assert again.copies.seen == []
    assert len(again.votes.seen) < 20
