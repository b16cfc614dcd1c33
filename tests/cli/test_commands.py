"""Commands on a database that holds a recorded morning: what is shown, and how each ends."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detector.app.clock import system_now
from detector.app.engine import Engine
from detector.cli import cli
from detector.config.settings import load_settings
from detector.domain import MINUTE, Coverage, CoverageState
from detector.protocols import Harvest
from detector.store import Store
from tests.app.morning import engine_on, scenario, warm_database


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which Claude has been failing for eight minutes."""
    path = warm_database(tmp_path_factory.mktemp("cli") / "morning.db")
    start = scenario().starts_at
    with Store.open(path, now=start) as store:
        engine: Engine = engine_on(store)
        engine.restore(start)
        for n in range(38):
            now = start + (n + 1) * MINUTE
            new = tuple(post for post in scenario().posts if now - MINUTE < post.seen_at <= now)
            engine.take("all", Harvest(posts=new, rejected=(("too long", 1),)), now)
        engine.checkpoint(start + 38 * MINUTE)
    return path


@pytest.fixture
def db(morning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(morning, tmp_path / "detector.db"))


def heard_just_now(path: Path) -> None:
    now = system_now()
    span = Coverage(source="hackernews", from_at=now - MINUTE, to_at=now, state=CoverageState.OK)
    with Store.open(path, now=now) as store:
        store.add_coverage([span])


def test_alerts_are_listed_and_explained(db: Path) -> None:
    """The key of the one leads to the story of the other."""
    listed = run("alerts")
    key = listed.stdout.split()[0]
    told = run("explain", key)

    assert listed.exit_code == told.exit_code == 0
    assert key.startswith("claude-20261005T12")
    assert "still firing" in listed.stdout
    for part in ("The argument", "What people said", "The official page", "Who was told", "console: told"):
        assert part in told.stdout


def test_alerts_as_json_are_the_lines_of_the_contract(db: Path) -> None:
    """One object a line, as in alerts.jsonl."""
    (line,) = run("alerts", "--json").stdout.splitlines()
    alert = json.loads(line)

    assert {
        "key",
        "service",
        "level",
        "onset_at",
        "fired_at",
        "ended_at",
        "people",
        "expected",
        "score",
        "evidence",
    } <= set(alert)
    assert run("alerts", "--service", "github").stdout == ""
    assert run("alerts", "--service", "github").stderr == "no alerts\n"


def test_an_unknown_alert_names_the_latest(db: Path) -> None:
    """Exit code 2."""
    done = run("explain", "claude-1999")

    assert done.exit_code == 2
    assert "the latest are claude-20261005T12" in done.stderr


def test_status_is_an_exit_code(db: Path) -> None:
    """1 for the outage, 2 for services nobody hears about; an outage of the morning stands although all is silent."""
    both = run("status")
    outage = run("status", "claude", "--json")
    unknown = run("status", "github")

    assert both.exit_code == 1
    assert json.loads(outage.stdout)["state"] == "outage"
    assert outage.exit_code == 1
    assert unknown.exit_code == 2
    assert "unknown" in unknown.stdout


