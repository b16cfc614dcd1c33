"""Files of others are exactly those that were published, and nothing of them is fetched at run time."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "detector" / "web"


@pytest.mark.parametrize(
    "folder", [WEB / "static" / "vendor", ROOT / "tests" / "web" / "vendor"], ids=lambda p: p.parts[-3]
)
def test_a_vendored_file_is_the_published_one(folder: Path) -> None:
    """Name, version, licence and sha256 stand beside it."""
    stated = json.loads((folder / "vendored.json").read_text(encoding="utf-8"))

    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    del files["vendored.json"]
    assert stated["files"] == files
    assert stated["version"]
    assert stated["license"] in {"MIT", "MPL-2.0"}
    assert any("LICENSE" in name for name in files)


def test_our_pages_name_no_other_site() -> None:
    """No address in templates, styles and scripts but this one's own paths (and the names of XML namespaces)."""
    ours = [*WEB.glob("templates/*.html"), *(path for path in (WEB / "static").iterdir() if path.is_file())]

    found = {address for path in ours for address in re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text("utf-8"))}
    assert found <= {"http://www.w3.org"}


def test_no_template_trusts_text() -> None:
    """Nothing is marked safe in a template, and no code or style stands inline."""
    for path in WEB.glob("templates/*.html"):
        text = path.read_text("utf-8")
        assert "|safe" not in text
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", text), path.name
