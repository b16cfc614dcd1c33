"""The terminal as a receiver."""

from __future__ import annotations

import asyncio
import io

import pytest

from detector import registry
from detector.errors import ConfigError, DeliveryError
from detector.notify.console import build
from detector.protocols import Notifier
from detector.testing import check_notifier, check_notifier_failure
from tests.notify.builders import make_alert, make_evidence, make_notification


def test_the_message_is_printed_with_a_blank_line_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, as data is."""
    assert asyncio.run(build({}).send(make_notification())) is None

    shown = capsys.readouterr()
    assert shown.out.startswith("🟠 Claude")
    assert shown.out.endswith("\n\n")
    assert shown.err == ""


def test_a_terminal_command_in_a_quote_is_taken_apart() -> None:
    """An escape sequence that would set the window's title or clear the screen."""
    stream = io.StringIO()
    alert = make_alert(evidence=(make_evidence("1", "down\x1b]0;owned\x07\x1b[2J"),))

    asyncio.run(build({"stream": stream}).send(make_notification(alert=alert)))

    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()


def test_a_closed_output_is_a_permanent_failure() -> None:
    """Nobody can read it any more."""
    stream = io.StringIO()
    stream.close()

    with pytest.raises(DeliveryError) as caught:
        asyncio.run(build({"stream": stream}).send(make_notification()))

    assert caught.value.permanent


def test_names_and_zone_come_from_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """A service's own spelling, the reader's clock."""
    settings = {"names": {"claude": "Claude (Anthropic)"}, "timezone": "Asia/Kolkata"}

    asyncio.run(build(settings).send(make_notification()))

    out = capsys.readouterr().out
    assert "Claude (Anthropic)" in out
    assert "17:32 Asia/Kolkata" in out


def test_an_unknown_zone_is_refused() -> None:
    """Said at the start, not at the first alert."""
    with pytest.raises(ConfigError, match="Nowhere/At_All"):
        build({"timezone": "Nowhere/At_All"})


def test_it_comes_through_the_entry_point_and_fits_the_protocol() -> None:
    """As anybody's notifier would."""
    notifier = registry.load("notifiers", "console")({"receiver": "screen"})

    assert isinstance(notifier, Notifier)
    assert notifier.receiver == "screen"


def test_it_passes_the_conformance_suite() -> None:
    """Open and closed, as every notifier is checked."""
    closed = io.StringIO()
    closed.close()

    asyncio.run(check_notifier(lambda: build({"stream": io.StringIO()}), make_notification()))
    asyncio.run(check_notifier_failure(lambda: build({"stream": closed}), make_notification()))
