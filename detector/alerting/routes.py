"""Who wants to hear of what: receivers and their routes, by service, category, tag, level and time of day. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from detector.alerting.quiet import DAYS, Hours, QuietHours
from detector.domain import Alert, Level
from detector.errors import ConfigError

REPEAT = timedelta(hours=4)
FALLBACK_AFTER = timedelta(seconds=30)
# alerting.grouping.Pace has the same: what a chat bears.
BURST, EVERY = 3, timedelta(seconds=60)

# What a failing service takes down with it, by the type of the receiver.
DEPENDS = {
    "slack": ("slack",),
    "discord": ("discord", "cloudflare"),
    "teams": ("microsoft-teams", "azure"),
    "pagerduty": ("pagerduty",),
    "opsgenie": ("opsgenie", "atlassian"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A condition; empty parts hold always, the others must all hold.

    Attributes:
        services, categories, tags: one of each is enough.
        level: the least level; None asks the receiver's.
        hours: when it holds.
    """

    services: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    level: Level | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One place that wants to be told.

    Attributes:
        level: nothing below it is sent.
        services: slugs, empty for all.
        routes: further conditions, of which one must hold; empty for none.
        depends_on: services without which it does not work: when one of them fails, another receiver goes first.
        quiet: when it is left in peace.
        repeat: a standing alert is told again after so long; None never.
        digest: the hour of the day (in `zone`) at which watches below `level` are listed; None never.
        maintenance: told also while the official page announces work.
        fallback: who is told instead when it takes nothing for `fallback_after`; None is nobody.
        burst, every: so many messages at once, then one more every so often with what gathered.
    """

    name: str
    level: Level = Level.ALERT
    services: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    depends_on: tuple[str, ...] = ()
    quiet: QuietHours | None = None
    repeat: timedelta | None = REPEAT
    digest: Hours | None = None
    maintenance: bool = False
    fallback: str | None = None
    fallback_after: timedelta = FALLBACK_AFTER
    burst: int = BURST
    every: timedelta = EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the catalogue and the settings say of services.

    Attributes:
        categories: by slug.
        tags: by slug, as a person set them.
    """

    categories: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)


def refusal(alert: Alert, receiver: Receiver, context: Context, now: datetime) -> tuple[str, str] | None:
    """Why no route leads from an alert to a receiver: `("no_route" or "below_level", words)`; None where one does.

    >>> from detector.alerting.quiet import Hours
    >>> Receiver(name="ops", routes=(Route(categories=("ai",)),)).routes[0].categories
    ('ai',)
    """
    service = alert.service
    if receiver.services and service not in receiver.services:
        return "no_route", f"{receiver.name} does not follow {service}"
    found: tuple[str, str] | None = None
    for route in receiver.routes or (Route(),):
        words = _unmet(alert, route, context, now)
        least = route.level or receiver.level
        if words is not None:
            found = found or ("no_route", f"{receiver.name}: {words}")
        elif alert.level.rank < least.rank:
            found = ("below_level", f"{alert.level.value} is below {least.value}")
        else:
            return None
    return found


def _unmet(alert: Alert, route: Route, context: Context, now: datetime) -> str | None:
    service = alert.service
    if route.services and service not in route.services:
        return f"no route for {service}"
    category = context.categories.get(service, "other")
    if route.categories and category not in route.categories:
        return f"no route for the category {category}"
    if route.tags and not set(route.tags) & set(context.tags.get(service, ())):
        return f"{service} has none of the tags {', '.join(route.tags)}"
    if route.hours is not None and not route.hours.holds(now):
        return f"outside {route.hours.words}"
    return None


