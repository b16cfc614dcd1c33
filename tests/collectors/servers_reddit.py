"""A Reddit on loopback: tokens, listings that show the newest 1,000, `after`, rate headers, lookups, faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Loopback, Reply, Request

SHOWN = 1000
KEYS = {"client_id": "an-id", "client_secret": "CANARY-reddit-secret"}


@dataclass
class Entry:
    """Something somebody wrote, at a second of the server's clock."""

    number: int
    at: float
    kind: str = "t3"
    community: str = "ClaudeAI"
    author: str | None = "adalovelace"
    words: str = ""
    removed: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.number:x}"

    def shown(self) -> dict[str, Any]:
        words = self.words or f"it fails for me, says number {self.number}"
        data: dict[str, Any] = {
            "name": self.name,
            "id": f"{self.number:x}",
            "created_utc": float(int(self.at)),
            "subreddit": self.community,
            "author": self.author,
            "permalink": f"/r/{self.community}/comments/{self.number:x}/by_adalovelace/",
        }
        if self.kind == "t3":
            data |= {"title": words, "selftext": "", "removed_by_category": None}
        else:
            data |= {"body": words, "parent_id": "t3_1", "link_id": "t3_1"}
        return {"kind": self.kind, "data": data}


@dataclass
class FakeReddit:
    """Holds entries and a clock; each listing asked for takes `takes` seconds of that clock.

    Attributes:
        fault: what to answer instead, by path; None answers well.
        remaining: the `x-ratelimit-remaining` it tells.
    """

    entries: list[Entry] = field(default_factory=list)
    now: float = 0.0
    takes: float = 0.0
    token: Reply | None = None
    fault: Callable[[str], Reply | None] = lambda path: None
    remaining: str = "99.0"

    def serve(self, *paths: str) -> Loopback:
        """A server that answers as Reddit does on these paths, besides tokens and lookups."""
        routes: dict[str, Any] = dict.fromkeys(paths, self._listing)
        routes["/api/v1/access_token"] = self._token
        routes["/api/info/"] = self._info
        return Loopback(routes)

    def _token(self, request: Request) -> Reply:
        if self.token is not None:
            return self.token
        good = request.method == "POST" and request.body == b"grant_type=client_credentials"
        if not good or not request.headers.get("authorization", "").startswith("Basic "):
            return Reply('{"error": 401}', status=401)
        return _json({"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600, "scope": "*"})

    def _listing(self, request: Request) -> Reply:
        self.now += self.takes
        if (fault := self.fault(request.path)) is not None:
            return fault
        if request.headers.get("authorization") != "bearer t0ken" or request.query.get("raw_json") != ["1"]:
            return Reply('{"message": "Unauthorized", "error": 401}', status=401)
        kind = "t1" if request.path.endswith("/comments/") else "t3"
        wanted = [each for each in self.entries if each.at <= self.now and not each.removed and each.kind == kind]
        if request.path.startswith("/r/"):
            communities = request.path.split("/")[2].split("+")
            wanted = [each for each in wanted if each.community in communities]
        listing = sorted(wanted, key=lambda each: (-each.at, -each.number))[:SHOWN]
        start = 0
        if "after" in request.query:
            names = [each.name for each in listing]
            anchor = request.query["after"][0]
            start = names.index(anchor) + 1 if anchor in names else len(names)
        limit = int(request.query["limit"][0])
        page = listing[start : start + limit]
        more = start + limit < len(listing)
        after = page[-1].name if page and more else None
        return self._answer({"after": after, "dist": len(page), "children": [each.shown() for each in page]})

    def _info(self, request: Request) -> Reply:
        if (fault := self.fault(request.path)) is not None:
            return fault
        wanted = request.query["id"][0].split(",")
        assert len(wanted) <= 100
        known = {each.name: each for each in self.entries if not each.removed}
        return self._answer({"after": None, "children": [known[name].shown() for name in wanted if name in known]})

    def _answer(self, shown: dict[str, Any]) -> Reply:
        rates = {"x-ratelimit-remaining": self.remaining, "x-ratelimit-used": "1", "x-ratelimit-reset": "300"}
        return _json({"kind": "Listing", "data": shown}, rates)


def _json(value: object, headers: dict[str, str] | None = None) -> Reply:
    return Reply(json.dumps(value), headers={"content-type": "application/json", **(headers or {})})
