"""Conformance suites: what every plug-in must do, checked from outside. Ours pass them; run them on yours.

Each `check_*` raises `AssertionError` with the broken rule in words. The async ones are awaited:
`asyncio.run(check_collector(make, now=...))`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

from detector.domain import LABELS, Coverage, CoverageState, Judgement, Mention, Notification, Post
from detector.errors import DeliveryError, TransportError
from detector.protocols import Classifier, Collector, Detector, Harvest, Notifier, Signal, StatusReader

MAX_TEXT = 16_000


async def check_collector(
    make: Callable[[], Collector], *, now: datetime, names: Iterable[str] = (), at_least: int = 1
) -> Harvest:
    """A collector whose other side answers well.

    Args:
        make: a fresh collector each time, all of the same source.
        names: author names that the other side sends in clear and that must not come through.
        at_least: how many posts the first poll must bring.

    Returns:
        The first poll's harvest, for further checks.
    """
    collector = make()
    _require(isinstance(collector, Collector), "it has source, interval, poll and aclose")
    source = collector.source
    _require(bool(source) and source == make().source, "its source is a stable, non-empty text")
    _require(collector.interval > 0, "its interval is above zero")

    first = await collector.poll(None, now=now)
    _require(len(first.posts) >= at_least, f"the first poll brings {at_least} posts, it brought {len(first.posts)}")
    check_harvest(first, source=source, now=now, names=names)
    _require(collector.source == source, "polling does not change its source")

    again = await make().poll(first.cursor, now=now)
    check_harvest(again, source=source, now=now, names=names)
    fresh = {post.key for post in first.posts}
    repeated = [post.key for post in again.posts if post.key in fresh]
    _require(not repeated, f"after its own cursor it brings nothing twice, it brought {repeated[:3]}")
    third = await make().poll(first.cursor, now=now)
    _require(again.posts == third.posts, "the same cursor brings the same posts")
    odd = await make().poll("not a cursor of ours", now=now)
    check_harvest(odd, source=source, now=now, names=names)

    await collector.aclose()
    await collector.aclose()
    return first


async def check_collector_failure(make: Callable[[], Collector], *, now: datetime) -> TransportError:
    """A collector whose other side fails: it raises a `TransportError` that says something, and can be closed."""
    collector = make()
    error = await _transport_error(lambda: collector.poll(None, now=now))
    await collector.aclose()
    await collector.aclose()
    return error


def check_harvest(harvest: Harvest, *, source: str, now: datetime, names: Iterable[str] = ()) -> None:
    """One poll's posts, gaps and counts by the rules of `Post` and `Harvest`."""
    for post in harvest.posts:
        within = post.source == source or post.source.startswith(f"{source}:")
        _require(within, f"{post.id}: its posts carry its source, or a place in it (SOURCE:PLACE), not {post.source!r}")
        _require(bool(post.id), "every post has an id")
        _require(bool(post.text.strip()), f"{post.id}: its text is not empty")
        _require(len(post.text.encode()) <= MAX_TEXT, f"{post.id}: its text is at most 16 kB")
        _require(_aware(post.seen_at) and post.seen_at == now, f"{post.id}: seen_at is the poll's now")
        _require(_aware(post.created_at), f"{post.id}: created_at is an aware UTC time")
        _require(post.created_at <= post.seen_at, f"{post.id}: created_at is not after seen_at")
        _require(post.truth is None, f"{post.id}: no live post carries a truth")
        for name in names:
            shown = [post.author, post.id, post.url, post.reply_to]
            _require(not any(name in (part or "") for part in shown), f"{post.id}: {name!r} is nowhere in clear")
    _require(all(gap.source == source for gap in harvest.gaps), "gaps are of its own source")
    _require(all(gap.from_at <= gap.to_at for gap in harvest.gaps), "gaps end after they start")
    _require(all(count > 0 for _, count in harvest.rejected), "rejections are counted from one")


async def check_status_reader(make: Callable[[], StatusReader], *, now: datetime) -> None:
    """A status reader whose page answers well: the state, the incidents, and our own first sight of them."""
    reader = make()
    _require(isinstance(reader, StatusReader), "it has service, url and read")
    _require(bool(reader.service) and reader.url.startswith("http"), "it names a service and a page")
    first = await reader.read(now=now)
    _require(first.service == reader.service and first.at == now, "a reading is of its service, at now")
    later = now + timedelta(minutes=10)
    second = await reader.read(now=later)
    known = {incident.id: incident for incident in first.incidents}
    _require(len(known) == len(first.incidents), "each incident comes once")
    for incident in second.incidents:
        _require(incident.service == reader.service, f"{incident.id}: incidents carry the service")
        _require(_aware(incident.first_posted_at), f"{incident.id}: first_posted_at is an aware UTC time")
        _require(incident.first_posted_at <= later, f"{incident.id}: nothing was posted in the future")
        _require(incident.first_seen_at is not None, f"{incident.id}: our first sight is noted")
        times = [update.at for update in incident.updates]
        _require(times == sorted(times), f"{incident.id}: updates are in order")
        if incident.id in known:
            before = known[incident.id]
            _require(incident.first_seen_at == before.first_seen_at, f"{incident.id}: the first sight stays")
            _require(incident.first_posted_at == before.first_posted_at, f"{incident.id}: the first post stays")


