"""Secrets stay where they are: every command and many failures with marked secrets, then a search in all that is left.

The servers on the other side are as nasty as can be: each refusal repeats the whole request, so a message that
quotes an answer would carry the secret into a log or the database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.app.clock import system_now
from detector.cli import cli
from detector.notify.preview import sample
from detector.store import Store, open_reader
from tests.chaos.lives import until
from tests.loopback import Reply, Request, unused_port
from tests.notify.channels import Server
from tests.web.asking import ask

MARK = "S3CR3T"
# By owner: the variable that holds the secret, and the secret; addresses get the server put before them.
SECRETS = {
    owner: f"{MARK}{owner}".ljust(32 if owner in {"pager", "file"} else 48, "0")
    for owner in (
        "slack", "bot", "discord", "teams", "hook", "signing", "pager", "genie", "mail", "heartbeat", "page",
        "x", "github", "reddit", "exchange", "mastodon", "push", "file",
    )
}  # fmt: skip
# Owners whose secret is an address of theirs.
ADDRESSES = {"slack", "discord", "teams", "hook", "heartbeat"}

SETTINGS = """
[watch]
services = ["claude", "github"]
classifier = "keyword"
[status]
enabled = true
interval = 5
[status.pages]
claude = "URL/page"
[logging]
level = "debug"
format = "json"
[web]
enabled = true
port = PORT
[sources.x]
token_env = "CANARY_X"
monthly_cap = 5
url = "URL/x"
[sources.github]
token_env = "CANARY_GITHUB"
url = "URL/github"
[sources.reddit]
client_id = "nobody"
client_secret_env = "CANARY_REDDIT"
reddit_url = "URL/reddit"
oauth_url = "URL/reddit"
[sources.stackexchange]
key_env = "CANARY_EXCHANGE"
url = "URL/exchange"
[sources.mastodon]
token_env = "CANARY_MASTODON"
servers = ["URL"]
[sources.webhook]
secret_env = "CANARY_PUSH"
port = 0
[receivers.slack]
webhook_env = "CANARY_SLACK"
LOOSE
[receivers.bot]
type = "slack"
token_env = "CANARY_BOT"
channel = "C1"
api = "URL/bot"
LOOSE
[receivers.discord]
webhook_env = "CANARY_DISCORD"
LOOSE
[receivers.teams]
webhook_env = "CANARY_TEAMS"
LOOSE
[receivers.hook]
type = "webhook"
url_env = "CANARY_HOOK"
secret_env = "CANARY_SIGNING"
LOOSE
[receivers.pager]
type = "pagerduty"
routing_key_env = "CANARY_PAGER"
api = "URL/pager"
LOOSE
[receivers.genie]
type = "opsgenie"
api_key_env = "CANARY_GENIE"
api = "URL/genie"
LOOSE
[receivers.keyfile]
type = "pagerduty"
routing_key_file = "pager.key"
api = "URL/file"
LOOSE
[receivers.mail]
host = "127.0.0.1"
port = CLOSED
user = "detector"
password_env = "CANARY_MAIL"
from = "detector@example.org"
to = ["oncall@example.org"]
timeout = 2
"""
LOOSE = "allow_loopback_http = true\ntimeout = 2"

# The child may not leave this machine, and does not try by other ways.
GUARD = """
import socket
honest = socket.socket.connect
def connect(self, address):
    if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(("127.", "::1")):
        raise OSError(101, "Network is unreachable")
    return honest(self, address)
