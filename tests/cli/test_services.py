"""`detector services`: a catalogue of one's own is checked, and an entry is made from a page on loopback."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detector.cli import cli
from detector.cli.services import proposal
from detector.config.catalogue import load_catalogue
from detector.domain import Service, StatusPage
from detector.errors import UsageError
from detector.status.detect import Detected
from tests.loopback import Loopback, Reply, unused_port
from tests.status.pages import doc

PAGE = {
    "/": Reply("<title>Kettle Status</title>", headers={"Content-Type": "text/html"}),
    "/api/v2/summary.json": doc("statuspage/summary_incident.json"),
}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_query_lists_and_options_may_stand_on_either_side() -> None:
    """What is no command is looked for."""
    before, after = run("services", "--json", "anthropic"), run("services", "anthropic", "--json")

    assert before.stdout == after.stdout
    assert json.loads(before.stdout)["slug"] == "claude"
    assert run("services", "anthropic").stdout.startswith("claude ")
    assert len(run("services").stdout.splitlines()) == len(load_catalogue())


def test_the_shipped_catalogue_is_right() -> None:
    """Without a file."""
    done = run("services", "check")

    assert done.exit_code == 0, done.output
    assert f"{len(load_catalogue())} services, no mistake" in done.stdout


def test_every_mistake_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    """Exit code 2."""
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[service]]\nslug = "Kettle"\nname = "Kettle"\n\n'
        '[[service]]\nslug = "pot"\naliases = ["github"]\nhosted_on = ["nowhere"]\ncolour = "x"\n',
        encoding="utf-8",
    )

    done = run("services", "check", path)

    assert done.exit_code == 2
    for part in (
        "mine.toml:2: Kettle: slug",
        "mine.toml:7: pot: alias 'github' belongs to",
        "mine.toml:8",
        "mine.toml:9",
    ):
        assert part in done.stderr
    assert "name is missing" in done.stderr


def test_what_is_right_but_surprising_is_noted(tmp_path: Path) -> None:
    """A page no reader understands, no word at all, a shipped service replaced; still exit code 0."""
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[service]]\nslug = "github"\nname = "GitHub"\n'
        'status_pages = [{ url = "https://example.org", kind = "telegraph" }]\n',
        encoding="utf-8",
    )

    done = run("services", "check", path)

    assert done.exit_code == 0, done.output
    assert "no reader understands" in done.stderr
    assert "no alias" in done.stderr
    assert "replaced in the shipped catalogue: github" in done.stdout
    path.write_text("", encoding="utf-8")
    assert run("services", "check", path).exit_code == 2


def test_a_page_becomes_an_entry_that_loads(tmp_path: Path) -> None:
    """Kind, name and components as the page tells them; appended twice, checked each time, never written without."""
    mine = tmp_path / "mine.toml"
    with Loopback(PAGE) as one, Loopback(PAGE) as other:
        printed = run("services", "add", one.url, "--allow-private", "--slug", "kettle")
        assert list(tmp_path.iterdir()) == []
        first = run("services", "add", one.url, "--allow-private", "--slug", "kettle", "--write", mine)
        second = run("services", "add", other.url, "--allow-private", "--slug", "kettle-two", "--write", mine)
        again = run("services", "add", one.url, "--allow-private", "--slug", "third", "--write", mine)

    assert printed.exit_code == first.exit_code == second.exit_code == 0, printed.output + second.output
    (entry,) = tomllib.loads(printed.stdout)["service"]
    assert entry["slug"] == "kettle"
    assert entry["status_pages"] == [{"url": one.url, "kind": "statuspage", "allow_private": True}]
    assert "heating" in entry["components"]
    assert printed.stdout == first.stdout
    assert again.exit_code == 2
    assert "kettle has this page already" in again.stderr
    found = {service.slug for service in load_catalogue(extra=[mine])}
    assert {"kettle", "kettle-two"} <= found
    assert run("services", "check", mine).exit_code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["mine.toml"]


def test_an_entry_goes_where_the_settings_look_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file's name: into the one they name, else beside them; elsewhere it is said what to set."""
    monkeypatch.chdir(tmp_path)
    words = ("--allow-private", "--slug", "kettle", "--write")
    with Loopback(PAGE) as one:
        beside = run("services", "add", one.url, *words)
        elsewhere = run("services", "add", one.url, *words[:3], "--write", "other.toml")
        Path("detector.toml").write_text('[watch]\ncatalogue = "mine.toml"\n', encoding="utf-8")
        named = run("services", "add", one.url, *words)

    assert beside.exit_code == named.exit_code == 0, beside.output + named.output
    assert "watched by the next detector watch" in beside.stderr
    assert "[watch]" in elsewhere.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "detector.services.toml",
        "detector.toml",
        "mine.toml",
        "other.toml",
    ]
    assert run("services", "kettle").stdout.startswith("kettle ")


def test_a_page_that_is_not_there_or_private_is_refused(tmp_path: Path) -> None:
    """Exit code 1; nothing is written."""
    mine = tmp_path / "mine.toml"

    silent = run("services", "add", f"http://127.0.0.1:{unused_port()}", "--allow-private", "--write", mine)
    private = run("services", "add", "http://127.0.0.1:1/", "--write", mine)

    assert silent.exit_code == private.exit_code == 1
    assert not mine.exists()


def test_words_that_belong_to_another_are_left_out_and_a_taken_slug_is_refused() -> None:
    """The name of a service decides, and hostile names stay text."""
    taken = Service(slug="pot", name="Pot", aliases=("kettle",), status_pages=(StatusPage(url="https://pot.example"),))
    page = Detected(kind="feed", name="Kettle", components=(), url="https://status.kettle.example")

    entry, notes = proposal(page, [taken])
    (table,) = tomllib.loads(entry)["service"]
    assert table["aliases"] == ["status.kettle.example", "kettle.example"]
    assert "ambiguous" not in table
    assert any("names pot already" in note for note in notes)
    with pytest.raises(UsageError, match="--slug"):
        proposal(page, [taken], "pot")
    odd = Detected(kind="feed", name='Ke"t\n[[service]]\\', components=('a"]b',), url="https://odd.example/x?a=%22")
    (table,) = tomllib.loads(proposal(odd, [])[0])["service"]
    assert table["name"] == 'Ke"t [[service]]\\'
