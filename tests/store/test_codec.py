"""What goes into the database comes out the same, whatever it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain import (
    Alert,
    AlertState,
    Estimate,
    Evidence,
    Incident,
    IncidentUpdate,
    Level,
    Official,
    PageState,
    Post,
)
from detector.store.codec import (
    alert_in,
    alert_of,
    alert_out,
    alert_row,
    clean,
    clean_post,
    post_of,
    post_row,
    to_json,
    to_text,
    to_time,
)

times = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - made aware by the strategy
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
figures = st.floats(allow_nan=False)
maybe_times = st.none() | times
maybe_texts = st.none() | texts

posts = st.builds(
    Post,
    source=texts,
    id=texts,
    created_at=times,
    seen_at=times,
    text=texts,
    author=maybe_texts,
    url=maybe_texts,
    reply_to=maybe_texts,
    service_hint=maybe_texts,
    official=st.booleans(),
    account_created_at=maybe_times,
    truth=maybe_texts,
)
estimates = st.builds(
    Estimate,
    service=texts,
    at=times,
    onset=times,
    people=figures,
    expected=figures,
    return_period_months=figures,
    ratio=figures,
    score=figures,
    window_minutes=figures,
    sources=st.lists(st.tuples(texts, figures), max_size=3).map(tuple),
    voters=st.integers(0, 2**40),
)
evidences = st.builds(Evidence, source=texts, id=texts, url=maybe_texts, text=texts, p=figures, at=times, label=texts)
updates = st.builds(IncidentUpdate, at=times, status=texts, text=texts, first_seen_at=maybe_times)
incidents = st.builds(
    Incident,
    service=texts,
    id=texts,
    title=texts,
    impact=maybe_texts,
    first_posted_at=times,
    first_seen_at=maybe_times,
    stated_start=maybe_times,
    resolved_at=maybe_times,
    updates=st.lists(updates, max_size=2).map(tuple),
    components=st.lists(texts, max_size=2).map(tuple),
    url=maybe_texts,
    maintenance=st.booleans(),
)
officials = st.builds(
    Official,
    state=st.sampled_from(PageState),
    checked_at=maybe_times,
    description=texts,
    incident=st.none() | incidents,
)
alerts = st.builds(
    Alert,
    key=texts,
    service=texts,
    level=st.sampled_from(Level),
    state=st.sampled_from(AlertState),
    onset_at=times,
    watch_at=times,
    fired_at=maybe_times,
    updated_at=times,
    ended_at=maybe_times,
    estimate=estimates,
    evidence=st.lists(evidences, max_size=2).map(tuple),
    cause=maybe_texts,
    official=st.none() | officials,
    reopened=st.integers(0, 9),
)


@given(post=posts)
@settings(max_examples=200, deadline=None)
def test_a_post_comes_back_the_same(post: Post) -> None:
    """To the microsecond and the last odd character."""
    assert post_of(post_row(post)) == post
    assert clean_post(post) is post


@given(alert=alerts)
@settings(max_examples=200, deadline=None)
def test_an_alert_comes_back_the_same_from_columns_and_from_a_snapshot(alert: Alert) -> None:
    """Infinite figures too; both forms are JSON that any tool reads."""
    assert alert_of(alert_row(alert)) == alert
    assert alert_in(json.loads(to_json(alert_out(alert)))) == alert


@given(first=times, second=times)
@settings(max_examples=200, deadline=None)
def test_times_sort_as_text_like_themselves(first: datetime, second: datetime) -> None:
    """So that SQLite can compare them."""
    assert (to_text(first) < to_text(second)) == (first < second)
    assert to_time(to_text(first)) == first


@given(text=st.text(st.characters(categories=["Cs", "Lu", "So"]), max_size=10))
@settings(max_examples=200, deadline=None)
def test_text_that_is_no_unicode_is_mended(text: str) -> None:
    """Lone surrogates become U+FFFD, what was whole stays."""
    mended = clean(text)

    mended.encode()
    assert clean(mended) == mended
