"""From settings to running parts, every plug-in through its entry point; what lacks its key is left out and named."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from detector import registry
from detector.alerting.grouping import Pace
from detector.alerting.policy import Context, Receiver, receiver_of
from detector.config.partition import Partition
from detector.domain import Budget, Service, StatusPage
from detector.domain.alert import OURSELVES
from detector.errors import ConfigError, NotConfigured, StoreError, TransportError

if TYPE_CHECKING:
    from detector.app.daemon import Connections
    from detector.app.engine import Engine
    from detector.config.settings import Settings
    from detector.pipeline import Pipeline
    from detector.protocols import Classifier, Collector, Notifier, OfficialRecord, StatusReader
    from detector.store import Store
    from detector.transport.session import Session

_KEY_BYTES = 32
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What the settings come to, before anything runs.

    Attributes:
        services: the watched ones, in the catalogue's order.
        receivers: who may be told.
        catalogue: every service that is known, watched or not.
        fleet: how many services share the fleet's budget, those of all partitions; 0 is the watched ones.
    """

    settings: Settings
    services: tuple[Service, ...]
    receivers: tuple[Receiver, ...]
    catalogue: tuple[Service, ...] = ()
    fleet: int = 0

    @property
    def budget(self) -> Budget:
        """What one service may spend."""
        return self.settings.watch.budget_of_a_service(self.fleet or len(self.services))


def load_blueprint(path: Path | None, env: Mapping[str, str] | None = None) -> Blueprint:
    """Read the settings and the catalogue.

    Args:
        path: the settings file; None is `detector.toml` in the working folder, or the embedded default without it.

    Raises:
        ConfigError: with every mistake.
    """
    from detector.config.own import Known, known_services
    from detector.config.settings import default_path, load_settings

    problems: list[str] = []
    known, settings = Known(services=()), None
    try:
        known = known_services(path)
    except ConfigError as error:
        problems += error.problems
    slugs = [each.slug for each in known.services] or None
    try:
        settings = load_settings(path or default_path(), os.environ if env is None else env, slugs=slugs)
    except ConfigError as error:
        problems += error.problems
    if problems or settings is None:
        raise ConfigError(problems)
    return blueprint(settings, known.services, own=known.own)


def blueprint(settings: Settings, catalogue: Sequence[Service], *, own: Collection[str] = ()) -> Blueprint:
    """Choose the watched services and the receivers.

    Args:
        own: slugs of a catalogue of one's own, watched without being named.

    Raises:
        ConfigError: routes that cannot be read; all of them are named.
    """
    wanted = {*settings.watch.services, *own}
    fleet = tuple(each for each in catalogue if "*" in wanted or each.slug in wanted)
    share = Partition.of(settings.watch.partition, {})
    services = tuple(each for each in fleet if share is None or share.owns(each.slug))
    receivers, problems = [], []
    if fleet and not services:
        problems.append(f"watch.partition: {share} owns none of {len(fleet)} services; make fewer partitions")
    for name, each in settings.receivers.items():
        if each.enabled:
            try:
                options = {"timezone": settings.display.timezone, **each.options}
                receivers.append(receiver_of(name, each.least, each.services, options, kind=each.type or name))
            except ConfigError as error:
                problems += [f"receivers.{name}: {problem}" for problem in error.problems]
    told = {each.name for each in receivers}
    problems += [
        f"receivers.{each.name}.fallback: there is no receiver {each.fallback!r} that is enabled"
        for each in receivers
        if each.fallback is not None and each.fallback not in told
    ]
    problems += [
        f"receivers.{each.name}: no service has the tag {tag!r}; give it to some in [watch.tags]"
        for each in receivers
        for route in each.routes
        for tag in route.tags
        if tag not in settings.watch.tags
    ]
    if problems:
        raise ConfigError(problems)
    return Blueprint(
        settings=settings, services=services, receivers=tuple(receivers), catalogue=tuple(catalogue), fleet=len(fleet)
    )


