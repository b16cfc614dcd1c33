"""The real slack_sdk client against a server on this machine that behaves in every way Slack and networks do."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from typing import Any

import pytest

from detector import registry
from detector.config.secret import Secret
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.slack import SlackWebhook, build
from detector.protocols import Notifier
from detector.testing import check_notifier, check_notifier_failure
from tests.loopback import Loopback, Reply, unused_port
from tests.notify.builders import make_notification

SECRET = "T000S3CR3T-7"
PATH = f"/services/{SECRET}"


def webhook(server_url: str, **settings: Any) -> Notifier:
    return build(
        {
            "webhook": Secret(server_url + PATH),
            "receiver": "ops",
            "allow_loopback_http": True,
            "timeout": 1.0,
            **settings,
        }
    )


def send(notifier: Notifier) -> str | None:
    async def once() -> str | None:
        try:
            return await notifier.send(make_notification())
        finally:
            await notifier.aclose()

    return asyncio.run(once())


def failure(reply: Reply, **settings: Any) -> DeliveryError:
    with Loopback({PATH: reply}) as server, pytest.raises(DeliveryError) as caught:
        send(webhook(server.url, **settings))
    return caught.value


def test_a_message_arrives_as_blocks_with_a_text_for_previews() -> None:
    """One POST of JSON, confirmed by `ok`; a webhook gives nothing to edit later."""
    with Loopback({PATH: Reply("ok")}) as server:
        assert send(webhook(server.url)) is None

        body = json.loads(server.requests[0].body)
    assert [request.method for request in server.requests] == ["POST"]
    assert body["text"].startswith("🟠 Claude")
    assert body["blocks"][0]["type"] == "header"
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_a_compatible_server_that_answers_in_json_confirms_too() -> None:
    """Workflow webhooks answer {"ok": true}."""
    with Loopback({PATH: Reply('{"ok": true}')}) as server:
        assert send(webhook(server.url)) is None


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("0", 1.0), ("99999999", 3600.0), ("soon", None), (None, None), ("-3", None)]
)
def test_a_limit_is_temporary_and_its_wait_is_handed_on(header: str | None, wait: float | None) -> None:
    """429 with and without a usable Retry-After, clamped to a second and an hour."""
    error = failure(Reply("rate_limited", status=429, headers={} if header is None else {"Retry-After": header}))

    assert (error.permanent, error.ambiguous, error.retry_after) == (False, False, wait)


@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_a_server_in_trouble_is_worth_another_try(status: int) -> None:
    """No reply of theirs said that the message was taken."""
    error = failure(Reply("rollup_error", status=status))

    assert (error.permanent, error.ambiguous) == (False, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "no_service"),
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
        (403, "invalid_token"),
        (400, "invalid_payload"),
        (400, "<html>"),
        (200, "no_service"),
        (200, '{"ok": false, "error": "channel_not_found"}'),
    ],
)
def test_a_refusal_is_permanent_whatever_its_status(status: int, body: str) -> None:
    """Slack says `no_service` with 404, other servers with 200: no second try mends it."""
    assert failure(Reply(body, status=status)).permanent


@pytest.mark.parametrize(
    "reply",
    [
        Reply("ok", fault="truncated"),
        Reply(fault="empty"),
        Reply(fault="reset"),
        Reply("not http at all\r\n\r\n", fault="raw"),
        Reply("<html>please log in</html>"),
        Reply(""),
        Reply(b"\xff\xfe\xff", headers={"Content-Type": "text/plain; charset=utf-8"}),
        Reply("ok", headers={"Content-Type": "text/plain; charset=x-none"}),
        Reply("{" * 100_000),
    ],
    ids=["truncated", "nothing", "reset", "no http", "portal", "empty", "not text", "odd charset", "deep json"],
)
def test_a_reply_that_confirms_nothing_leaves_it_open(reply: Reply) -> None:
    """It may have arrived: worth another try, marked as a repeat."""
    error = failure(reply)

    assert (error.permanent, error.ambiguous) == (False, True)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_reply_that_does_not_come_is_given_up_in_time(fault: str) -> None:
    """A server that says nothing, or a byte at a time, holds us no longer than the timeout."""
    begun = time.monotonic()

    error = failure(Reply("ok" * 200, fault=fault), timeout=0.3)

    assert error.ambiguous
    assert time.monotonic() - begun < 2


def test_a_refused_connection_delivered_nothing() -> None:
    """Not ambiguous: no repeat is announced."""
    with pytest.raises(DeliveryError) as caught:
        send(webhook(f"http://127.0.0.1:{unused_port()}"))

    assert (caught.value.permanent, caught.value.ambiguous) == (False, False)


def test_a_name_that_does_not_resolve_delivered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is replaced, so that no question leaves this machine."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(DeliveryError) as caught:
        send(build({"webhook": f"https://hooks.invalid{PATH}"}))

    assert (caught.value.permanent, caught.value.ambiguous) == (False, False)


def test_an_unsafe_connection_delivered_nothing() -> None:
    """A server that speaks no TLS on an https address."""
    with Loopback({PATH: Reply("ok")}) as server, pytest.raises(DeliveryError) as caught:
        send(build({"webhook": server.url.replace("http:", "https:") + PATH}))

    assert not caught.value.permanent
    assert server.requests == []


@pytest.mark.parametrize(
    "reply",
    [Reply("no_service", status=404), Reply("x", status=500), Reply(fault="reset"), Reply("ok", fault="truncated")],
)
def test_the_address_is_never_shown(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in errors and their causes, nor in logs at any level, nor in `repr`."""
    caplog.set_level(logging.DEBUG)

    with Loopback({PATH: reply}) as server:
        notifier = webhook(server.url)
        with pytest.raises(DeliveryError) as caught:
            send(notifier)

    chain: BaseException | None = caught.value
    while chain is not None:
        assert SECRET not in f"{chain} {chain!r}"
        chain = chain.__cause__
    assert SECRET not in caplog.text
    assert SECRET not in f"{notifier!r} {notifier}"