def receiver_of(
    name: str, level: Level, services: Sequence[str], options: Mapping[str, Any], *, kind: str = ""
) -> Receiver:
    """A receiver from its settings: what stands beside `level` and `services` in `[receivers.NAME]`.

    Args:
        options: of these, `categories`, `tags`, `hours`, `days`, `timezone`, `routes` (tables of the same keys with
            `services` and `level`), `depends_on`, `quiet_hours`, `quiet_days`, `quiet_through`, `escalate_after`
            (minutes), `repeat` (hours, 0 never), `digest` ("09:00"), `during_maintenance`, `fallback` (a receiver's
            name), `fallback_after` (seconds), `burst` (messages at once) and `every` (seconds for one more); the rest
            is the notifier's.
        kind: the notifier's type, which knows what it depends on.

    Raises:
        ConfigError: with every mistake.

    >>> made = receiver_of("ops", Level.ALERT, ["*"], {"quiet_hours": "22:00-07:00", "hours": "08:00-18:00"})
    >>> made.quiet.hours.words, made.routes[0].hours.words, made.services
    ('22:00-07:00 UTC', '08:00-18:00 UTC', ())
    """
    problems: list[str] = []
    zone = str(options.get("timezone", "UTC"))
    own = Route(
        categories=_names(options, "categories", problems),
        tags=_names(options, "tags", problems),
        hours=_hours(options, "hours", "days", zone, problems),
    )
    tables = options.get("routes", ())
    if not isinstance(tables, list | tuple) or not all(isinstance(table, Mapping) for table in tables):
        problems.append("routes: write tables, [[receivers.NAME.routes]]")
        tables = ()
    routes = tuple(_route(table, zone, problems) for table in tables)
    if own != Route():
        routes = (own, *routes)
    quiet_hours = _hours(options, "quiet_hours", "quiet_days", zone, problems)
    quiet = None
    if quiet_hours is not None:
        minutes = _number(options, "escalate_after", 0, problems)
        quiet = QuietHours(
            hours=quiet_hours,
            through=_level(options, "quiet_through", problems) or Level.MAJOR,
            escalate_after=timedelta(minutes=minutes) if minutes else None,
        )
    repeat = _number(options, "repeat", REPEAT.total_seconds() / 3600, problems)
    digest = None
    if "digest" in options:
        digest = _hours({"digest": f"{options['digest']}-{options['digest']}"}, "digest", "", zone, problems)
    depends_on = _names(options, "depends_on", problems) if "depends_on" in options else DEPENDS.get(kind, ())
    after = _number(options, "fallback_after", FALLBACK_AFTER.total_seconds(), problems)
    burst, every = (
        _number(options, "burst", BURST, problems),
        _number(options, "every", EVERY.total_seconds(), problems),
    )
    if burst < 1 or every <= 0:
        problems.append("burst, every: at least one message, and a time above 0 seconds")
    fallback = options.get("fallback")
    if fallback is not None and (not isinstance(fallback, str) or fallback in {"", name}):
        problems.append("fallback: write the name of another receiver")
    if problems:
        raise ConfigError(problems)
    return Receiver(
        name=name,
        level=level,
        services=() if "*" in services else tuple(services),
        routes=routes,
        depends_on=depends_on,
        quiet=quiet,
        repeat=timedelta(hours=repeat) if repeat else None,
        digest=digest,
        maintenance=options.get("during_maintenance") is True,
        fallback=None if fallback is None else str(fallback),
        fallback_after=timedelta(seconds=after),
        burst=int(burst),
        every=timedelta(seconds=every),
    )


def _route(table: Mapping[str, Any], zone: str, problems: list[str]) -> Route:
    known = {"services", "categories", "tags", "level", "hours", "days"}
    problems += [f"routes.{key}: unknown; there are {', '.join(sorted(known))}" for key in sorted(table.keys() - known)]
    return Route(
        services=_names(table, "services", problems),
        categories=_names(table, "categories", problems),
        tags=_names(table, "tags", problems),
        level=_level(table, "level", problems),
        hours=_hours(table, "hours", "days", zone, problems),
    )


def _names(table: Mapping[str, Any], key: str, problems: list[str]) -> tuple[str, ...]:
    value = table.get(key, ())
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        problems.append(f'{key}: write a list of names, ["one", "two"]')
        return ()
    return () if "*" in value else tuple(value)


def _level(table: Mapping[str, Any], key: str, problems: list[str]) -> Level | None:
    if key not in table:
        return None
    try:
        return Level(table[key])
    except ValueError:
        problems.append(f"{key}: {table[key]!r} is no level; write watch, alert or major")
        return None


def _number(table: Mapping[str, Any], key: str, default: float, problems: list[str]) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000:
        problems.append(f"{key}: write a figure from 0 to 10000")
        return default
    return float(value)


def _hours(table: Mapping[str, Any], key: str, days: str, zone: str, problems: list[str]) -> Hours | None:
    if key not in table and days not in table:
        return None
    try:
        return Hours.parse(str(table.get(key, "00:00-24:00")), days=table.get(days, DAYS), zone=zone)
    except ValueError as error:
        problems.append(f"{key}: {error}")
        return None
