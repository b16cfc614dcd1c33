"""The log in a file: private, and whole across rotations of any kind."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.app.logs import configure
from detector.config.settings import load_settings
from detector.errors import ConfigError

log = logging.getLogger("detector.tests")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The handlers of the test runner come back."""
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("detector").level
    root.handlers = []
    yield
    for each in root.handlers:
        each.close()
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger("detector").setLevel(ours)


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_rotated_log_goes_on_in_a_new_file(tmp_path: Path, form: str) -> None:
    """Moved away: the next event begins a new file of the same rights. Removed: the same. Nothing is lost."""
    path = tmp_path / "detector.log"
    configure("info", form, path=path)

    log.info("before")
    path.rename(tmp_path / "detector.log.1")
    log.info("between")
    path.unlink()
    log.info("after")

    assert "before" in (tmp_path / "detector.log.1").read_text(encoding="utf-8")
    assert "between" not in (tmp_path / "detector.log.1").read_text(encoding="utf-8")
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if "after" in line]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_truncated_log_goes_on_at_its_beginning(tmp_path: Path) -> None:
    """What logrotate calls copytruncate: we append, so no hole of zeros appears."""
    path = tmp_path / "detector.log"
    configure("info", "human", path=path)

    log.info("before")
    path.write_bytes(b"")
    log.info("after")

    assert b"\0" not in path.read_bytes()
    assert path.read_text(encoding="utf-8").count("\n") == 1


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With the setting's name."""
    with pytest.raises(ConfigError, match=r"logging\.file: .*absent"):
        configure("info", "human", path=tmp_path / "absent" / "detector.log")


def test_the_file_lies_beside_the_settings(tmp_path: Path) -> None:
    """Unless its path says otherwise."""
    (tmp_path / "detector.toml").write_text('[logging]\nfile = "log/detector.log"\n', encoding="utf-8")

    assert load_settings(tmp_path / "detector.toml", {}).logging.file == tmp_path / "log" / "detector.log"