def test_status_is_fine_when_somebody_listens(db: Path) -> None:
    """A source heard a minute ago: no outage, still learning, exit code 0."""
    heard_just_now(db)

    done = run("status", "github", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["state"] in {"ok", "learning"}


def test_status_without_a_database_is_unknown_not_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, as for every blindness."""
    monkeypatch.chdir(tmp_path)

    done = run("status")

    assert done.exit_code == 2
    assert "unknown" in done.stderr
    assert run("status", "nobody").exit_code == 2


def test_sources_add_up(db: Path) -> None:
    """Accepted, duplicate and rejected, with reasons; a source unheard for a month is stale."""
    rows = {json.loads(line)["source"]: json.loads(line) for line in run("sources", "--json").stdout.splitlines()}

    assert rows["all"]["rejected"] == {"too long": 38}
    assert rows["all"]["accepted"] > 100
    assert rows["all"]["state"] == "stale"
    assert "rejected 38: too long" in run("sources").stdout


def test_a_silence_begins_is_listed_and_ends(db: Path) -> None:
    """Its id is the only thing on stdout."""
    name = run("silence", "add", "claude", "--for", "2h", "--comment", "known").stdout.strip()

    assert name in run("silence", "list").stdout
    assert run("silence", "end", name).exit_code == 0
    assert run("silence", "list").stdout == ""
    assert run("silence", "end", name).exit_code == 1


@pytest.mark.parametrize(
    "words", [("nobody", "--for", "2h"), ("claude", "--for", "soon"), ("claude", "--for", "9999d")]
)
def test_a_silence_that_makes_no_sense_is_refused(db: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is silent."""
    assert run("silence", "add", *words).exit_code == 2
    assert run("silence", "list").stdout == ""


def test_beside_a_daemon_requests_are_left_for_it(db: Path) -> None:
    """The command ends well, and the daemon finds the request."""
    with Store.open(db, now=system_now()):
        done = run("silence", "add", "*", "--for", "1d")

    assert done.exit_code == 0
    assert "daemon takes it up" in done.stderr
    assert len(list(db.with_name("detector.db.requests").glob("*.json"))) == 1


def test_feedback_is_kept(db: Path) -> None:
    """And shown by explain; an unknown alert is refused."""
    key = run("alerts").stdout.split()[0]

    assert run("feedback", key, "true", "--comment", "we felt it").exit_code == 0
    assert "feedback" in run("explain", key).stdout
    assert "we felt it" in run("explain", key).stdout
    assert run("feedback", "claude-1999", "true").exit_code == 2


def test_a_post_is_forgotten_with_its_quotes(db: Path) -> None:
    """Its words are nowhere in the files afterwards."""
    words = b"is claude down or did I finally break it"
    post = next(each for each in scenario().posts if each.text.encode() == words)
    assert words in db.read_bytes()

    assert run("forget", "--post", post.source, post.id).exit_code == 0
    assert "did I finally break it" not in run("explain", run("alerts").stdout.split()[0]).stdout
    assert run("forget").exit_code == 2


def test_services_are_found_by_name_and_alias() -> None:
    """Whatever matches; nothing is an error."""
    assert "claude" in run("services", "anthropic").stdout
    assert {json.loads(line)["slug"] for line in run("services", "--json", "github").stdout.splitlines()} >= {"github"}
    assert run("services", "no such thing").exit_code == 1


def test_init_writes_a_file_that_loads_and_never_overwrites(tmp_path: Path) -> None:
    """The second time is exit code 2, and the file is as it was."""
    path = tmp_path / "detector.toml"

    assert run("init", path).exit_code == 0
    load_settings(path, {})
    path.write_text("# mine\n", encoding="utf-8")
    assert run("init", path).exit_code == 2
    assert path.read_text(encoding="utf-8") == "# mine\n"
    assert run("init", tmp_path / "absent" / "x.toml").exit_code == 2


def test_the_doctor_says_what_is_wrong_offline(db: Path) -> None:
    """A receiver without its key is a note; a healthy rest ends with 0."""
    settings = db.with_name("d.toml")
    settings.write_text('[receivers.ops]\ntype = "slack"\nwebhook_env = "NOT_SET_HERE"\n', encoding="utf-8")

    done = run("doctor", "--offline", "--config", settings)

    assert done.exit_code == 0, done.output
    assert "note  plug-ins: receivers.ops is off" in done.stdout
    assert "ok    database" in done.stdout


def test_wrong_settings_are_all_named_by_every_command(tmp_path: Path) -> None:
    """File and line, exit code 2, no traceback."""
    path = tmp_path / "detector.toml"
    path.write_text('[watch]\nbudget = "x"\nservice = []\n', encoding="utf-8")

    for words in (["watch"], ["status"], ["doctor"], ["alerts"], ["sources"]):
        done = run(*words, "--config", path)
        assert done.exit_code == 2, words
        assert f"{path}:2: watch.budget" in done.stderr
        assert f"{path}:3: watch.service: unknown setting; did you mean services?" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_morning_fired_when_it_should(db: Path) -> None:
    """The fixture is what the other tests think it is."""
    with Store.open(db, now=system_now()) as store:
        (alert,) = store.read.alerts()

    assert alert.fired_at is not None
    assert alert.fired_at - scenario().starts_at < timedelta(minutes=34)