@pytest.mark.parametrize("settings", [{}, {"webhook": ""}, {"webhook": None}, {"webhook": "  "}])
def test_without_an_address_it_stays_off(settings: dict[str, Any]) -> None:
    """Off with a reason, not an error."""
    with pytest.raises(NotConfigured, match="webhook"):
        build(settings)


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.slack.com{PATH}",
        f"http://127.0.0.1.example.org{PATH}",
        f"https://user@hooks.slack.com{PATH}",
        f"ftp://hooks.slack.com{PATH}",
        f"file:///etc{PATH}",
        f"https://hooks.slack.com\\@evil.example{PATH}",
        f"https://ho oks{PATH}",
        f"https://{PATH}",
        f"https://h:999999{PATH}",
        PATH,
    ],
)
def test_an_address_that_a_secret_must_not_travel_to_is_refused_unseen(url: str) -> None:
    """The message says what to do and does not repeat the address."""
    with pytest.raises(ConfigError) as caught:
        build({"webhook": url, "allow_loopback_http": True})

    assert SECRET not in str(caught.value)


def test_plain_http_to_this_machine_needs_the_setting() -> None:
    """Off by default."""
    with pytest.raises(ConfigError, match="allow_loopback_http"):
        build({"webhook": f"http://127.0.0.1:1{PATH}"})


@pytest.mark.parametrize("timeout", [0, -1, 61, True, "5"])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    """Seconds above 0, a minute at most."""
    with pytest.raises(ConfigError, match="timeout"):
        build({"webhook": f"https://hooks.example.org{PATH}", "timeout": timeout})


def test_it_comes_through_the_entry_point_and_fits_the_protocol() -> None:
    """As anybody's notifier would."""
    notifier = registry.load("notifiers", "slack")({"webhook": f"https://hooks.example.org{PATH}", "receiver": "ops"})

    assert isinstance(notifier, Notifier)
    assert isinstance(notifier, SlackWebhook)
    assert notifier.receiver == "ops"


def test_it_passes_the_conformance_suite() -> None:
    """Accepted and refused, as every notifier is checked."""
    with Loopback({PATH: Reply("ok")}) as server:
        asyncio.run(check_notifier(lambda: webhook(server.url), make_notification()))
    with Loopback({PATH: Reply("no_service", status=404)}) as server:
        asyncio.run(check_notifier_failure(lambda: webhook(server.url), make_notification()))