async def check_status_reader_failure(make: Callable[[], StatusReader], *, now: datetime) -> TransportError:
    """A status reader whose page cannot be read raises a `TransportError`; it never says operational."""
    reader = make()
    return await _transport_error(lambda: reader.read(now=now))


def check_classifier(classifier: Classifier, mentions: Sequence[Mention]) -> list[Judgement]:
    """A classifier on at least two mentions: one judgement each, in order, independent of the rest of the call."""
    _require(isinstance(classifier, Classifier), "it has name, prior and judge")
    _require(bool(classifier.name), "it has a name")
    _require(len(mentions) >= 2, "the check needs two mentions")
    _require(classifier.judge([]) == [], "no mention, no judgement")
    judged = classifier.judge(mentions)
    _require([one.mention for one in judged] == list(mentions), "one judgement a mention, in order")
    for one in judged:
        values = one.p.as_tuple()
        _require(all(0 <= value <= 1 for value in values), "probabilities lie between 0 and 1")
        _require(abs(sum(values) - 1) < 1e-6, "probabilities sum to one")
        _require(one.p.label in LABELS, "the label is one of ours")
        _require(one.classifier == classifier.name, "a judgement names its classifier")
    alone = [classifier.judge([mention])[0].p.as_tuple() for mention in mentions]
    together = [one.p.as_tuple() for one in judged]
    close = all(
        abs(a - b) < 1e-6 for left, right in zip(alone, together, strict=True) for a, b in zip(left, right, strict=True)
    )
    _require(close, "a judgement does not depend on the other mentions of the call")
    _require(classifier.judge(mentions) == judged, "the same mentions get the same judgements")
    return judged


def check_detector(make: Callable[[], Detector], judgements: Sequence[Judgement]) -> None:
    """A detector fed judgements in order: resumable from a dump, indifferent to how often time is told."""
    _require(len(judgements) > 1, "the check needs judgements")
    ordered = sorted(judgements, key=lambda one: one.mention.post.order)
    start, end = ordered[0].mention.post.seen_at, ordered[-1].mention.post.seen_at
    source = ordered[0].mention.post.source
    heard = Coverage(source=source, from_at=start, to_at=end, state=CoverageState.OK)

    straight, told = make(), make()
    _require(isinstance(straight, Detector), "it has observe, advance, hear, learning, dump and load")
    half = len(ordered) // 2
    resumed = make()
    for detector in (straight, told, resumed):
        detector.hear(heard)
    plain: list[Signal] = []
    often: list[Signal] = []
    for number, one in enumerate(ordered):
        plain += straight.observe(one)
        often += told.advance(one.mention.post.seen_at)
        often += told.observe(one)
        if number < half:
            resumed.observe(one)
    after = end + timedelta(days=1)
    plain += straight.advance(after)
    for step in range(1, 25):
        often += told.advance(end + timedelta(hours=step))
    _require(plain == often, "telling the time more often changes no signal")

    loaded = make()
    loaded.load(resumed.dump())
    tail_resumed: list[Signal] = []
    tail_loaded: list[Signal] = []
    for one in ordered[half:]:
        tail_resumed += resumed.observe(one)
        tail_loaded += loaded.observe(one)
    _require(tail_resumed == tail_loaded, "a loaded dump continues identically")
    _require(resumed.dump() == loaded.dump(), "a loaded dump ends in the same state")


async def check_notifier(make: Callable[[], Notifier], notification: Notification) -> str | None:
    """A notifier whose receiver accepts: it delivers, may be used again, and closes twice."""
    notifier = make()
    _require(isinstance(notifier, Notifier), "it has receiver, send and aclose")
    _require(bool(notifier.receiver) and notifier.receiver == make().receiver, "its receiver is a stable name")
    reference = await notifier.send(notification)
    _require(reference is None or bool(reference), "a reference is a text or nothing")
    await notifier.send(notification)
    await notifier.aclose()
    await notifier.aclose()
    return reference


async def check_notifier_failure(make: Callable[[], Notifier], notification: Notification) -> DeliveryError:
    """A notifier whose receiver refuses raises a `DeliveryError` that says something."""
    notifier = make()
    try:
        await notifier.send(notification)
    except DeliveryError as error:
        _require(bool(str(error)), "the error says what happened")
        return error
    finally:
        await notifier.aclose()
    raise AssertionError("a refused notification raises a DeliveryError")


def posts_add_up(*, given: int, accepted: int, duplicate: int, rejected: int) -> None:
    """Every post received is in exactly one of three counts (RELIABILITY I5).

    >>> posts_add_up(given=3, accepted=1, duplicate=1, rejected=1)
    """
    total = accepted + duplicate + rejected
    _require(given == total, f"{given} came, but {accepted} + {duplicate} + {rejected} = {total} were accounted for")


def in_order(posts: Sequence[Post]) -> bool:
    """Whether posts stand in the pipeline's order.

    >>> in_order([])
    True
    """
    keys = [post.order for post in posts]
    return keys == sorted(keys)


async def _transport_error(call: Callable[[], Awaitable[object]]) -> TransportError:
    try:
        await call()
    except TransportError as error:
        _require(len(str(error)) > 10, "the error says what, where and what to do")
        return error
    raise AssertionError("a failing other side raises a TransportError")


def _aware(at: datetime) -> bool:
    return at.utcoffset() == timedelta(0)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(f"broken rule: {rule}")
