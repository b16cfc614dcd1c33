"""What a host's robots.txt asks of readers like us, by RFC 9309; feeds are read only where it does not object.

Rules of our own name go before those for everybody; of the rules that fit, the longest holds, and leave goes before
refusal. A host without the file (any 4xx) objects to nothing; one whose file cannot be read is not asked further until
it can. Asked once a day and host.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from detector.errors import Hostile, Permanent, Temporary
from detector.transport.guard import parse_target
from detector.transport.session import Session

NAME = "outage-detector"
_DAY, _MOST_HOSTS, _MOST_RULES, _LONGEST = 86_400.0, 2000, 2000, 500_000
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for us on one host.

    Attributes:
        rules: path patterns (`*` anything, `$` the end) and whether they grant leave.
        pause: seconds it wants between two requests, if it says so.
    """

    rules: tuple[tuple[str, bool], ...] = ()
    pause: float | None = None

    def allows(self, path: str) -> bool:
        """Whether a path with its query may be fetched.

        >>> rules = read_rules("User-agent: *\\nDisallow: /\\nAllow: /rss/*?q=\\n")
        >>> rules.allows("/rss/search?q=a"), rules.allows("/news"), rules.allows("/robots.txt")
        (True, False, True)
        """
        if path == "/robots.txt":
            return True
        fitting = [(len(pattern), leave) for pattern, leave in self.rules if _fits(pattern, path)]
        return max(fitting)[1] if fitting else True


def read_rules(text: str, name: str = NAME) -> Rules:
    """The rules of a robots.txt for a reader of this name.

    >>> read_rules("user-agent: outage-detector\\nuser-agent: b\\ndisallow: /x\\nUser-Agent: *\\nDisallow: /").rules
    (('/x', False),)
    """
    groups: dict[str, list[tuple[str, bool]]] = {}
    pauses: dict[str, float] = {}
    agents: list[str] = []
    open_ = False
    for line in text[:_LONGEST].splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            agents = [*agents, value.lower()] if open_ else [value.lower()]
            open_ = True
            groups.setdefault(value.lower(), [])
            continue
        open_ = False
        for agent in agents:
            if key in {"allow", "disallow"} and value and len(groups[agent]) < _MOST_RULES:
                groups[agent].append((value if value[:1] in "/*" else f"/{value}", key == "allow"))
            elif key == "crawl-delay" and re.fullmatch(r"\d{1,4}(?:\.\d{1,3})?", value):
                pauses[agent] = min(float(value), _LONGEST_PAUSE)
    ours = next((agent for agent in groups if agent.split("/")[0] == name), "*")
    return Rules(tuple(groups.get(ours, ())), pauses.get(ours))


def _fits(pattern: str, path: str) -> bool:
    ends = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    if not path.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    last = parts[-1] if len(parts) > 1 else ""
    if ends:
        return path.endswith(last) and len(path) - len(last) >= at if len(parts) > 1 else len(path) == at
    return path.find(last, at) >= 0


class Robots:
    """The rules of the hosts that were asked, for all feeds of a run.

    Args:
        session: fetches the files, and keeps the pause that a host asks for.
        clock: seconds that only grow.
    """

    def __init__(self, session: Session, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._known: dict[str, tuple[float, Rules]] = {}

    async def check(self, url: str) -> None:
        """Return if the host does not object to this address.

        Raises:
            Permanent: it does.
            Temporary: its file cannot be read just now, and was not read before.
        """
        target = parse_target(url)
        rules = await self._rules(f"{target.scheme}://{target.netloc}")
        if not rules.allows(target.path):
            raise Permanent(
                f"{target.netloc}/robots.txt asks readers to leave {target.path.partition('?')[0]} alone; set "
                "robots = false for this source if you have the place's leave"
            )

    async def _rules(self, base: str) -> Rules:
        read_at, rules = self._known.get(base, (None, Rules()))
        if read_at is not None and self._clock() - read_at < _DAY:
            return rules
        try:
            answer = await self._session.get(f"{base}/robots.txt")
            rules = read_rules(answer.body.decode("utf-8", "replace"))
        except Permanent:
            rules = Rules()
        except (Temporary, Hostile) as error:
            if read_at is not None:
                return rules  # yesterday's word is better than none
            if isinstance(error, Temporary):
                raise
            rules = Rules()  # no text of rules, but a page or a flood: nothing is said
        if len(self._known) >= _MOST_HOSTS:
            self._known.pop(next(iter(self._known)))
        self._known[base] = (self._clock(), rules)
        if rules.pause is not None:
            self._session.slow_down(base, rules.pause)
        return rules
