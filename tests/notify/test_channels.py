"""Each channel by its documented protocol: what is sent, what confirms, and the golden bodies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from detector import registry
from detector.domain import AlertState, Notification, Reason
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.discord import discord_payload
from detector.notify.document import document
from detector.notify.mail import mail_of
from detector.notify.opsgenie import opsgenie_requests
from detector.notify.pagerduty import pagerduty_events
from detector.notify.render import Wording, message
from detector.notify.settings import wording_of
from detector.notify.teams import teams_payload
from detector.protocols import Notifier
from detector.testing import check_notifier, check_notifier_failure
from tests.loopback import Reply
from tests.notify.builders import make_alert, make_notification, minute, more_story, storm, story
from tests.notify.channels import CHANNELS, SECRET, Channel, Server
from tests.notify.test_render import check_golden

PAGE = Wording(page="https://detector.example.org", names={"aws": "AWS"})
TOLD = {name: {**story(), **more_story()}[name] for name in ("opened", "acknowledged", "resolved", "storm")}
BODIES: dict[str, Callable[[Notification], Any]] = {
    "discord": lambda owed: discord_payload(message(owed, PAGE)),
    "teams": lambda owed: teams_payload(message(owed, PAGE)),
    "webhook": lambda owed: document(owed, PAGE),
    "pagerduty": lambda owed: pagerduty_events(owed, PAGE),
    "opsgenie": lambda owed: opsgenie_requests(owed, PAGE),
}


def named(name: str) -> Channel:
    return next(channel for channel in CHANNELS if channel.name == name)


def sent(channel: Channel, *owed: Notification) -> tuple[list[str | None], list[Any]]:
    """What the notifier returned, and the requests."""

    async def all_of_it(url: str) -> list[str | None]:
        notifier = channel.make(url)
        try:
            return [await notifier.send(one) for one in owed]
        finally:
            await notifier.aclose()

    with Server(channel.answer) as server:
        return asyncio.run(all_of_it(server.url)), list(server.requests)


def body_of(request: Any) -> dict[str, Any]:
    found = json.loads(request.body)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", sorted(TOLD))
@pytest.mark.parametrize("channel", sorted(BODIES))
def test_the_body_of_each_channel_is_as_reviewed(channel: str, name: str) -> None:
    """Golden: what the channel is sent."""
    shown = json.dumps(BODIES[channel](TOLD[name]), ensure_ascii=False, indent=2)

    check_golden(f"{name}.{channel}.json", shown + "\n")


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_mail_is_as_reviewed(name: str) -> None:
    """Golden: headers and text."""
    mail = mail_of(TOLD[name], PAGE, sender="detector@example.org", to=("oncall@example.org",))

    shown = "".join(f"{header}: {value}\n" for header, value in mail.items() if header != "Message-ID")
    check_golden(f"{name}.mail.txt", f"{shown}\n{mail.get_content()}")


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_passes_the_conformance_suite(channel: Channel) -> None:
    """Accepted, used again, closed twice; refused."""
    with Server(channel.answer) as server:
        asyncio.run(check_notifier(lambda: channel.make(server.url), make_notification()))
        server.now(channel.refusals[0])
        error = asyncio.run(check_notifier_failure(lambda: channel.make(server.url), make_notification()))

    assert error.permanent
    assert SECRET not in str(error)


@pytest.mark.parametrize("plugin", sorted(set(registry.names("notifiers")) - {"console"}))
def test_a_channel_without_its_key_is_off_with_a_reason(plugin: str) -> None:
    """Not an error: the rest goes on."""
    with pytest.raises(NotConfigured, match="receiver ops"):
        registry.load("notifiers", plugin)({"receiver": "ops"})


@pytest.mark.parametrize("plugin", registry.names("notifiers"))
def test_every_notifier_of_the_registry_loads(plugin: str) -> None:
    """The entry points name what there is."""
    assert callable(registry.load("notifiers", plugin))


def test_the_webhook_is_signed_over_id_time_and_body() -> None:
    """As Standard Webhooks asks; checked here from scratch."""
    owed = replace(make_notification(), tried_at=minute(9))

    (reference,), (request,) = sent(named("webhook"), owed)

    head = request.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + request.body
    digest = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{digest}"
    assert head["webhook-timestamp"] == str(int(minute(9).timestamp()))
    assert (reference, body_of(request)["version"]) == ("claude-20260302T1204", 1)


def test_the_documented_keys_are_those_of_the_document() -> None:
    """The table in the module's docstring lags behind nothing."""
    import detector.notify.document as module

    said = module.__doc__ or ""
    found = document(TOLD["acknowledged"])

    assert all(f"`{key}`" in said for key in found)
    assert all(f"`{key}`" in said for key in found["alert"])


