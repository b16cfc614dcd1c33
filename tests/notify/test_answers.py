"""Buttons and what comes back: who may be asked what, what a press means, and which request Slack really signed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from detector.alerting.answer import Answer, Said
from detector.domain import Reason
from detector.domain.alert import OURSELVES
from detector.notify.answers import answered, buttons, payload_in, press_of, signed
from detector.notify.blocks import slack_payload
from tests.notify.builders import NOON, make_alert, make_notification, minute, storm, story
from tests.notify.hostile import examples, texts
from tests.notify.slack_socket import pressed

KEY = "8f742231b10e8888abcd99yyyzzz85a5"


def make_answer(said: Said = Said.REAL, *, by: str = "ann", at: float = 6) -> Answer:
    alert = make_alert()
    return Answer(id=f"{by}{said}{at}", alert_key=alert.key, receiver="ops", said=said, by=by, at=minute(at))


def test_a_first_message_asks_four_things_and_a_closing_one_two() -> None:
    """What is over needs no silence."""

    def asked(name: str) -> list[str]:
        block = buttons(story()[name])
        assert block is not None
        return [each["text"]["text"] for each in block["elements"]]

    assert asked("opened") == ["It is real", "False alarm", "Silence 1 h", "Not our concern"]
    assert asked("resolved") == ["It is real", "False alarm"]


@pytest.mark.parametrize(
    "owed",
    [
        storm(),
        make_notification(Reason.DIGEST),
        make_notification(Reason.UNDELIVERED),
        make_notification(alert=make_alert(service=OURSELVES)),
        replace(make_notification(), id="x" * 2001),
    ],
)
def test_what_one_press_could_not_mean_is_not_asked(owed: Any) -> None:
    """Messages about many, about messages, about ourselves, and one whose name fits no button."""
    assert buttons(owed) is None


def test_buttons_stand_only_where_they_were_asked_for() -> None:
    """A receiver without a way back shows none."""
    kinds = [block["type"] for block in slack_payload(make_notification())["blocks"]]
    asking = [block["type"] for block in slack_payload(make_notification(), ask=True)["blocks"]]

    assert "actions" not in kinds
    assert asking == [*kinds, "actions"]


def test_the_latest_word_of_each_person_is_shown() -> None:
    """Who changes their mind is shown once; a silence is another question."""
    said = [
        make_answer(Said.FALSE, at=6),
        make_answer(Said.SILENCE, at=7),
        make_answer(Said.NOT_OURS, by="ben", at=8),
        make_answer(Said.REAL, at=9),
    ]
    block = answered(make_notification(answers=tuple(each.shown for each in said)), UTC)

    assert block is not None
    assert block["elements"][0]["text"] == (
        "Answered: ann: silenced for an hour (12:07) · ben: not our concern (12:08) · ann: it is real (12:09)"
    )


@settings(max_examples=examples(120), deadline=None)
@given(texts)
def test_a_name_is_text(name: str) -> None:
    """A colleague called `<!channel>` calls nobody."""
    block = answered(make_notification(answers=(make_answer(by=name).shown,)), UTC)

    assert block is not None
    text = block["elements"][0]["text"]
    assert block["elements"][0]["type"] == "plain_text"
    assert "<" not in text
    assert ">" not in text
    assert "\n" not in text
    assert len(text) < 3000


def test_a_press_is_read_from_what_slack_sends() -> None:
    """The message, the button, the person; the same press has the same id, another has another."""
    message = slack_payload(make_notification(), ask=True)
    one, again = press_of(pressed(message, "False alarm")), press_of(pressed(message, "False alarm"))
    other = press_of(pressed(message, "False alarm", number=2))

    assert one is not None
    assert other is not None
    assert (one.said, one.by, one.notification) == (Said.FALSE, "ann", make_notification().id)
    assert one == again
    assert one.id != other.id


@settings(max_examples=examples(200), deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), texts),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["type", "actions", "user", "value", "action_id", "name"]), inner),
        ),
    )
)
def test_odd_payloads_are_none_of_ours(payload: Any) -> None:
    """Whatever arrives, it is a press or it is not; nothing is raised."""
    press_of(payload)
    press_of({"type": "block_actions", "actions": payload, "user": payload})
    press_of({"type": "block_actions", "actions": [payload], "user": {"id": payload}})
    assert press_of({"type": "block_actions", "actions": [{"action_id": payload}], "user": {}}) is None


def signature(body: bytes, *, after: float = 0, key: str = KEY) -> dict[str, str]:
    """As slack_sdk's own verifier makes it."""
    stamp = str(int((NOON + timedelta(seconds=after)).timestamp()))
    made = SignatureVerifier(key).generate_signature(timestamp=stamp, body=body)
    assert made is not None
    return {"stamp": stamp, "signature": made}


def test_a_request_is_slacks_by_its_signature() -> None:
    """The same verdict as slack_sdk's verifier: body, key and time must all fit."""
    body = urlencode({"payload": json.dumps({"type": "block_actions"})}).encode()
    good = signature(body)

    class At(Clock):
        def now(self) -> float:
            return NOON.timestamp()

    theirs = SignatureVerifier(KEY, clock=At())
    for given_body, sign, key in [
        (body, good, KEY),
        (body + b"x", good, KEY),
        (body, signature(body, key="other"), KEY),
        (body, signature(body, after=-299), KEY),
        (body, signature(body, after=-301), KEY),
        (body, signature(body, after=301), KEY),
    ]:
        ours = signed(given_body, **sign, secret=key, now=NOON)
        assert ours == theirs.is_valid(given_body, sign["stamp"], sign["signature"])
    assert signed(body, **good, secret=KEY, now=NOON)
    assert payload_in(body) == {"type": "block_actions"}


@pytest.mark.parametrize("stamp", ["", "-1", "1e9", "١٢٣", "9" * 40, "1 2"])
def test_an_odd_time_is_refused(stamp: str) -> None:
    """And nothing is raised, whatever the signature is."""
    assert not signed(b"x", stamp=stamp, signature="v0=\ud83d", secret=KEY, now=NOON)
    assert not signed(b"x", stamp="1", signature="", secret="", now=NOON)


@pytest.mark.parametrize("body", [b"", b"\xff", b"payload=", b"payload=%7B", b"payload=" + b"[" * 60_000, b"a=1&" * 9])
def test_an_odd_body_holds_nothing(body: bytes) -> None:
    """Not a form, no JSON, or JSON too deep."""
    assert payload_in(body) is None
