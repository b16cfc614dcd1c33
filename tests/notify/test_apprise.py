"""The optional library: absent it is off with a reason; present it really sends."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging

import pytest

from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.apprise import AppriseNotifier, build
from tests.loopback import Reply
from tests.notify.builders import make_alert, make_evidence, make_notification
from tests.notify.channels import Server

NEEDED = pytest.mark.skipif(importlib.util.find_spec("apprise") is None, reason="apprise, an extra, is not installed")


class Service:
    """What apprise shows us: one method that says whether it went well."""

    def __init__(self, outcome: bool | Exception) -> None:
        self.outcome = outcome
        self.got: list[dict[str, object]] = []

    def notify(self, **said: object) -> bool:
        self.got.append(said)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_the_message_is_handed_over_as_text() -> None:
    """Title apart, no escapes interpreted, the kind by the level."""
    service = Service(True)

    asyncio.run(AppriseNotifier(service).send(make_notification()))

    (said,) = service.got
    assert str(said["title"]).startswith("🟠 Claude")
    assert str(said["body"]).startswith("7 people")
    assert (said["notify_type"], said["body_format"], said["interpret_escapes"]) == ("warning", "text", False)


@pytest.mark.parametrize("outcome", [False, RuntimeError("key=S3CR3T")])
def test_a_failure_may_pass_and_shows_no_secret(outcome: bool | Exception) -> None:
    """Apprise does not say why."""
    with pytest.raises(DeliveryError) as caught:
        asyncio.run(AppriseNotifier(Service(outcome)).send(make_notification()))

    assert not caught.value.permanent
    assert "S3CR3T" not in str(caught.value)


def test_without_the_library_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apprise" else find(name))

    with pytest.raises(NotConfigured, match=r"outage-detector\[alerts\]"):
        build({"url": "ntfy://example.org/topic"})


@NEEDED
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_ntfy_message_arrives_with_nothing_of_it_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Through apprise's own ntfy client; the topic is a secret."""
    caplog.set_level(logging.DEBUG)
    alert = make_alert(evidence=(make_evidence("1", "<b>down</b> \\n **now** {{x}}"),))
    with Server(Reply("{}")) as server:
        notifier = build({"url": f"ntfy://127.0.0.1:{server.port}/S3CR3T"})
        asyncio.run(notifier.send(make_notification(alert=alert)))

    (request,) = server.requests
    assert json.loads(request.body)["title"].startswith("🟠 Claude")
    assert "S3CR3T" not in "".join(record.getMessage() for record in caplog.records if record.name == "apprise")


@NEEDED
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_address_that_apprise_does_not_know_is_a_mistake() -> None:
    """Unseen."""
    with pytest.raises(ConfigError, match="url") as caught:
        build({"url": "nosuch://S3CR3T"})

    assert "S3CR3T" not in str(caught.value)
