"""What a person reads on each page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from detector.app.health import source_health
from detector.store import Store, open_reader
from detector.web import create_app
from tests.web.asking import ask, cookie_and_token, page, submit
from tests.web.conftest import Site, serving
from tests.web.town import NOW, Town

ALERT = "claude-20260302T1334"


@pytest.fixture(scope="module")
def showing(place: Town) -> Iterator[Site]:
    """A page that only shows, as `detector serve` gives it."""
    yield from serving(create_app(lambda: open_reader(place.path), around=place.around()), place)


def test_the_board_begins_with_what_fails(site: Site) -> None:
    """Outages, then watches, then what is not known, then the quiet."""
    text = page(site.port, "/").text

    order = re.findall(r'<li class="row (\w+)" id="s-([\w-]+)"', text)
    assert order[0] == ("outage", "claude")
    assert order[1] == ("watch", "spotify")
    assert order[2] == ("learning", "notion")
    assert {state for state, _ in order[3:]} == {"ok"}
    assert "<title>Claude is failing" in text
    assert "31 min ahead" in text


def test_the_board_can_be_searched_without_script(site: Site) -> None:
    """The form is an ordinary one."""
    text = page(site.port, "/?q=git&state=ok").text

    assert re.findall(r'id="s-([\w-]+)"', text) == ["github"]
    assert "1 of 12" in text


def test_without_ears_everything_is_unknown(place: Town) -> None:
    """An hour later nothing was heard: that is shown, and the open outage stays."""
    later = NOW + timedelta(hours=1)
    for quiet in serving(create_app(lambda: open_reader(place.path), around=place.around(later)), place):
        text = page(quiet.port, "/").text

    states = {slug: state for state, slug in re.findall(r'<li class="row (\w+)" id="s-([\w-]+)"', text)}
    assert states["claude"] == "outage"
    assert states["github"] == "unknown"
    assert "No daemon has written since" in text


@pytest.mark.parametrize("path", ["/s/claude?range=1h", "/s/claude?range=90d", f"/a/{ALERT}"])
def test_what_people_wrote_is_text(site: Site, path: str) -> None:
    """Markup in a post is shown, not run."""
    text = page(site.port, path).text

    assert "&lt;script&gt;document.title" in text
    assert "<script>document" not in text


def test_the_service_page_tells_the_whole_story(site: Site) -> None:
    """State, symptoms, sources, past alerts with leads, and the provider's ledger."""
    text = page(site.port, "/s/claude?range=24h").text

    for words in (
        "Failing, major",
        "error 529",
        "hackernews",
        "24 min ahead",
        "true, says a person",
        "Median lateness",
    ):
        assert words in text
    assert "The same as a table" in text


def test_the_alert_page_argues(site: Site) -> None:
    """The argument in sentences, the decisions with reasons, the timeline in order."""
    text = page(site.port, f"/a/{ALERT}").text

    assert "at the strongest 31 people in 6 min, 0.2 expected" in text
    assert "this receiver does not follow the service" in text
    assert "sent after 2 s" in text
    times = re.findall(r'<li class="k-\w+"><time datetime="([^"]+)"', text)
    assert times == sorted(times)
    assert len(times) >= 7


def test_our_record_is_published(site: Site) -> None:
    """Also what we missed and what was false."""
    text = page(site.port, "/proof").text

    assert "2 of 3" in text
    assert "Elevated latency in one region" in text
    assert "too few people complained" in text


def test_feedback_and_silence_reach_the_writer(site: Site) -> None:
    """From the page's own forms, and the page then shows them."""
    cookie, token = cookie_and_token(site.port, f"/a/{ALERT}")

    said = submit(site.port, f"/a/{ALERT}/feedback", cookie=cookie, token=token, real="false", comment="  our\nproxy ")
    hushed = submit(site.port, "/s/claude/silence", cookie=cookie, token=token, span="4h", comment="known")

    assert (said.status, said.headers["location"]) == (303, f"/a/{ALERT}")
    assert (hushed.status, hushed.headers["location"]) == (303, "/s/claude")
    word = site.town.store.read.feedback(ALERT)[-1]
    assert (word.real, word.comment, word.at) == (False, "our proxy", NOW)
    silence = site.town.store.read.silences(now=NOW)[-1]
    assert (silence.service, silence.ends_at - silence.starts_at) == ("claude", timedelta(hours=4))
    assert "false, says a person" in page(site.port, f"/a/{ALERT}").text
    assert "Nobody is told until" in page(site.port, "/s/claude").text
    site.town.store.expire_silence(silence.id, now=NOW)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (f"/a/{ALERT}/feedback", {"real": "perhaps"}, 400),
        ("/a/none/feedback", {"real": "true"}, 404),
        ("/s/claude/silence", {"span": "9y"}, 400),
        ("/s/none/silence", {"span": "1h"}, 404),
        (f"/a/{ALERT}/feedback", {"real": "true", "comment": "x" * 501}, 400),
    ],
)
def test_a_wrong_form_is_refused_in_words(site: Site, path: str, fields: dict[str, str], status: int) -> None:
    """With the status that fits."""
    cookie, token = cookie_and_token(site.port, f"/a/{ALERT}")

    answer = submit(site.port, path, cookie=cookie, token=token, **fields)

    assert answer.status == status
    assert "Not done" in answer.text


def test_the_page_alone_is_read_only_and_says_so(showing: Site) -> None:
    """It names the command instead, and refuses a form sent all the same."""
    text = page(showing.port, f"/a/{ALERT}").text

    assert "Read-only." in text
    assert f"detector feedback {ALERT} true" in text
    assert "<form" not in text


@pytest.mark.parametrize("path", ["/s/nobody", "/a/nothing", "/nowhere", "/static/../app.py", "/static/%2e%2e/app.py"])
def test_what_is_not_there_is_said(site: Site, path: str) -> None:
    """404, for a person in words, and no file beside ours."""
    answer = page(site.port, path)

    assert answer.status == 404
    assert b"create_app" not in answer.body


def test_a_database_that_is_not_there_yet_is_said(place: Town, tmp_path: Path) -> None:
    """503 with what to do; once it is there, the page shows it."""
    path = tmp_path / "later.db"
    for early in serving(create_app(lambda: open_reader(path), around=place.around()), place):
        before = page(early.port, "/"), ask(early.port, "/api/board")
        Store.open(path, now=NOW).close()
        after = page(early.port, "/")

    assert [answer.status for answer in before] == [503, 503]
    assert "detector watch" in before[0].text
    assert after.status == 200
    assert "No daemon has written yet" in after.text


def test_a_service_is_judged_as_by_the_status_command(place: Town) -> None:
    """The rules come from one place."""
    around = place.around()

    assert around.source_health is source_health
    assert replace(around, budget=None).budget is None
