"""The page over a filled database, served on 127.0.0.1, and a real browser where there is one."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from detector.app.page import writer
from detector.store import open_reader
from detector.web import create_app, make_server
from detector.web.server import PageServer
from tests.web.town import Town, town

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Site:
    """A running page."""

    address: str
    port: int
    town: Town
    app: Any


@contextmanager
def serve(app: Any) -> Iterator[PageServer]:
    """Serve in a thread while the block lasts."""
    server = make_server(app, port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    yield server
    server.stop()
    thread.join(15)
    assert not thread.is_alive(), "the server ends in time, open streams or not"


def serving(app: Any, place: Town) -> Iterator[Site]:
    """Serve in a thread until the test is over."""
    with serve(app) as server:
        yield Site(server.address.rstrip("/"), server.port, place, app)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A bad afternoon, filled once a module."""
    made = town(tmp_path_factory.mktemp("town") / "detector.db")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def site(place: Town) -> Iterator[Site]:
    """The daemon's page: it can write."""
    app = create_app(lambda: open_reader(place.path), around=place.around(), act=writer(place.store))
    yield from serving(app, place)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by playwright."""
    if CHROMIUM is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install -e '.[dev]')")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def artifacts() -> Path:
    """Where screenshots of tests are kept."""
    folder = Path(__file__).resolve().parents[2] / "out" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
