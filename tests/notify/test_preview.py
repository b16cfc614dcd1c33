"""What would be sent, and a sample to try with."""

from __future__ import annotations

import json

import pytest

from detector import registry
from detector.domain import Reason
from detector.errors import UsageError
from detector.notify.preview import CHANNELS, preview, sample
from tests.notify.builders import NOON, story


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_has_a_preview(channel: str) -> None:
    """With the words of the message in it."""
    assert "over after 1 h" in preview(story()["resolved"], channel) or channel == "pagerduty"
    assert "login does not work" in preview(story()["opened"], channel)


def test_every_notifier_of_ours_can_be_previewed() -> None:
    """By its type."""
    assert set(CHANNELS) == set(registry.names("notifiers"))


def test_an_unknown_channel_is_a_mistake_of_the_caller() -> None:
    """With the known ones."""
    with pytest.raises(UsageError, match="slack"):
        preview(story()["opened"], "fax")


@pytest.mark.parametrize("reason", [Reason.OPENED, Reason.RESOLVED])
def test_a_sample_says_that_it_is_one(reason: Reason) -> None:
    """Its beginning and its end belong together, so a pager can be tried without leaving an incident behind."""
    owed = sample("ops", NOON, reason=reason)

    assert owed.alert.key == sample("ops", NOON).alert.key
    assert "Test" in preview(owed, "console")
    assert json.loads(preview(owed, "webhook"))["type"] == reason.value


def test_buttons_are_previewed_where_people_can_answer() -> None:
    """As the receiver would send them."""
    owed = story()["opened"]

    assert "detector.not_ours" in preview(owed, "slack", ask=True)
    assert "detector.not_ours" not in preview(owed, "slack")
