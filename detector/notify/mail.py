"""Tells people by e-mail: one thread an outage, plain text only, every header one line."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from detector.domain import Level, Notification, Reason
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.post import DEFAULT_TIMEOUT_S
from detector.notify.render import Wording, message, plain_text
from detector.notify.settings import seconds_of, text_of, wording_of
from detector.notify.thread import in_own_thread
from detector.protocols import Notifier

_SUBJECT = 200
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}

log = logging.getLogger(__name__)


class Mail:
    """Hands messages to an SMTP server; a known id in `Message-ID` lets mail programs drop a repetition."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        sender: str,
        to: tuple[str, ...],
        user: str = "",
        password: str = "",
        receiver: str = "mail",
        wording: Wording | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._sender, self._to = sender, to
        self._user, self._password = user, password
        self._receiver = receiver
        self._wording = wording or Wording()
        self._timeout = timeout
        self.refused = 0

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Send it; returns the id of the mail that began the thread.

        An address that the server refuses while it takes the others is logged and counted in `refused`.

        Raises:
            DeliveryError: no address was accepted, or the server did not confirm.
        """
        mail = mail_of(notification, self._wording, sender=self._sender, to=self._to)
        try:
            async with asyncio.timeout(self._timeout * 3):
                refused = await in_own_thread(lambda: self._hand_over(mail), name="notify-mail")
        except TimeoutError:
            raise self._failed("no reply in time", ambiguous=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._failed(f"every address was refused ({codes[0]})", permanent=min(codes) >= 500) from None
        except smtplib.SMTPServerDisconnected:
            raise self._failed("the server hung up", ambiguous=True) from None
        except smtplib.SMTPResponseException as error:
            what = f"the server refuses ({error.smtp_code})"
            raise self._failed(what, permanent=500 <= error.smtp_code < 600) from None
        except smtplib.SMTPNotSupportedError:
            raise self._failed("the server does not know STARTTLS or login", permanent=True) from None
        except ssl.SSLError:
            raise self._failed("the connection is not safe (TLS)") from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._failed(f"cannot reach the mail server ({type(error).__name__})") from None
        if refused:
            self.refused += len(refused)
            log.warning("mail_addresses_refused receiver=%s count=%d", self._receiver, len(refused))
        return notification.thread or str(mail["Message-ID"])

    async def aclose(self) -> None:
        """Nothing to release: every mail has its own connection."""

    def _hand_over(self, mail: EmailMessage) -> Mapping[str, Any]:
        context = ssl.create_default_context()
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        with server:
            if self._security == "starttls":
                server.starttls(context=context)
            if self._user:
                server.login(self._user, self._password)
            return server.send_message(mail, from_addr=self._sender, to_addrs=list(self._to))

    def _failed(self, what: str, *, permanent: bool = False, ambiguous: bool = False) -> DeliveryError:
        return DeliveryError(f"receiver {self._receiver}: {what}", permanent=permanent, ambiguous=ambiguous)


def mail_of(
    notification: Notification, wording: Wording | None = None, *, sender: str, to: tuple[str, ...]
) -> EmailMessage:
    """The mail: its headers hold one line each, its body is text and nothing else."""
    told = message(notification, wording)
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    subject = " ".join(f"{told.mark} {told.title}".split())[:_SUBJECT]
    mail["Subject"] = subject.encode("utf-8", "replace").decode()
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(notification.tried_at or notification.created_at)
    mail["Message-ID"] = f"<{hashlib.sha256(notification.id.encode()).hexdigest()[:40]}@{domain}>"
    if notification.thread is not None:
        mail["In-Reply-To"] = notification.thread
        mail["References"] = notification.thread
    mail["Auto-Submitted"] = "auto-generated"
    if notification.alert.level is Level.MAJOR and notification.reason is not Reason.RESOLVED:
        mail["Importance"] = "high"
    mail.set_content(plain_text(notification, wording).encode("utf-8", "replace").decode(), cte="quoted-printable")
    return mail


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: mail`.

    Args:
        settings: `host`, `from` and `to` (a list), required; `security` (`starttls`, the default, `tls`, or `none`,
            only to this machine), `port`, `user`, `password` (the secret), `receiver`, `timeout`, `names`,
            `components`, `timezone`, `page`.

    Raises:
        NotConfigured: there is no `host`.
        ConfigError: an address, a port or the security will not do.
    """
    receiver = str(settings.get("receiver", "mail"))
    place = f"receivers.{receiver}"
    host = text_of(settings, "host")
    if not host:
        raise NotConfigured(f'receiver {receiver}: no mail server; write host = "smtp.example.org", from and to')
    problems = []
    security = str(settings.get("security", "starttls"))
    if security not in _PORTS:
        problems.append(f"{place}.security: {security!r} is none; write starttls, tls or none")
    elif security == "none" and host not in {"localhost", "127.0.0.1", "::1"}:
        problems.append(f"{place}.security: mail leaves this machine only encrypted; write starttls or tls")
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
        problems.append(f"{place}.host: {host!r} is no name of a server")
    sender, to = str(settings.get("from", "")), settings.get("to", ())
    to = (to,) if isinstance(to, str) else tuple(str(each) for each in to)
    if not _ADDRESS.fullmatch(sender):
        problems.append(f'{place}.from: write one address, from = "outages@example.org"')
    if not to or not all(_ADDRESS.fullmatch(each) for each in to):
        problems.append(f'{place}.to: write addresses, to = ["oncall@example.org"]')
    port = settings.get("port", _PORTS.get(security, 587))
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
        problems.append(f"{place}.port: write a figure from 1 to 65535")
    if problems:
        raise ConfigError(problems)
    return Mail(
        host=host,
        port=port,
        security=security,
        sender=sender,
        to=to,
        user=text_of(settings, "user"),
        password=text_of(settings, "password"),
        receiver=receiver,
        wording=wording_of(settings),
        timeout=seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S),
    )