def make_classifier(settings: Settings, notes: list[str]) -> Classifier:
    """The classifier asked for, or the shipped one; a fall-back to the keyword floor is told in `notes`.

    Raises:
        ArtifactError: the one asked for cannot be used.
    """
    from detector.classify.load import load_classifier

    name = settings.watch.classifier
    strangers = {name: registry.load("classifiers", name)} if name in registry.names("classifiers") else {}
    return load_classifier(name, notes=notes, registered=strangers)


def make_pipeline(plan: Blueprint, classifier: Classifier, record: OfficialRecord | None) -> Pipeline:
    """A pipeline without memory."""
    from detector.match.matcher import NameMatcher
    from detector.pipeline import Pipeline

    make_detector = registry.load("detectors", plan.settings.watch.detector)
    budget = plan.budget
    return Pipeline(
        services=plan.services,
        matcher=NameMatcher(plan.services),
        classifier=classifier,
        make_detector=lambda service: make_detector(service, budget, classifier.prior),
        record=record,
    )


def make_engine(plan: Blueprint, store: Store, notes: list[str], *, classifier: Classifier | None = None) -> Engine:
    """The engine, its classifier loaded: takes a second or two, so call it in the worker thread.

    Args:
        classifier: one that is loaded already.
    """
    from detector.app.engine import Engine
    from detector.app.load import Load
    from detector.classify.keyword import build as keyword
    from detector.match.people import People

    judge = classifier or make_classifier(plan.settings, notes)
    return Engine(
        store=store,
        make_pipeline=lambda: make_pipeline(plan, judge, store.read),
        receivers=plan.receivers,
        context=Context(
            categories={each.slug: each.category for each in plan.services},
            tags={each.slug: plan.settings.watch.tags_of(each.slug) for each in plan.services},
        ),
        load=Load(),
        lexical=keyword(),
        people=People(plan.catalogue or plan.services),
    )


def connect(
    plan: Blueprint,
    store_path: Path,
    notes: list[str],
    *,
    session: Session | None = None,
    ledger: Path | None = None,
) -> Connections:
    """Build collectors, status readers and notifiers; what lacks its key is left out with a line in `notes`.

    Args:
        session: for all requests; one of our own makes sense for a loopback only.
        ledger: where the cost of paid sources is written down; by default beside the database.

    Raises:
        ConfigError: plug-ins refuse their settings; all of them are named.
    """
    from detector.app.daemon import Connections
    from detector.collectors.context import CollectorContext
    from detector.collectors.ledger import Ledger
    from detector.match.matcher import NameMatcher
    from detector.transport.session import Session
    from detector.transport.worker import ParseWorker

    session = session or Session()
    worker = ParseWorker()
    context = CollectorContext(
        session=session,
        worker=worker,
        author_key=author_key(store_path),
        services=plan.services,
        ledger=Ledger(ledger or ledger_path(store_path)),
        wanted=NameMatcher(plan.services).may_match,
    )
    problems: list[str] = []

    async def close() -> None:
        await worker.aclose()
        await session.aclose()

    collectors = _collectors(plan.settings, context, problems, notes)
    notifiers = _notifiers(plan, problems, notes)
    readers = _readers(plan, session, problems, notes)
    if problems:
        raise ConfigError(problems)
    return Connections(
        collectors=collectors,
        readers=readers,
        notifiers=notifiers,
        page_interval=plan.settings.status.interval,
        close=close,
        fallbacks={each.name: each.fallback for each in plan.receivers if each.fallback is not None},
        paces={each.name: Pace(burst=each.burst, every=each.every) for each in plan.receivers},
    )


def ledger_path(store_path: Path) -> Path:
    """Where the cost of paid sources is written down for a database."""
    return store_path.with_name(store_path.name + ".spent")


