"""What every receiver's settings have in common."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.errors import ConfigError
from detector.notify.render import Wording


def wording_of(settings: Mapping[str, Any]) -> Wording:
    """Read `names`, `components` (by slug the words for each part), `timezone` and `page`.

    Raises:
        ConfigError: there is no such time zone.

    >>> wording_of({"timezone": "Europe/Berlin"}).zone_name
    'Europe/Berlin'
    """
    zone_name = str(settings.get("timezone", "UTC"))
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"timezone {zone_name!r}: no such zone; write one like Europe/Berlin") from error
    page = settings.get("page")
    return Wording(
        names=dict(settings.get("names", {})),
        components=dict(settings.get("components", {})),
        zone=zone,
        zone_name=zone_name,
        page=None if page is None else str(page),
    )


def reveal(value: object) -> str:
    """A secret's text, whether it comes wrapped (`.reveal()`) or bare."""
    opened = getattr(value, "reveal", None)
    return str(opened() if callable(opened) else value).strip()


def text_of(settings: Mapping[str, Any], key: str) -> str:
    """A setting or secret as text, empty where it is absent."""
    return reveal(settings.get(key) or "")


def seconds_of(settings: Mapping[str, Any], receiver: str, *, default: float) -> float:
    """Read `timeout`.

    Raises:
        ConfigError: it is no figure of seconds above 0 and up to 60.

    >>> seconds_of({}, "ops", default=10.0)
    10.0
    """
    timeout = settings.get("timeout", default)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 60:
        raise ConfigError(f"receivers.{receiver}.timeout: must be seconds above 0 and up to 60")
    return float(timeout)


def check_address(url: str, *, setting: str, loopback: bool) -> None:
    """Refuse an address that a secret must not travel to. Never shows it.

    Args:
        loopback: whether plain http to this very machine is wanted.

    Raises:
        ConfigError: not https, with a user in it, or otherwise odd.
    """
    hint = f"{setting}: copy the whole https address that the channel shows"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError(f"{hint}; this one holds characters that no address has")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{hint}; this one is no address") from None
    if not host or "@" in parts.netloc:
        raise ConfigError(f"{hint}; this one has no host, or a user name in it")
    if parts.scheme == "https" or (parts.scheme == "http" and loopback and _is_loopback(host)):
        return
    raise ConfigError(f"{hint}; this one is not https (plain http only to 127.0.0.1, with allow_loopback_http = true)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