socket.socket.connect = connect
"""


@dataclass
class Nasty:
    """A server that refuses everything and repeats what it was sent, in body, header and redirect."""

    seen: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        echo = f"{request.method} {request.path} {dict(request.headers)} {request.query} ".encode() + request.body
        shown = echo[:4000].decode("utf-8", "replace").replace("\r", " ").replace("\n", " ")
        kind = len(self.seen) % 5
        if kind == 0:
            return Reply(echo, status=400, headers={"X-Said": shown.encode("latin-1", "replace").decode("latin-1")})
        if kind == 1:
            return Reply(json.dumps({"ok": False, "error": shown, "message": shown}), status=200)
        if kind == 2:
            return Reply(echo, status=403)
        if kind == 3:
            return Reply(echo, status=302, headers={"Location": f"http://127.0.0.1:1{request.path}"})
        return Reply(echo, status=500, headers={"Retry-After": "1"})


@dataclass
class Place:
    """A folder with settings, and everything that was said in it.

    Attributes:
        port: the page's.
        said: output of every command, with the command before it.
    """

    folder: Path
    port: int
    env: dict[str, str]
    said: list[str] = field(default_factory=list)

    def run(self, *words: str) -> None:
        """One command in this process; a traceback is wanted, as it is what leaks."""
        result = CliRunner(env=self.env).invoke(cli, ["--debug", *words])
        shown = "".join(traceback.format_exception(result.exception)) if result.exception else ""
        self.said.append(f"$ {' '.join(words)}\n{result.output}{shown}")


@pytest.fixture
def nasty() -> Iterator[tuple[Server, Nasty]]:
    answer = Nasty()
    with Server(answer) as server:
        yield server, answer


@pytest.fixture
def place(tmp_path: Path, nasty: tuple[Server, Nasty]) -> Place:
    """Every channel, every source with a key, the heartbeat and the page, each with a secret of its own."""
    url = nasty[0].url
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    folder = tmp_path / "there"
    folder.mkdir()
    port = unused_port()
    shown = SETTINGS.replace("URL", url).replace("PORT", str(port)).replace("CLOSED", str(unused_port()))
    (folder / "detector.toml").write_text(shown.replace("LOOSE", LOOSE), encoding="utf-8")
    key = folder / "pager.key"
    key.write_text(SECRETS["file"], encoding="utf-8")
    key.chmod(0o600)
    given = {
        f"CANARY_{owner.upper()}": f"{url}/{owner}/{secret}" if owner in ADDRESSES else secret
        for owner, secret in SECRETS.items()
    }
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DETECTOR_")},
        **given,
        "DETECTOR_HEARTBEAT_URL": given["CANARY_HEARTBEAT"],
        "DETECTOR_WEB_TOKEN": SECRETS["page"],
        "DETECTOR_DEBUG": "1",
        "PYTHONPATH": f"{guard}{os.pathsep}{Path(__file__).parents[2]}",
        "PYTHONUNBUFFERED": "1",
    }
    return Place(folder=folder, port=port, env=env)


def owe(place: Place) -> None:
    """A message to everybody in the outbox."""
    now = system_now()
    with Store.open(place.folder / "detector.db", now=now) as store:
        for receiver in ("slack", "bot", "discord", "teams", "hook", "pager", "genie", "keyfile", "mail"):
            store.outbox.add(sample(receiver, now))


def listen(place: Place) -> list[str]:
    """The daemon until everybody was tried, with its page asked beside; returns the pages."""
    log = place.folder.with_name("watch.log")
    pages = []
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "detector", "--debug", "watch"],
            cwd=place.folder, env=place.env, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        ready = until(lambda: _answers(place.port) or process.poll() is not None, 60)
        assert ready, log.read_text(encoding="utf-8")[-3000:]
        until(lambda: _all_tried(place.folder), 30)
        for path in ("/", "/sources", "/proof", "/s/claude", "/metrics", "/api/board", "/api/sources", "/nowhere"):
            got = ask(place.port, path, Authorization=f"Bearer {SECRETS['page']}")
            pages.append(f"{path} {got.headers} {got.text}")
        pages.append(ask(place.port, "/api/board", Authorization="Bearer wrong").text)
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.wait(10)
    place.said.append("$ watch\n" + log.read_text(encoding="utf-8"))
    return pages


def _all_tried(folder: Path) -> bool:
    """Whether every receiver was sent its message at least once, and said no."""
    with open_reader(folder / "detector.db") as reader:
        return all(each.failed for each in reader.notifications())


def _answers(port: int) -> bool:
    try:
        return ask(port, "/login").status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_no_secret_is_said_written_or_shown(
    place: Place, nasty: tuple[Server, Nasty], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in output, logs, database, its log, backups and pages, nor in what a stranger is sent."""
    answer = nasty[1]
    monkeypatch.chdir(place.folder)
    owe(place)
    place.run("notify", "test")
    place.run("doctor", "--offline", "--send")
    pages = listen(place)
    for words in (
        ("status",), ("status", "--json"), ("sources",), ("alerts", "--level", "watch"), ("explain", "nothing"),
        ("sources", "test", "x"), ("sources", "test", "github"), ("notify", "preview"), ("services", "claude"),
        ("silence", "claude", "--for", "1h"), ("backup", str(place.folder / "copy.tar")), ("top", "--once"),
        ("forget", "--post", "x", "1"),
    ):  # fmt: skip
        place.run(*words)
    (place.folder / "detector.toml").write_text(
        f'[receivers.slack]\nwebhook = "http://127.0.0.1/{SECRETS["slack"]}"\n', encoding="utf-8"
    )
    place.run("doctor")

    assert answer.seen, "the servers were asked"
    assert any("refused" in each or "answered" in each for each in place.said)
    for each in place.said:
        assert MARK not in each, [line for line in each.splitlines() if MARK in line][:3]
    for each in pages:
        assert MARK not in each, each[each.index(MARK) - 200 :][:400]
    for path in place.folder.rglob("*"):
        if path.is_file() and path.name not in {"pager.key", "detector.toml"}:
            assert MARK.encode() not in path.read_bytes(), path
    with tarfile.open(place.folder / "copy.tar") as backup:
        for member in backup.getmembers():
            body = backup.extractfile(member)
            assert body is not None
            assert MARK.encode() not in body.read(), member.name
    strangers(answer.seen)


def strangers(seen: list[Request]) -> None:
    """A secret goes to its owner's address only."""
    asked: dict[str, int] = {}
    for request in seen:
        whole = f"{request.path} {request.headers} {request.query}".encode() + request.body
        for owner, secret in SECRETS.items():
            if secret.encode() in whole:
                asked[owner] = asked.get(owner, 0) + 1
                place = {"signing": "hook", "mastodon": "api"}.get(owner, owner)
                assert request.path.startswith(f"/{place}"), (owner, request.path)
    # The test is worth something only if the secrets were used.
    assert {"slack", "bot", "discord", "teams", "hook", "pager", "genie", "file"} <= set(asked)
