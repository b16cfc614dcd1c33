"""The two commands that show the board: `detector serve` in a browser, `detector top` in a terminal."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.app.page import writer
from detector.cli import cli
from detector.cli.serve import access
from detector.errors import UsageError
from detector.store import open_reader
from detector.web import create_app, make_server
from tests.web.asking import ask, page
from tests.web.town import Town

TOKEN = "x" * 43


def test_serving_others_needs_a_token() -> None:
    """This machine needs none; a short one is refused anywhere."""
    assert access("127.0.0.1", "") is None
    assert access("::1", TOKEN) == TOKEN
    assert access("192.0.2.7", f" {TOKEN}\n") == TOKEN
    with pytest.raises(UsageError, match="DETECTOR_WEB_TOKEN"):
        access("192.0.2.7", "")
    with pytest.raises(UsageError, match="43"):
        access("127.0.0.1", "short")


def test_a_database_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """Not in the browser."""
    done = CliRunner().invoke(cli, ["serve", "--port", "0", "--db", str(tmp_path / "none.db")])

    assert done.exit_code == 1
    assert "detector watch" in done.stderr


@pytest.mark.slow
def test_serve_shows_the_page_and_ends_in_time(place: Town) -> None:
    """A process of its own, read-only, ended by SIGTERM even with a stream open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", "serve", "--port", "0", "--db", str(place.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+)/ \(read-only", line)
        assert found, line
        port = int(found[1])
        answer = page(port, "/")
        status = ask(port, "/status.json")
        with socket.create_connection(("127.0.0.1", port), 10) as stream:
            stream.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert stream.recv(12) == b"HTTP/1.1 200"
            process.send_signal(signal.SIGTERM)
            code = process.wait(15)
    finally:
        process.kill()
        process.communicate()

    assert answer.status == status.status == 200
    assert "Read-only." in answer.text
    assert code in {0, -signal.SIGTERM}


def test_top_prints_the_board(place: Town) -> None:
    """Outages first; the words are those of the page."""
    done = CliRunner().invoke(cli, ["top", "--once", "--db", str(place.path)], env={"COLUMNS": "140"})

    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("Claude is failing")
    assert lines[3].split()[:2] == ["Failing", "Claude"]
    assert len(lines) >= 15


def test_the_daemon_can_serve_it_beside_its_loops(place: Town) -> None:
    """In its own event loop, without touching its signal handlers; it ends when it is told to."""

    async def daemon() -> tuple[int, bool]:
        app = create_app(lambda: open_reader(place.path), around=place.around(), act=writer(place.store))
        server = make_server(app, port=0)
        before = signal.getsignal(signal.SIGTERM)
        serving = asyncio.create_task(server.serve())
        answer = await asyncio.to_thread(page, server.port, "/")
        untouched = signal.getsignal(signal.SIGTERM) is before
        server.stop()
        await asyncio.wait_for(serving, 10)
        return answer.status, untouched

    assert asyncio.run(daemon()) == (200, True)
