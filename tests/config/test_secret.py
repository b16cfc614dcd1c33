"""A secret is given only to whoever asks for it by name."""

from __future__ import annotations

import copy
import logging
import pickle  # noqa: TID251 - to show that it is refused
from pathlib import Path

import pytest

from detector.config.secret import Secret, from_environment, from_file


def test_a_secret_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """repr, str, format, containers and logs show stars."""
    secret = Secret("canary-5150")
    logging.getLogger("test").warning("key=%s %r", secret, {"key": secret})

    assert "canary-5150" not in f"{secret}{secret!r}{[secret]}" + caplog.text
    assert secret.reveal() == "canary-5150"


def test_a_secret_is_not_copied_out_of_the_process() -> None:
    """Pickling and copying raise."""
    with pytest.raises(TypeError, match="not to be copied"):
        pickle.dumps(Secret("x"))
    with pytest.raises(TypeError, match="not to be copied"):
        copy.copy(Secret("x"))


def test_an_unset_or_blank_variable_is_no_secret() -> None:
    """None tells the component to stay off."""
    assert from_environment("KEY", {}) is None
    assert from_environment("KEY", {"KEY": "  "}) is None


def test_an_absent_empty_or_foreign_file_says_what_to_do(tmp_path: Path) -> None:
    """Each has its own message."""
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.touch(0o600)
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)

    for path, said in ((tmp_path / "absent", "No such file"), (empty, "is empty"), (binary, "is not text")):
        with pytest.raises(ValueError, match=said):
            from_file(path)