def test_discord_edits_the_first_message_and_posts_the_news() -> None:
    """Nobody is mentioned; the reference stays that of the first message."""
    later = replace(story()["resolved"], thread="111222333")

    references, requests = sent(named("discord"), story()["opened"], later)

    assert references == ["111222333", "111222333"]
    assert [(one.method, one.path.rpartition(SECRET)[2]) for one in requests] == [
        ("POST", ""),
        ("PATCH", "/messages/111222333"),
        ("POST", ""),
    ]
    assert requests[0].query == {"wait": ["true"]}
    assert all(body_of(one)["allowed_mentions"] == {"parse": []} for one in requests)


def test_a_deleted_discord_message_is_not_missed() -> None:
    """The edit finds nothing, the news is posted."""
    gone = Reply('{"message": "Unknown Message", "code": 10008}', status=404)
    channel = replace(
        named("discord"), answer=lambda one: gone if one.method == "PATCH" else Reply('{"id": "5"}', status=200)
    )

    references, _ = sent(channel, replace(story()["resolved"], thread="4"))

    assert references == ["4"]


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ("Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 x", 60.0),
        ("Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 500 x", None),
    ],
)
def test_a_connector_that_says_200_and_failed_did_not_deliver(body: str, wait: float | None) -> None:
    """As the older connectors of Teams do."""
    with pytest.raises(DeliveryError) as caught:
        sent(replace(named("teams"), answer=Reply(body)), make_notification())

    assert (caught.value.permanent, caught.value.retry_after) == (False, wait)


def test_discords_own_way_to_ask_for_a_wait_is_understood() -> None:
    """In the body, in seconds."""
    with pytest.raises(DeliveryError) as caught:
        sent(replace(named("discord"), answer=Reply('{"retry_after": 64.5}', status=429)), make_notification())

    assert caught.value.retry_after == 64.5


def test_pagerduty_keeps_one_incident_an_alert() -> None:
    """Every step under the alert's key; the end resolves it; a repetition cannot page twice."""
    _, requests = sent(named("pagerduty"), *(story()[name] for name in ("opened", "raised", "resolved")))

    events = [body_of(one) for one in requests]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"claude-20260302T1204"}
    assert [event["payload"]["severity"] for event in events[:2]] == ["error", "critical"]
    assert {event["routing_key"] for event in events} == {SECRET}


def test_a_summary_of_ends_resolves_each_incident_and_pages_for_what_still_fails() -> None:
    """After an outage of the pager: nothing stays open that is over."""
    over = [
        make_notification(
            Reason.RESOLVED,
            make_alert(key=f"k{n}", service=f"s{n}", state=AlertState.RESOLVED, ended_at=minute(9)),
        )
        for n in range(3)
    ]
    events = pagerduty_events(replace(make_notification(), others=tuple(over)))
    requests = opsgenie_requests(replace(make_notification(), others=tuple(over)))

    assert [(event["event_action"], event["dedup_key"]) for event in events] == [
        ("resolve", "k0"),
        ("resolve", "k1"),
        ("resolve", "k2"),
        ("trigger", "claude-20260302T1204"),
    ]
    assert [path.partition("?")[0] for path, _ in requests] == [
        "/v2/alerts/k0/close",
        "/v2/alerts/k1/close",
        "/v2/alerts/k2/close",
        "/v2/alerts",
    ]


def test_fifty_services_are_one_page_that_names_them() -> None:
    """One incident for the storm."""
    (event,) = pagerduty_events(storm(50))
    ((path, body),) = opsgenie_requests(storm(50))

    assert event["dedup_key"] == "aws-20260302T1203"
    assert len(event["payload"]["custom_details"]["others"]) == 49
    assert (path, body["alias"]) == ("/v2/alerts", "aws-20260302T1203")
    assert "Service 49" in body["description"]


@pytest.mark.parametrize("name", ["digest", "affected"])
def test_nobody_is_paged_for_what_is_only_worth_knowing(name: str) -> None:
    """Digests and services that another explains."""
    assert pagerduty_events(more_story()[name]) == []
    assert opsgenie_requests(more_story()[name]) == []


