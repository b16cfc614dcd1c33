"""`detector watch` as a process: what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from detector.app.clock import system_now
from detector.domain import format_time
from detector.errors import StoreError
from detector.store import Store, open_reader
from tests.loopback import Loopback, Reply, unused_port

SETTINGS = """
[watch]
services = ["claude"]
[sources.feeds]
google_news = false
mastodon = []
interval = 5
urls = { here = "http://127.0.0.1:PORT/feed" }
[status]
enabled = false
"""


def watch(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "detector", "watch", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def settings(folder: Path, port: int) -> None:
    (folder / "detector.toml").write_text(SETTINGS.replace("PORT", str(port)), encoding="utf-8")


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        pytest.skip("memory is read from /proc")
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def line_with(process: subprocess.Popen[str], word: str, seen: list[str]) -> str:
    """Read stderr until a line holds `word`."""
    assert process.stderr is not None
    for line in process.stderr:
        seen.append(line)
        if word in line:
            return line
    raise AssertionError(f"{word!r} never came: {seen}")


def test_an_unwritable_database_is_said(tmp_path: Path) -> None:
    """A folder that is not there, and a folder in the database's place: what, where, what to do, exit code 1."""
    (tmp_path / "folder.db").mkdir()

    for path in ("absent/d.db", "folder.db"):
        process = watch(tmp_path, "--db", path)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1, said
        assert path in said
        assert "Traceback" not in said


def test_a_second_daemon_on_one_database_is_refused(tmp_path: Path) -> None:
    """Exit code 3, naming the holder."""
    with Store.open(tmp_path / "detector.db", now=system_now()):
        process = watch(tmp_path)
        _, said = process.communicate(timeout=60)

    assert process.returncode == 3
    assert str(os.getpid()) in said


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """And left as it was."""
    (tmp_path / "detector.db").write_text("not a database, but somebody's notes", encoding="utf-8")
    process = watch(tmp_path)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "detector.db" in said
    assert (tmp_path / "detector.db").read_text(encoding="utf-8") == "not a database, but somebody's notes"


@pytest.mark.slow
def test_watch_starts_quickly_says_what_it_cannot_reach_and_ends_on_sigterm(tmp_path: Path) -> None:
    """Within three seconds to the first poll (five on a busy machine), under 250 MB, exit code 0 on SIGTERM."""
    settings(tmp_path, unused_port())
    seen: list[str] = []
    began = time.perf_counter()
    process = watch(tmp_path)
    try:
        unreachable = line_with(process, "unreachable", seen)
        to_first_poll = time.perf_counter() - began
        if not any("ready" in line for line in seen):
            line_with(process, "ready", seen)
        memory = resident(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=15)

    assert process.returncode == 0, rest
    assert "feed:here" in unreachable
    assert to_first_poll < 5
    assert memory < 250_000_000
    with open_reader(tmp_path / "detector.db") as reader:
        assert reader.latest_checkpoint() is not None
        assert reader.coverage("feed:here")


def feed(count: int) -> str:
    """An Atom feed of so many complaints, newest last."""
    now = format_time(system_now())
    entries = "".join(
        f"<entry><id>tag:example.org,2026:{n}</id><title>Claude is down for me, number {n}</title>"
        f"<author><name>person {n}</name></author><updated>{now}</updated></entry>"
        for n in range(count)
    )
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}</feed>'


def accepted(database: Path, at_least: int) -> int:
    """How many posts a running daemon has taken in, waiting until there are enough."""
    for _ in range(200):
        try:
            with open_reader(database) as reader:
                found = sum(each.accepted for each in reader.sources())
        except StoreError:
            found = 0
        if found >= at_least:
            return found
        threading.Event().wait(0.1)
    raise AssertionError(f"{found} posts after twenty seconds")


@pytest.mark.slow
def test_a_killed_daemon_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9 after 30 posts; the next one takes in the ten new ones only, and judges all."""
    with Loopback({"/feed": Reply(feed(30), headers={"Content-Type": "application/atom+xml"})}) as server:
        settings(tmp_path, server.port)
        text = (tmp_path / "detector.toml").read_text(encoding="utf-8")
        here = f'{{ url = "{server.url}/feed", allow_private = true }}'
        (tmp_path / "detector.toml").write_text(text.replace(f'"{server.url}/feed"', here), encoding="utf-8")
        first = watch(tmp_path)
        try:
            assert accepted(tmp_path / "detector.db", 30) == 30
        finally:
            first.kill()
            first.communicate(timeout=15)
        server.routes["/feed"] = Reply(feed(40), headers={"Content-Type": "application/atom+xml"})
        second = watch(tmp_path)
        try:
            assert accepted(tmp_path / "detector.db", 40) == 40
        finally:
            second.send_signal(signal.SIGTERM)
            _, said = second.communicate(timeout=15)

    assert second.returncode == 0, said
    with open_reader(tmp_path / "detector.db") as reader:
        posts = reader.posts(limit=1000)
        assert len(posts) == 40
        assert reader.pending_posts() == []
        assert len(list(reader.judgements_after(0))) == 40
        assert not any("person" in (post.author or "") for post in posts)