def author_key(store_path: Path) -> bytes:
    """The key of the author hashes: made once, kept beside the database and never in it, readable by its owner only.

    Raises:
        StoreError: it cannot be read or written.
    """
    path = store_path.with_name(store_path.name + ".key")
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
            if len(key) != _KEY_BYTES:
                raise StoreError(
                    f"{path}: holds {len(key)} bytes, not {_KEY_BYTES}; restore it, or remove it to begin anew "
                    "(authors are then counted afresh)"
                ) from None
            return key
        with os.fdopen(file, "wb") as body:
            key = secrets.token_bytes(_KEY_BYTES)
            body.write(key)
            return key
    except OSError as error:
        raise StoreError(f"{path}: cannot be used ({error.strerror}); check the folder and its owner") from error


def _collectors(settings: Settings, context: object, problems: list[str], notes: list[str]) -> list[Collector]:
    made: list[Collector] = []
    owners: dict[str, str] = {}
    for name, source in settings.sources.items():
        if not source.enabled:
            continue
        place = f"sources.{name}"
        build = registry.load("collectors", source.type or name)
        for each in _built(place, partial(build, source.options, context), problems, notes) or []:
            made.append(each)
            # Two of one name would share a cursor, and each would lose what the other has read.
            first = owners.setdefault(each.source, place)
            if first != place or sum(one.source == each.source for one in made) > 1:
                problems.append(
                    f"{place}: reads {each.source!r}, which {first} reads already; join the two, or give this one a "
                    f'`source` of its own where its kind takes one ("{source.type or name}-2")'
                )
    return made


def _notifiers(plan: Blueprint, problems: list[str], notes: list[str]) -> list[Notifier]:
    made: list[Notifier] = []
    names = {OURSELVES: "This detector", **{service.slug: service.name for service in plan.services}}
    for name, receiver in plan.settings.receivers.items():
        if not receiver.enabled:
            continue
        build = registry.load("notifiers", receiver.type or name)
        usual = {"names": names, "timezone": plan.settings.display.timezone}
        options = {**usual, **receiver.options, "receiver": name}
        one = _built(f"receivers.{name}", partial(build, options), problems, notes)
        if one is not None:
            made.append(one)
    return made


def _readers(plan: Blueprint, session: Session, problems: list[str], notes: list[str]) -> list[StatusReader]:
    made: list[StatusReader] = []
    status = plan.settings.status
    known = registry.names("status")
    for service in plan.services if status.enabled else ():
        pages = service.status_pages
        if service.slug in status.pages:
            pages = (StatusPage(url=status.pages[service.slug]),)
        # The first page that we can read speaks for the service; a kind without a reader is for people only.
        page = next((each for each in pages if each.kind in known), None)
        if page is None:
            continue
        build = registry.load("status", page.kind)
        place = f"status.pages.{service.slug}"
        way = session.trusting() if page.allow_private else session
        one = _built(place, partial(build, service.slug, page.url, way), problems, notes)
        if one is not None:
            made.append(one)
    return made


def _built(place: str, build: Callable[[], T], problems: list[str], notes: list[str]) -> T | None:
    try:
        return build()
    except NotConfigured as reason:
        notes.append(f"{place} is off: {reason}")
    except ConfigError as error:
        problems += [f"{place}: {problem}" for problem in error.problems]
    except TransportError as error:
        problems.append(f"{place}: {error}")
    return None


def learning(plan: Blueprint, state: Mapping[str, Any] | None) -> set[str]:
    """The watched services whose detector does not yet know what is usual, by a saved state of the pipeline."""
    saved = (state or {}).get("detectors", {})
    make_detector = registry.load("detectors", plan.settings.watch.detector)
    budget = plan.budget
    learners = set()
    for service in plan.services:
        detector = make_detector(service, budget, 0.5)
        if service.slug in saved:
            detector.load(saved[service.slug])
        if detector.learning:
            learners.add(service.slug)
    return learners