def test_opsgenie_notes_what_changes_and_closes_what_ends() -> None:
    """By alias, with the key in the header only."""
    key = "claude-20260302T1204"
    steps = [replace(story()[name], thread=key) for name in ("raised", "acknowledged", "resolved")]

    _, requests = sent(named("opsgenie"), story()["opened"], *steps)

    assert [one.path for one in requests] == [
        "/v2/alerts",
        "/v2/alerts",
        f"/v2/alerts/{key}/notes",
        f"/v2/alerts/{key}/close",
    ]
    assert all(one.headers["authorization"] == f"GenieKey {SECRET}" for one in requests)
    assert all(SECRET.encode() not in one.body for one in requests)
    assert [body_of(one).get("priority") for one in requests[:2]] == ["P3", "P1"]


def test_a_file_gets_a_line_a_message(tmp_path: Path) -> None:
    """JSON by default, text if wanted; only its owner reads it."""
    path = tmp_path / "alerts.jsonl"
    notifier: Notifier = registry.load("notifiers", "file")({"path": str(path)})
    asyncio.run(check_notifier(lambda: notifier, make_notification()))

    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [make_notification().id] * 2
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    """A folder in its place."""
    (tmp_path / "alerts").mkdir()
    notifier = registry.load("notifiers", "file")({"path": str(tmp_path / "alerts"), "format": "text"})

    error = asyncio.run(check_notifier_failure(lambda: notifier, make_notification()))

    assert not error.permanent


def test_mails_about_one_outage_form_a_thread() -> None:
    """The answer names the first; the same message has the same id in every try."""
    first = mail_of(make_notification(), sender="a@example.org", to=("b@example.org",))
    answer = mail_of(
        replace(story()["resolved"], thread=str(first["Message-ID"]), tried_at=minute(63)),
        sender="a@example.org",
        to=("b@example.org",),
    )

    assert answer["In-Reply-To"] == answer["References"] == first["Message-ID"]
    assert first["Message-ID"] == mail_of(make_notification(attempts=3), sender="a@example.org", to=())["Message-ID"]
    assert parsedate_to_datetime(answer["Date"]) == minute(63)


@pytest.mark.parametrize(
    ("plugin", "settings", "what"),
    [
        ("webhook", {"url": "http://hook.example.org/"}, "url"),
        ("webhook", {"url": "https://hook.example.org/", "secret": "short"}, "secret"),
        ("webhook", {"url": "https://hook.example.org/", "secret": "whsec_%%%"}, "secret"),
        ("discord", {"webhook": "ftp://discord.com/x"}, "webhook"),
        ("teams", {"webhook": "https://user@teams.example.org/x"}, "webhook"),
        ("pagerduty", {"routing_key": "short"}, "routing_key"),
        ("pagerduty", {"routing_key": "x" * 32, "api": "http://events.example.org"}, "api"),
        ("opsgenie", {"api_key": "k", "api": "http://api.example.org"}, "api"),
        ("opsgenie", {"api_key": "k", "timeout": 0}, "timeout"),
        ("file", {"path": "/no/such/folder/x"}, "folder"),
        ("file", {"path": "x", "format": "xml"}, "format"),
        ("mail", {"host": "smtp.example.org", "from": "no address", "to": ["b@example.org"]}, "from"),
        ("mail", {"host": "smtp.example.org", "from": "a@example.org", "to": ["b@example.org\nBcc: c"]}, "to"),
        ("mail", {"host": "smtp.example.org", "from": "a@example.org", "to": "b@x.org", "security": "none"}, "secur"),
        ("mail", {"host": "smtp.example.org", "from": "a@example.org", "to": "b@x.org", "port": 0}, "port"),
        ("mail", {"host": "h\r\nx", "from": "a@example.org", "to": "b@x.org"}, "host"),
    ],
)
def test_a_setting_that_will_not_do_is_named(plugin: str, settings: dict[str, Any], what: str) -> None:
    """Which one, and what to do."""
    with pytest.raises(ConfigError, match=what):
        registry.load("notifiers", plugin)(settings)


def test_the_words_of_components_come_from_the_settings() -> None:
    """By slug and part."""
    assert wording_of({"components": {"x": {"api": ["api"]}}}).components == {"x": {"api": ["api"]}}
