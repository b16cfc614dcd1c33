"""Archives for measuring: posts in words of our own by a seeded generator, most of which name nobody.

The mix: one post in twenty names one of a hundred services (most of these are chatter), one in twelve holds a word that
is a service's name elsewhere ("teams", "slack", "zoom") without meaning it, one in six is not plain ASCII. A few
services fail for an hour, so that the replay has alerts to find.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache

from detector.collectors.archive_sieve import Sieve, line_starts
from detector.config.catalogue import load_catalogue
from detector.domain import Service, parse_time
from detector.match.matcher import NameMatcher

START = parse_time("2026-03-02T00:00:00Z")
_WORDS = tuple(
    """morning evening garden bread window river coffee dinner brother sister train letter paper kitchen summer winter
spring yellow purple little heavy quiet later before after always never maybe really walking reading cooking singing
painting running sleeping waiting thinking laughing talking writing looking finding keeping giving making taking
rain snow sun cloudless mountain beach forest bridge street village harbour island farmer doctor teacher baker
neighbour friend family people children weekend holiday birthday wedding concert movie novel poem melody guitar
violin football tennis cycling swimming hiking soup salad cheese apples berries lemon pepper butter honey sugar
flour candle blanket pillow carpet mirror clock bottle basket ladder hammer pencil ribbon button pocket jacket
sweater shoes boots umbrella the a my our this that some every two three with without under over near behind between
because although while until is was will would could should had has been feels seems looks sounds tastes smells and
but or so then there here""".split()  # noqa: SIM905
)
_NEAR = (
    "the sales teams are down by the river", "cut me some slack please", "zoom in on the small bird there",
    "had no notion of what came next", "a square of butter and some honey", "the target was far behind us",
    "my uncle claude painted the harbour", "what a discord between the two choirs", "the amazon is a long river",
)  # fmt: skip
_ODD = (
    "caf\u00e9 au lait ",
    "so happy \U0001f600 ",
    "it\u2019s late \u2014 ",
    "\u3042\u308a\u304c\u3068\u3046 ",
    "sm\u00f6rg\u00e5s ",
    "tea &amp; cake ",
)
_CHATTER = (
    "switched from {a} to {s} and {b}", "is {s} worth it for {a} in {b}?", "{a} wrote about {s} and the {b} again",
    "learning {s} this {a}, any {b} tips?", "{s} announced something with {a} and {b}",
    "my {a} uses {s} for the {b} every week", "I like how {s} does {a}, the {b} less so",
)  # fmt: skip
_PAST = ("remember when {s} was down last {a}? {b} times", "{s} had an outage back then, {a} and {b}, all fixed since")
_COMPLAINT = (
    "is {s} down for anyone else? {a} {b}", "{s} not loading here, {a} since ten minutes {b}",
    "can't log into {s}, just errors {a} {b}", "{s} keeps timing out on me {a} {b}", "{s} is down again. {a} {b}",
)  # fmt: skip


@cache
def services(count: int = 100) -> tuple[Service, ...]:
    """The first services of the catalogue whose plain name says who is meant."""
    matcher = NameMatcher(load_catalogue())
    found = [
        service
        for service in load_catalogue()
        if service.aliases and service.aliases[0].isascii() and matcher.resolve(service.aliases[0]) == service.slug
    ]
    return tuple(found[:count])


@cache
def _words() -> tuple[str, ...]:
    """Words that begin no name of any service."""
    catalogue = load_catalogue()
    sieve = Sieve(NameMatcher(catalogue).patterns({service.slug for service in catalogue}))
    lines = "\n".join(f" {word}" for word in _WORDS).encode()
    named = sieve.candidates(lines, line_starts(lines), escaped=False)
    return tuple(word for word, bad in zip(_WORDS, named.tolist(), strict=True) if not bad)


def lines(
    count: int, *, naming: float = 0.05, seed: int = 0, days: float = 10.0, watched: Sequence[Service] | None = None
) -> Iterator[str]:
    """`count` archive lines in order of time, of which a share `naming` names a service.

    Args:
        days: over how long the posts are spread.
        watched: the services that are named; a hundred by default.
    """
    rng = random.Random(seed)
    named = list(watched or services())
    quiet = _quiet(rng)
    outages = _outages(rng, named, days)
    step, draw, pick = days * 86400.0 / count, rng.random, rng.randrange
    second = ""
    for number in range(count):
        passed = number * step
        at = START + timedelta(seconds=int(passed))
        second = at.isoformat().replace("+00:00", "Z")
        text = _naming(rng, named, outages, passed) if draw() < naming else quiet[pick(len(quiet))]
        yield (
            f'{{"source": "social", "id": "{seed}-{number}", "created_at": "{second}", '
            f'"author": "{pick(1 << 44):011x}a", "text": "{text}"}}\n'
        )


def _quiet(rng: random.Random, count: int = 20_000) -> list[str]:
    words = _words()
    found = []
    for number in range(count):
        text = " ".join(rng.choice(words) for _ in range(rng.randint(6, 40)))
        if number % 12 == 0:
            text = f"{rng.choice(_NEAR)} {text}"
        if number % 6 == 1:
            text = rng.choice(_ODD) + text
        found.append(text.capitalize())
    return found


def _outages(rng: random.Random, named: Sequence[Service], days: float) -> list[tuple[float, float, Service]]:
    """When whose complaints multiply, in seconds: about one a day and twenty services, for an hour."""
    found = []
    for service in rng.sample(list(named), max(1, len(named) // 20)):
        begin = rng.uniform(0.6, 0.9) * days * 86400.0
        found.append((begin, begin + 3600.0, service))
    return found


def _naming(
    rng: random.Random, named: Sequence[Service], outages: list[tuple[float, float, Service]], passed: float
) -> str:
    words = _words()
    failing = next((service for begin, end, service in outages if begin <= passed < end), None)
    draw = rng.random()
    if failing is not None and draw < 0.5:
        form, service = rng.choice(_COMPLAINT), failing
    else:
        service = named[min(int(rng.paretovariate(0.9)) - 1, len(named) - 1)]
        kind = rng.random()
        form = rng.choice(_COMPLAINT if kind < 0.03 else _PAST if kind < 0.1 else _CHATTER)
    a, b = (" ".join(rng.choice(words) for _ in range(rng.randint(2, 8))) for _ in range(2))
    return form.format(s=service.aliases[0], a=a, b=b)


def sentence(rng: random.Random, service: Service, *, complaint: bool) -> str:
    """One post about a service."""
    words = _words()
    a, b = (" ".join(rng.choice(words) for _ in range(rng.randint(2, 8))) for _ in range(2))
    return rng.choice(_COMPLAINT if complaint else _CHATTER).format(s=service.aliases[0], a=a, b=b)


def until(days: float) -> datetime:
    """When an archive of so many days ends."""
    return START + timedelta(days=days)


@cache
def invented(count: int) -> tuple[Service, ...]:
    """So many services with names that mean nothing."""
    rng = random.Random(7)
    known = {service.slug for service in load_catalogue()} | set(_WORDS)
    found: dict[str, Service] = {}
    while len(found) < count:
        name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(3, 5))) + "x"
        if name not in known:
            found.setdefault(name, Service(slug=name, name=name.title(), aliases=(name,)))
    return tuple(found.values())
