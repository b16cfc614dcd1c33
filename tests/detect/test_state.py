"""A detector's state is small, reads back exactly, and states of earlier versions are taken over."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detect.packing import packed, unpacked
from detector.detect.scan import ScanDetector, build
from detector.domain import Budget, Judgement, Level
from detector.protocols import Signal
from tests.builders import CHATTER, SLACK, at, daily, make_judgement, stream

DAY = 1440.0
FORMAT_7 = Path(__file__).with_name("format7.json")  # of the version before, with an open watch at day 20, 11:40
WATCH = 20 * DAY + 700


def fresh() -> ScanDetector:
    return build(SLACK, Budget.parse("1/year"), 0.2)


def restarted(detector: ScanDetector) -> ScanDetector:
    again = fresh()
    again.load(json.loads(json.dumps(detector.dump())))
    return again


def size(detector: ScanDetector) -> int:
    return len(zlib.compress(json.dumps(detector.dump(), separators=(",", ":")).encode()))


@given(
    st.lists(st.integers(min_value=-(10**12), max_value=10**12)),
    st.lists(st.integers(min_value=-(10**9), max_value=10**9)),
)
def test_numbers_survive_packing(whole: list[int], thousandths: list[int]) -> None:
    """What has so many decimals comes back to the bit."""
    fixed = [number / 1000.0 for number in thousandths]

    assert unpacked(packed([(whole, 0), (fixed, 3)]), [0, 3]) == [whole, fixed]


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", packed([([1.0], 1)])])
def test_a_damaged_packed_state_is_refused(text: str) -> None:
    """The caller starts afresh and says so."""
    with pytest.raises(ValueError, match=r"packed state cannot be read|base64|padding"):
        unpacked(text, [1, 1])


def test_a_state_of_the_version_before_goes_on_where_it_stopped() -> None:
    """An open watch of format 7 becomes the alert that it would have become, at nearly the same score."""
    detector = fresh()
    detector.load(json.loads(FORMAT_7.read_text(encoding="utf-8")))

    (signal,) = detector.observe(make_judgement(WATCH + 4, number=2))

    assert signal.level is Level.ALERT
    assert signal.estimate is not None
    assert signal.estimate.score == pytest.approx(8.644, abs=0.05)
    assert signal.estimate.voters == 3
    assert restarted(detector).dump() == detector.dump()


def test_who_voted_and_what_was_copied_in_the_version_before_is_remembered() -> None:
    """The second of the two may not vote again, nor the first one's text."""
    text = "nobody in our office has been able to send a single message since nine this morning"
    detector = fresh()
    detector.load(json.loads(FORMAT_7.read_text(encoding="utf-8")))

    again = detector.observe(make_judgement(WATCH + 3, number=9, author=f"author-1-{WATCH + 2:g}"))
    copied = detector.observe(make_judgement(WATCH + 4, number=8, text=text))

    assert [*again, *copied] == []
    assert detector.observe(make_judgement(WATCH + 5, number=7))[0].level is Level.ALERT


def test_a_state_of_format_6_loads_without_places() -> None:
    """They are learned anew."""
    saved: dict[str, Any] = json.loads(FORMAT_7.read_text(encoding="utf-8"))
    usual = {name: value for name, value in saved["usual"].items() if name != "places"}
    detector = fresh()
    detector.load({**saved, "format": 6, "usual": usual})

    assert detector.usual.places.total == 0.0
    assert detector.usual.people.learned == saved["usual"]["people"]["learned"]


def mixed() -> list[Judgement]:
    """Six days with people who post again, copies, posts that come late, and an outage on the fifth."""
    begin = 5 * DAY
    posts = [
        *stream(lambda m: 0.02 + (1.0 if begin < m < begin + 40 else 0.0), 5.2 * DAY, seed=21),
        *stream(lambda _: 0.3, 5.2 * DAY, p=CHATTER, seed=22),
    ]
    text = "nobody in our office has been able to send a single message since nine this morning"
    for number in range(12):
        minute = begin + 1 + number * 1.7
        posts.append(make_judgement(minute, number=900 + number, seen=minute + number % 4 * 2.3))
        posts.append(make_judgement(minute + 0.5, number=950 + number, author=f"again-{number % 5}"))
        posts.append(make_judgement(minute + 0.7, number=970 + number, text=text))
    return sorted(posts, key=lambda judgement: judgement.mention.post.order)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_restarting_amid_an_outage_changes_nothing(data: st.DataObject) -> None:
    """With an open watch, held votes, late posts and repeated ones: the same signals and the same state."""
    posts = mixed()
    first = next(number for number, one in enumerate(posts) if one.mention.post.seen_at >= at(5 * DAY))
    cuts = data.draw(st.sets(st.integers(min_value=first, max_value=min(first + 110, len(posts) - 1)), min_size=1))
    whole, part = fresh(), fresh()
    expected: list[Signal] = []
    signals: list[Signal] = []
    for number, judgement in enumerate(posts):
        if number in cuts:
            part = restarted(part)
        expected += whole.observe(judgement)
        signals += part.observe(judgement)

    assert any(signal.level is Level.ALERT for signal in expected)
    assert signals == expected
    assert part.dump() == whole.dump()


@pytest.mark.parametrize(("people", "talk", "most"), [(0.0005, 0.002, 2_000), (0.05, 0.2, 3_200)])
def test_two_months_of_a_service_are_a_few_kilobytes(people: float, talk: float, most: int) -> None:
    """Thousands of services fit a checkpoint."""
    posts = [*stream(daily(people), 56 * DAY, seed=8), *stream(daily(talk), 56 * DAY, p=CHATTER, seed=9)]
    detector = fresh()
    for judgement in sorted(posts, key=lambda one: one.mention.post.order):
        detector.observe(judgement)

    assert size(detector) < most
