"""The standard library's mail client against a server that speaks SMTP, well or badly."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from detector.errors import DeliveryError
from detector.notify.mail import Mail, build
from tests.loopback import unused_port
from tests.notify.builders import make_alert, make_evidence, make_notification


class Smtp:
    """A server of one thread; `says` replaces the reply to a command, "" hangs up.

    Attributes:
        mails: the bodies that were taken, dots undone.
    """

    def __init__(self, says: dict[str, str]) -> None:
        self.says = says
        self.mails: list[bytes] = []
        self.recipients: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                self._talk(connection, lines)

    def _talk(self, connection: socket.socket, lines: object) -> None:
        def say(reply: str) -> bool:
            if reply:
                connection.sendall(f"{reply}\r\n".encode())
            return bool(reply)

        if not say(self.says.get("banner", "220 here")):
            return
        for line in lines:  # type: ignore[attr-defined]
            verb = line.split()[0].upper().decode() if line.split() else ""
            if verb == "RCPT":
                self.recipients.append(line.decode())
            known = self.says.get(f"{verb} {len(self.recipients)}", self.says.get(verb))
            if not say({"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 ok") if known is None else known):
                return
            if verb == "QUIT":
                return
            if verb == "DATA" and known is None:
                body = b""
                for part in lines:  # type: ignore[attr-defined]
                    if part == b".\r\n":
                        break
                    body += part.removeprefix(b".") if part.startswith(b"..") else part
                self.mails.append(body)
                if not say(self.says.get("body", "250 taken")):
                    return


@contextmanager
def server(**says: str) -> Iterator[Smtp]:
    smtp = Smtp(says)
    try:
        yield smtp
    finally:
        smtp.socket.close()


def make(port: int, to: tuple[str, ...] = ("oncall@example.org",), *, timeout: float = 1.0) -> Mail:
    made = build(
        {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "from": "detector@example.org",
            "to": list(to),
            "timeout": timeout,
            "receiver": "mail",
        }
    )
    assert isinstance(made, Mail)
    return made


def test_a_mail_arrives_as_text_with_one_line_a_header() -> None:
    """Subject, thread id, plain text; what a stranger wrote starts no header."""
    hostile = make_alert(evidence=(make_evidence("1", "down\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<x>"),))
    with server() as smtp:
        reference = asyncio.run(make(smtp.port).send(make_notification(alert=hostile)))

    (raw,) = smtp.mails
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Subject"].startswith("🟠 Claude")
    assert mail["Message-ID"] == reference
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "text/plain"
    assert len(smtp.recipients) == 1


@pytest.mark.parametrize(
    ("says", "permanent", "ambiguous"),
    [
        pytest.param({"banner": "421 busy"}, False, False, id="busy"),
        pytest.param({"banner": "554 go away"}, True, False, id="not welcome"),
        pytest.param({"MAIL": "451 later"}, False, False, id="greylisted sender"),
        pytest.param({"MAIL": "550 no"}, True, False, id="sender refused"),
        pytest.param({"RCPT": "450 later"}, False, False, id="greylisted"),
        pytest.param({"RCPT": "550 nobody"}, True, False, id="nobody there"),
        pytest.param({"body": "452 full"}, False, False, id="full"),
        pytest.param({"body": "554 spam"}, True, False, id="spam"),
        pytest.param({"body": ""}, False, True, id="hung up after the mail"),
    ],
)
def test_each_answer_has_its_meaning(says: dict[str, str], permanent: bool, ambiguous: bool) -> None:
    """4xx passes, 5xx does not, and a lost answer is doubtful."""
    with server(**says) as smtp, pytest.raises(DeliveryError) as caught:
        asyncio.run(make(smtp.port).send(make_notification()))

    assert (caught.value.permanent, caught.value.ambiguous) == (permanent, ambiguous)


def test_one_refused_address_does_not_keep_the_mail_from_the_others() -> None:
    """It is counted, and nobody gets it twice."""
    with server(**{"RCPT 1": "550 gone"}) as smtp:
        notifier = make(smtp.port, ("gone@example.org", "there@example.org"))
        assert asyncio.run(notifier.send(make_notification()))

    assert (len(smtp.mails), notifier.refused) == (1, 1)


def test_a_server_that_is_not_there_delivered_nothing() -> None:
    """Not doubtful."""
    with pytest.raises(DeliveryError) as caught:
        asyncio.run(make(unused_port()).send(make_notification()))

    assert (caught.value.permanent, caught.value.ambiguous) == (False, False)


def test_a_server_without_encryption_gets_neither_mail_nor_password() -> None:
    """STARTTLS is asked for and not offered."""
    places = {"host": "127.0.0.1", "from": "a@example.org", "to": "b@example.org"}
    with server() as smtp:
        notifier = build({**places, "port": smtp.port, "user": "u", "password": "S3CR3T"})
        with pytest.raises(DeliveryError) as caught:
            asyncio.run(notifier.send(make_notification()))

    assert caught.value.permanent
    assert smtp.mails == []
    assert "S3CR3T" not in str(caught.value)


def test_a_thread_goes_on() -> None:
    """The reference stays that of the first mail."""
    with server() as smtp:
        reference = asyncio.run(make(smtp.port).send(replace(make_notification(), thread="<first@example.org>")))

    assert reference == "<first@example.org>"
