"""The GitHub collector against a loopback server with lists, ETags, reactions and rate headers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.github import GitHub, build
from detector.domain import Service
from detector.errors import ConfigError, NotConfigured, Permanent, Temporary
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BASE = "/repos/acme/tool"


@dataclass
class FakeGitHub:
    """Issues and comments as JSON objects, +1s by issue number; unchanged lists answer 304."""

    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    plus: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def serve(self) -> Loopback:
        routes: dict[str, Any] = {f"{BASE}/issues": self._issues, f"{BASE}/issues/comments": self._comments}
        for number in range(1, 30):
            routes[f"{BASE}/issues/{number}/reactions"] = lambda request, n=number: self._page(
                request, self.plus.get(n, [])
            )
        return Loopback(routes)

    def _issues(self, request: Request) -> Reply:
        assert request.query["state"] == ["all"]
        for issue in self.issues:
            issue["reactions"] = {"+1": len(self.plus.get(issue["number"], []))}
        return self._page(request, sorted(self.issues, key=lambda each: str(each["created_at"]), reverse=True))

    def _comments(self, request: Request) -> Reply:
        return self._page(request, sorted(self.comments, key=lambda each: str(each["created_at"]), reverse=True))

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Reply:
        assert request.headers["user-agent"].startswith("outage-detector")
        size, number = int(request.query["per_page"][0]), int(request.query.get("page", ["1"])[0])
        body = json.dumps(entries[(number - 1) * size : number * size])
        etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:12]}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(status=304, headers={"etag": etag, **self.headers})
        return Reply(body, headers={"etag": etag, **self.headers})


def stamp(at: float) -> str:
    return (NOW + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")


def issue(number: int, at: float, **named: Any) -> dict[str, Any]:
    return {
        "id": 9000 + number,
        "number": number,
        "created_at": stamp(at),
        "user": {"login": "adalovelace", "type": "User"},
        "title": f"API gives 529, number {number}",
        "body": "<!-- template -->since ten minutes",
        "author_association": "NONE",
        **named,
    }


def comment(number: int, at: float, **named: Any) -> dict[str, Any]:
    url = f"https://api.github.com{BASE}/issues/1"
    user = {"login": "gracehopper", "type": "User"}
    return {
        "id": number,
        "created_at": stamp(at),
        "user": user,
        "body": f"same here {number}",
        "issue_url": url,
        **named,
    }


def reaction(number: int, at: float, login: str) -> dict[str, Any]:
    return {"id": number, "content": "+1", "created_at": stamp(at), "user": {"login": login, "type": "User"}}


def made(context: CollectorContext, server: Loopback, **named: Any) -> GitHub:
    settings = {"url": server.url, "repositories": ["acme/tool"], "token": "CANARY-github-token", **named}
    (collector,) = build(settings, context)
    assert isinstance(collector, GitHub)
    return collector


def poll(server: Loopback, cursor: str | None = None, *, now: datetime = NOW, **named: Any) -> Harvest:
    return run(lambda context: made(context, server, **named).poll(cursor, now=now))


def test_the_collector_conforms() -> None:
    """The conformance suite: issues, comments and +1s, with nobody's name."""
    names = ("adalovelace", "gracehopper", "karen_sj")
    github = FakeGitHub([issue(1, -300)], [comment(5, -60)], {1: [reaction(7, -30, "karen_sj")]})
    with github.serve() as server:
        harvest = run(lambda context: check_collector(lambda: made(context, server), now=NOW, names=names, at_least=3))

    by_id = {post.id: post for post in harvest.posts}
    assert by_id["issue:9001"].text == "API gives 529, number 1\n\nsince ten minutes"
    assert by_id["comment:5"].url == "https://github.com/acme/tool/issues/1"
    assert (by_id["plus:7"].text, by_id["plus:7"].reply_to) == ("+1: API gives 529, number 1", "issue:9001")
    assert len({post.author for post in harvest.posts}) == 3


def test_each_new_plus_is_a_person_once() -> None:
    """Three agree, later two more; 150 at once are taken from the last page."""
    github = FakeGitHub([issue(1, -300)], [], {1: [reaction(number, -20, f"p{number}") for number in range(1, 4)]})
    with github.serve() as server:
        first = poll(server)
        github.plus[1] += [reaction(4, 30, "p4"), reaction(5, 31, "p5")]
        second = poll(server, first.cursor, now=NOW + timedelta(minutes=1))
        third = poll(server, second.cursor, now=NOW + timedelta(minutes=2))

    assert sorted(post.id for post in first.posts) == ["issue:9001", "plus:1", "plus:2", "plus:3"]
    assert sorted(post.id for post in second.posts) == ["plus:4", "plus:5"]
    assert third.posts == ()


def test_what_has_not_changed_is_asked_for_conditionally() -> None:
    """304 brings nothing and loses nothing."""
    github = FakeGitHub([issue(1, -300)], [comment(5, -60)])
    with github.serve() as server:
        first = poll(server)
        second = poll(server, first.cursor, now=NOW + timedelta(minutes=1))
        github.issues.append(issue(2, 70))
        third = poll(server, second.cursor, now=NOW + timedelta(minutes=2))

    assert second.posts == ()
    assert all("if-none-match" in request.headers for request in server.requests[2:])
    assert [post.id for post in third.posts] == ["issue:9002"]


