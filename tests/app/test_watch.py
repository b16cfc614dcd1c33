"""`detector watch` as a process: settings read again on SIGHUP, the page beside it, and a database moved aside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from detector.app.clock import system_now
from detector.store import Store, open_reader
from detector.store.schema import MIGRATION_SET
from tests.cli.test_watch import feed, line_with, watch
from tests.loopback import Loopback, Reply, unused_port
from tests.status.pages import doc

SETTINGS = """
[watch]
services = ["claude"]
classifier = "keyword"
[sources.feeds]
google_news = false
mastodon = []
interval = 5
[sources.feeds.urls]
first = { url = "URL/first", allow_private = true }
[status]
enabled = false
[web]
enabled = true
port = PORT
"""
ATOM = {"Content-Type": "application/atom+xml"}


@pytest.mark.slow
def test_new_settings_are_taken_up_bad_ones_refused_and_the_page_stays(tmp_path: Path) -> None:
    """One process: a typing mistake changes nothing and is shown; a second feed is read after the next signal."""
    path = tmp_path / "detector.toml"
    with Loopback({"/first": Reply(feed(3), headers=ATOM), "/second": Reply(feed(5), headers=ATOM)}) as server:
        text = SETTINGS.replace("URL", server.url).replace("PORT", str(unused_port()))
        path.write_text(text, encoding="utf-8")
        seen: list[str] = []
        process = watch(tmp_path)
        try:
            line_with(process, "ready", seen)
            (page,) = re.findall(r"page: (http://\S+)", "".join(seen))
            path.write_text(text.replace("keyword", "keywrod") + "nonsense = 1\n", encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            refused = line_with(process, "reload refused", seen)
            refused += line_with(process, "reload refused", seen)
            with urllib.request.urlopen(f"{page}status.json", timeout=10) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
            path.write_text(
                text.replace("[status]", f'second = {{ url = "{server.url}/second", allow_private = true }}\n[status]'),
                encoding="utf-8",
            )
            process.send_signal(signal.SIGHUP)
            line_with(process, "new settings are taken up", seen)
            line_with(process, "ready", seen)
        finally:
            process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=20)

    assert process.returncode == 0, rest
    assert "keywrod" in refused
    assert "nonsense" in refused
    assert "/second" in server.paths()
    assert "Traceback" not in "".join(seen) + rest
    with open_reader(tmp_path / "detector.db") as reader:
        assert {each.source for each in reader.sources()} >= {"feed:first"}


@pytest.mark.slow
def test_a_service_that_was_added_is_watched_after_the_next_signal(tmp_path: Path) -> None:
    """`services add URL --write` beside a running daemon, SIGHUP, and its page is read."""
    page = {
        "/": Reply("<title>Kettle Status</title>", headers={"Content-Type": "text/html"}),
        "/api/v2/summary.json": doc("statuspage/summary_incident.json"),
    }
    with Loopback(page) as server:
        (tmp_path / "detector.toml").write_text(
            '[watch]\nservices = ["claude"]\nclassifier = "keyword"\n[sources]\n'
            '[status.pages]\nclaude = "http://127.0.0.1:1/"\n',
            encoding="utf-8",
        )
        process = watch(tmp_path)
        seen: list[str] = []
        try:
            line_with(process, "ready", seen)
            added = subprocess.run(
                [sys.executable, "-m", "detector", "services", "add", server.url, "--allow-private", "--write"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            process.send_signal(signal.SIGHUP)
            told = line_with(process, "watching 2 services", seen)
            line_with(process, "ready", seen)
            asked = len(server.requests)
            deadline = time.monotonic() + 20
            while len(server.requests) == asked and time.monotonic() < deadline:
                threading.Event().wait(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=20)

    assert added.returncode == 0, added.stderr
    assert process.returncode == 0, rest
    assert "status pages: 2" in told
    with open_reader(tmp_path / "detector.db") as reader:
        slugs = {each.service for each in reader.incidents()}
    assert any("kettle" in slug for slug in slugs), (slugs, seen, rest)


@pytest.mark.slow
def test_recover_begins_anew_and_says_where_the_old_one_is(tmp_path: Path) -> None:
    """Without it the damaged database is refused; with it the daemon runs, and the old file is still there."""
    (tmp_path / "detector.toml").write_text(
        '[watch]\nservices = ["claude"]\nclassifier = "keyword"\n[sources]\n[status]\nenabled = false\n',
        encoding="utf-8",
    )
    (tmp_path / "detector.db").write_bytes(b"SQLite format 3\0" + os.urandom(9000))

    first = watch(tmp_path, "--for", "0")
    _, said = first.communicate(timeout=60)
    second = watch(tmp_path, "--for", "0", "--recover")
    _, told = second.communicate(timeout=60)

    assert first.returncode == 1
    assert "damaged" in said
    assert second.returncode == 0, told
    (aside,) = tmp_path.glob("detector.db.corrupt-*")
    assert aside.name in told
    assert (tmp_path / "detector.db").stat().st_size > 0


def test_a_database_of_the_first_release_is_upgraded_with_all_it_holds(tmp_path: Path) -> None:
    """The schema before estimates: opened once, it has the column, and nothing else changed."""
    from detector.protocols import Harvest
    from tests.chaos.parts import complaint, engine_on, services

    now = system_now()
    path = tmp_path / "d.db"
    with Store.open(path, now=now) as store:
        engine = engine_on(store, services(1))
        engine.restore(now)
        engine.take("s", Harvest(posts=tuple(complaint(0, n, now) for n in range(5)), cursor="c"), now)
        store._conn.execute("DROP INDEX posts_estimated")
        store._conn.execute("ALTER TABLE posts DROP COLUMN weighed_at")
        store._conn.execute(
            "DELETE FROM _sqlite_migrations WHERE migration_set = ? AND name = 'posts_weighed_by_estimate'",
            (MIGRATION_SET,),
        )
        before = json.dumps(store._conn.execute("SELECT source, id, text, judged_at FROM posts").fetchall())

    with Store.open(path, now=now) as store:
        after = json.dumps(store._conn.execute("SELECT source, id, text, judged_at FROM posts").fetchall())
        assert store.estimated_posts(10) == []
        engine = engine_on(store, services(1))
        engine.restore(now)
        assert set(engine.pipeline.lifecycle.open) == {"zorbex0"}

    assert after == before
