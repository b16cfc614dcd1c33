"""The README's pictures and thread, from the demo: `make pictures` writes small PNGs into data/pictures.

The demo's morning is played twice: cut off at 12:52, while the outage lasts, and whole. `--all` keeps every page in
both themes at phone and desk width in out/pictures besides, to be looked at.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.app.build import blueprint
from detector.app.demo import run_demo
from detector.app.page import page_surroundings
from detector.app.scenario import load_scenario
from detector.backfill.postmortem import html
from detector.cli.report import gather
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import parse_time
from detector.store import open_reader
from detector.web import create_app
from tests.web.conftest import CHROMIUM, FLAGS, artifacts, serve
from tests.web.thread import thread_page, thread_text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
FOLDER, README = ROOT / "data" / "pictures", ROOT / "README.md"
CUT = "2026-10-05T12:52:00Z"
OVER = "2026-10-05T14:20:00Z"
DESK, WIDE, PHONE = 1280, 1440, 360


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: where, how wide, how high (0: all of it), in which theme."""

    name: str
    path: str
    width: int = DESK
    height: int = 860
    theme: str = "light"


DURING = (
    Shot("board", "/"),
    Shot("board-dark", "/", theme="dark"),
    Shot("board-phone", "/", PHONE, 780),
    Shot("service", "/s/claude?range=1h", height=1150),
    Shot("service-phone", "/s/claude?range=1h", PHONE, 780, "dark"),
)
AFTER = (
    Shot("alert", "/a/KEY", height=1100, theme="dark"),
    Shot("proof", "/proof", height=1000),
    Shot("sources", "/sources", height=620),
)


@dataclass(frozen=True, slots=True)
class Played:
    """A demo's outcome."""

    folder: Path
    key: str
    at: datetime

    @contextmanager
    def page(self) -> Iterator[str]:
        """The page over its database at that time; its address."""
        plan = blueprint(Settings(), load_catalogue())
        path = self.folder / "demo.db"
        app = create_app(lambda: open_reader(path), around=page_surroundings(plan, lambda: self.at))
        with serve(app) as server:
            yield server.address.rstrip("/")


def play(folder: Path, until: str | None) -> Played:
    """The demo, cut off at a time or whole."""
    folder.mkdir()
    scenario = load_scenario("claude-monday")
    if until is not None:
        end = parse_time(until)
        posts = tuple(post for post in scenario.posts if post.seen_at <= end)
        scenario = replace(scenario, posts=posts, last_at=end, ends_at=end)
    alert = asyncio.run(run_demo(scenario, folder, lambda _: None, speed=None))
    assert alert is not None
    return Played(folder, alert.key, parse_time(until or OVER))


def shoot(browser: Browser, address: str, shot: Shot) -> bytes:
    """One page as it is seen."""
    scheme: Any = "dark" if shot.theme == "dark" else "light"
    page = browser.new_page(viewport={"width": shot.width, "height": shot.height or 900}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_timeout(700)
    taken = page.screenshot(full_page=not shot.height)
    page.close()
    return taken


def keep(taken: bytes, to: Path) -> None:
    """As a small PNG."""
    from PIL import Image

    picture = (
        Image.open(BytesIO(taken)).convert("RGB").quantize(224, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(to, optimize=True)
    sys.stdout.write(f"{to.name} {to.stat().st_size / 1000:.0f} kB\n")


def main() -> int:
    """Play, look, keep."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        sys.stderr.write("needs chromium (apt-get install chromium)\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        during, after = play(Path(name) / "during", CUT), play(Path(name) / "after", None)
        with sync_playwright() as driver:
            take(driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS), during, after)
    return 0


def take(browser: Browser, during: Played, after: Played) -> None:
    """Every picture."""
    files = _files(after)
    for played, shots in ((during, DURING), (after, AFTER)):
        with played.page() as address:
            for shot in shots:
                path = shot.path.replace("KEY", played.key)
                keep(shoot(browser, address + path, shot), FOLDER / f"{shot.name}.png")
            if "--all" in sys.argv:
                _everything(browser, played, address, files)
    keep(shoot(browser, files["report"], Shot("", "", 1000, 1250)), FOLDER / "report.png")
    keep(shoot(browser, files["thread"], Shot("", "", 720, 0)), FOLDER / "thread.png")
    tell(json.loads((after.folder / "slack.json").read_text(encoding="utf-8")))
    browser.close()


def tell(messages: list[dict[str, Any]]) -> None:
    """Bring the README's thread up to date."""
    text = README.read_text(encoding="utf-8")
    begin, end = "<!-- thread -->\n```\n", "\n```\n<!-- end thread -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.stderr.write("the README has no place for the thread\n")
        return
    README.write_text(f"{before}{begin}{thread_text(messages)}{end}{after}", encoding="utf-8")


def _files(played: Played) -> dict[str, str]:
    """The pages that are files: the report, and the thread as a chat shows it."""
    with open_reader(played.folder / "demo.db") as reader:
        report = html(gather(reader, played.key))
    messages = json.loads((played.folder / "slack.json").read_text(encoding="utf-8"))
    found = {}
    for name, text in (("report", report), ("thread", thread_page(messages, "outages"))):
        path = played.folder / f"{name}.html"
        path.write_text(text, encoding="utf-8")
        found[name] = path.as_uri()
    return found


def _everything(browser: Browser, played: Played, address: str, files: dict[str, str]) -> None:
    """Every page, both themes, both widths."""
    when = "during" if played.at == parse_time(CUT) else "after"
    pages = {
        "board": f"{address}/",
        "service": f"{address}/s/claude?range=24h",
        "calm": f"{address}/s/zoom?range=7d",
        "alert": f"{address}/a/{played.key}",
        "proof": f"{address}/proof",
        "sources": f"{address}/sources",
        **(files if when == "after" else {}),
    }
    for name, path in pages.items():
        for width in (WIDE, PHONE):
            for theme in ("light", "dark"):
                taken = shoot(browser, path, Shot(name, path, width, 0, theme))
                (artifacts() / f"demo-{when}-{name}-{width}-{theme}.png").write_bytes(taken)


if __name__ == "__main__":
    sys.exit(main())