def test_a_burst_is_paged_back_and_beyond_the_reach_is_a_gap() -> None:
    """450 comments come completely; of 1,500 the newest 1,000 and a gap."""
    github = FakeGitHub([], [comment(1, -60)])
    with github.serve() as server:
        first = poll(server)
        github.comments += [comment(100 + number, number / 10) for number in range(450)]
        second = poll(server, first.cursor, now=NOW + timedelta(minutes=1))
        github.comments += [comment(1000 + number, 100 + number) for number in range(1500)]
        third = poll(server, second.cursor, now=NOW + timedelta(hours=1))

    assert (len(second.posts), second.gaps) == (450, ())
    (gap,) = third.gaps
    assert len(third.posts) == 1000
    assert gap.to_at == NOW + timedelta(seconds=600)


def test_pull_requests_and_robots_are_counted_and_the_provider_is_known() -> None:
    """A member of the organisation is official, a deleted account is nobody."""
    github = FakeGitHub(
        [
            issue(1, -60, pull_request={"url": "x"}),
            issue(2, -50, user={"login": "ci", "type": "Bot"}),
            issue(3, -40, author_association="MEMBER"),
            issue(4, -30, user={"login": "ghost", "type": "User"}),
            issue(5, -20, user=None),
        ]
    )
    with github.serve() as server:
        harvest = poll(server)

    by_id = {post.id: post for post in harvest.posts}
    assert dict(harvest.rejected) == {"automatic": 1, "pull request": 1}
    assert by_id["issue:9003"].official
    assert by_id["issue:9004"].author is None
    assert by_id["issue:9005"].author is None


def test_a_spent_hour_is_waited_out_by_all_repositories() -> None:
    """The reset is reckoned by the server's own clock, and nobody asks before."""
    limits = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(NOW.timestamp()) + 900),
        "date": "Mon, 02 Mar 2026 12:00:00 GMT",
    }

    async def go(context: CollectorContext) -> None:
        settings = {"url": server.url, "repositories": ["acme/tool", "acme/other"], "token": "t"}
        one, other = build(settings, context)
        for collector in (one, other):
            with pytest.raises(Temporary) as caught:
                await collector.poll(None, now=NOW)
            assert caught.value.retry_after is not None
            assert 1 <= caught.value.retry_after <= 900

    with Loopback({f"{BASE}/issues": Reply("{}", status=403, headers=limits)}) as server:
        run(go)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply('{"message": "Resource not accessible"}', status=403), Permanent),
        (Reply('{"message": "You have exceeded a secondary rate limit"}', status=403), Temporary),
        (Reply("{}", status=429, headers={"retry-after": "30"}), Temporary),
        (Reply("{}", status=401), Permanent),
        (Reply("{}", status=404), Permanent),
        (Reply("{}", status=410), Permanent),
        (Reply("", status=502), Temporary),
        (Reply("<html>"), Exception),
        (Reply("{}"), Exception),
        (Reply(fault="reset"), Temporary),
    ],
    ids=["403", "secondary", "429", "401", "404", "410", "502", "html", "no list", "reset"],
)
def test_a_failing_server_raises_a_typed_error(reply: Reply, kind: type[Exception]) -> None:
    """What it is, and never with the token in it."""
    with Loopback({f"{BASE}/issues": reply}) as server:
        error = run(lambda context: check_collector_failure(lambda: made(context, server), now=NOW), deadline=0.5)

    assert isinstance(error, kind)
    assert "CANARY" not in f"{error!r}"


def test_without_a_token_it_reads_less_and_rarely() -> None:
    """60 requests an hour: issues only, paced."""
    github = FakeGitHub([issue(1, -300)], [comment(5, -60)], {1: [reaction(7, -30, "karen_sj")]})
    with github.serve() as server:
        harvest = poll(server, token="")

    assert [post.id for post in harvest.posts] == ["issue:9001"]
    assert server.paths() == [f"{BASE}/issues"]
    assert "authorization" not in server.requests[0].headers

    async def pace(context: CollectorContext) -> None:
        collectors = build({"repositories": ["a/b", "a/c"]}, context)
        assert {one.interval for one in collectors} == {150.0}

    run(pace)


def test_the_repositories_of_the_watched_services_are_the_default() -> None:
    """From the catalogue; without any it is off; mistakes are told."""

    async def go(context: CollectorContext) -> None:
        services = (Service(slug="claude", name="Claude", communities=("reddit:x", "github:anthropics/claude-code")),)
        mine = CollectorContext(session=context.session, worker=context.worker, author_key=b"k", services=services)
        assert [one.source for one in build({}, mine)] == ["github:anthropics/claude-code"]
        with pytest.raises(NotConfigured):
            build({"repositories": []}, mine)
        with pytest.raises(ConfigError) as caught:
            build({"repositories": ["nonsense"], "interval": 1, "url": "http://example.org"}, mine)
        assert len(caught.value.problems) == 3

    run(go)
