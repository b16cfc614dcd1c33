"""`detector notify`: receivers on loopback are tried, and what a channel would be sent is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detector.cli import cli
from tests.loopback import Loopback, Reply, unused_port


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def key_of(database: Path) -> str:
    return run("alerts", "--db", database).stdout.split()[0]


def settings(folder: Path, text: str) -> Path:
    path = folder / "detector.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_receiver_gets_a_beginning_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slack webhook and a file: two messages each, one line each, exit code 0."""
    with Loopback({"/services/x": Reply("ok")}) as slack:
        monkeypatch.setenv("OUR_SLACK", f"{slack.url}/services/x")
        path = settings(
            tmp_path,
            '[receivers.ops]\ntype = "slack"\nwebhook_env = "OUR_SLACK"\nallow_loopback_http = true\n'
            f'[receivers.log]\ntype = "file"\npath = "{tmp_path}/log.jsonl"\n',
        )
        done = run("notify", "test", "--config", path)
        bodies = [json.loads(request.body) for request in slack.requests]

    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["ok    ops (slack)", "ok    log (file)"]
    assert len(bodies) == 2
    assert all("Test" in body["text"] for body in bodies)
    kept = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["type"] for each in kept] == ["opened", "resolved"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["detector.toml", "log.jsonl"]


def test_one_that_fails_does_not_keep_the_others_from_being_tried(tmp_path: Path) -> None:
    """Refused, without its key, and misconfigured: each says so, the good one is told, exit code 1."""
    path = settings(
        tmp_path,
        f'[receivers.down]\ntype = "webhook"\nurl = "http://127.0.0.1:{unused_port()}/"\nallow_loopback_http = true\n'
        '[receivers.keyless]\ntype = "slack"\nwebhook_env = "NOT_SET_HERE"\n'
        '[receivers.lost]\ntype = "file"\npath = "/no/such/folder/x"\n'
        f'[receivers.log]\ntype = "file"\npath = "{tmp_path}/log.jsonl"\n'
        '[receivers.resting]\ntype = "console"\nenabled = false\n',
    )

    done = run("notify", "test", "--config", path)

    said = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert said == {"down": "wrong", "keyless": "off", "lost": "wrong", "log": "ok"}
    assert done.exit_code == 1
    assert "3 of 4" in done.stderr
    assert "NOT_SET_HERE" not in done.stdout
    assert "no folder" in done.stdout


def test_only_the_named_receiver_is_tried(tmp_path: Path) -> None:
    """An unknown name is exit code 2 and names those there are."""
    path = settings(
        tmp_path,
        f'[receivers.a]\ntype = "file"\npath = "{tmp_path}/a"\n[receivers.b]\ntype = "file"\npath = "{tmp_path}/b"\n',
    )

    assert run("notify", "test", "b", "--config", path).exit_code == 0
    assert not (tmp_path / "a").exists()
    unknown = run("notify", "test", "c", "--config", path)
    assert unknown.exit_code == 2
    assert "a, b" in unknown.stderr


def test_a_preview_is_what_was_owed_and_can_be_read_by_the_channel(database: Path) -> None:
    """Slack's JSON, a mail, and the words of the console."""
    key = key_of(database)

    slack = json.loads(run("notify", "preview", key, "--channel", "slack").stdout)
    mail = run("notify", "preview", key, "--channel", "mail")
    console = run("notify", "preview", key, "--channel", "console")

    assert "Claude" in slack["text"]
    assert slack["blocks"]
    assert mail.stdout.startswith("Subject: ") or "\nSubject: " in mail.stdout
    assert f"detector explain {key}" in console.stdout


def test_a_preview_for_a_receiver_uses_its_own_wording_and_reason(database: Path) -> None:
    """By the name it is configured under, in its time zone; the end of an alert that still fires can be looked at."""
    path = settings(database.parent, '[receivers.night]\ntype = "console"\ntimezone = "Asia/Tokyo"\n')
    key = key_of(database)

    said = run("notify", "preview", key, "--channel", "night", "--config", path)
    end = run("notify", "preview", key, "--channel", "night", "--reason", "resolved", "--config", path)

    assert "Asia/Tokyo" in said.stdout
    assert "over after" in end.stdout


def test_an_unknown_channel_or_alert_is_said_with_the_known_ones(database: Path) -> None:
    """Exit code 2."""
    channel = run("notify", "preview", key_of(database), "--channel", "fax")
    alert = run("notify", "preview", "claude-1999", "--channel", "slack")

    assert channel.exit_code == alert.exit_code == 2
    assert "slack" in channel.stderr
    assert "claude-20261005T12" in alert.stderr
