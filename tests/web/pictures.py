"""Pictures of the pages for the README: `python -m tests.web.pictures` writes small PNGs into data/pictures."""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from detector.app.page import writer
from detector.store import open_reader
from detector.web import create_app
from tests.web.conftest import CHROMIUM, FLAGS, serving
from tests.web.town import town

FOLDER = Path(__file__).resolve().parents[2] / "data" / "pictures"
SHOTS = (
    ("board", "/", 1280, 860, "light"),
    ("board-dark", "/", 1280, 860, "dark"),
    ("board-phone", "/", 360, 780, "light"),
    ("service", "/s/claude?range=24h", 1280, 1150, "light"),
    ("service-phone", "/s/claude?range=24h", 360, 780, "dark"),
    ("alert", "/a/claude-20260302T1334", 1280, 1100, "dark"),
    ("proof", "/proof", 1280, 1150, "light"),
    ("sources", "/sources", 1280, 620, "light"),
)


def main() -> int:
    """Fill a town, open its pages, keep what is seen."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        sys.stderr.write("needs chromium (apt-get install chromium)\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        place = town(Path(folder) / "town.db")
        app = create_app(lambda: open_reader(place.path), around=place.around(), act=writer(place.store))
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for site in serving(app, place):
            for name, path, width, height, theme in SHOTS:
                scheme = "dark" if theme == "dark" else "light"
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(site.address + path)
                page.wait_for_timeout(700)
                shot = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(96, dither=Image.Dither.NONE)
                shot.save(FOLDER / f"{name}.png", optimize=True)
                page.close()
        browser.close()
        place.store.close()
    for made in sorted(FOLDER.glob("*.png")):
        sys.stdout.write(f"{made.name} {made.stat().st_size / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
