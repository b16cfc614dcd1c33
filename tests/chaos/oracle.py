"""The one who knows: issues every post, plays feed, status page and Slack, and so knows what is owed to whom."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter

from detector.app.clock import system_now
from detector.app.loopback import slack_text
from detector.domain import format_time
from tests.chaos.parts import NEEDED
from tests.loopback import Loopback, Reply, Request

# Entries that a feed shows; far more than are issued while a daemon is down.
WINDOW = 1500
_NAME = re.compile(r"Zorbex(\d+)")


class Oracle:
    """A feed that says something new at every look, and a channel that remembers every message.

    Args:
        limit: how many services are reported as failing, one after the other.

    Attributes:
        issued: ids of all posts, in order.
        failing: numbers of the services of which enough people complained.
        told: how often each service was named in the channel.
        looks: how often the feed was read.
        quiet: nothing new is said any more.
        refuse: answers of the channel to come instead of "ok", last first.
        broken: what the feed answers instead of entries, and until which moment (`time.monotonic`). By time, not by
            number: who is asked ever more rarely would never come to the end of them.
        each_look: how many idle posts each look at the feed finds.
        a_second: how many more it finds for each second since the look before, however often it looks.
        look_back: how many entries the feed shows.
    """

    def __init__(self, limit: int) -> None:
        self.issued: list[str] = []
        self.failing: list[int] = []
        self.told: Counter[int] = Counter()
        self.refuse: list[Reply] = []
        self.broken: tuple[Reply, float] | None = None
        self.each_look = 8
        self.a_second = 0.0
        self.look_back = WINDOW
        self.quiet = False
        self.looks = 0
        self._looked_at = time.monotonic()
        self._entries: list[str] = []
        self._limit = limit
        self._lock = threading.Lock()
        self._server = Loopback({"/feed": self._feed, "/hook": self._hook, "/api/v2/summary.json": self._page})

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url

    def __enter__(self) -> Oracle:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    def _issue(self, text: str) -> None:
        # Seven digits: a bare 1916 is a year to the classifier, and what was down in 1916 is down no more.
        number = len(self.issued)
        post_id = f"tag:oracle,2026:{number}"
        self.issued.append(post_id)
        self._entries.append(
            f"<entry><id>{post_id}</id><title>{text}, number {number:07}</title>"
            f"<author><name>person {number}</name></author><updated>{format_time(system_now())}</updated></entry>"
        )

    def _feed(self, _: Request) -> Reply:
        with self._lock:
            if self.broken is not None and time.monotonic() < self.broken[1]:
                return self.broken[0]
            self.looks += 1
            if not self.quiet:
                passed, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
                for _n in range(self.each_look + round(passed * self.a_second)):
                    self._issue("a fine day for a walk")
                if self.looks % 2 == 0 and len(self.failing) < self._limit:
                    for _n in range(NEEDED):
                        self._issue(f"Zorbex{len(self.failing)} is down for me")
                    self.failing.append(len(self.failing))
            del self._entries[: -self.look_back]
            body = "".join(self._entries)
        text = f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{body}</feed>'
        return Reply(text, headers={"Content-Type": "application/atom+xml"})

    def _hook(self, request: Request) -> Reply:
        with self._lock:
            if self.refuse:
                return self.refuse.pop()
            words = "\n".join(slack_text(json.loads(request.body)))
            for number in set(map(int, _NAME.findall(words))):
                self.told[number] += 1
        return Reply("ok", headers={"Content-Type": "text/plain"})

    def _page(self, _: Request) -> Reply:
        shown = {
            "page": {"id": "p", "name": "Zorbex0", "url": self.url, "updated_at": format_time(system_now())},
            "status": {"indicator": "none", "description": "All Systems Operational"},
            "components": [],
            "incidents": [],
            "scheduled_maintenances": [],
        }
        return Reply(json.dumps(shown), headers={"Content-Type": "application/json"})
