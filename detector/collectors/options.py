"""Reading a source's settings: every mistake is collected, each with the setting's name and what it wants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from detector.errors import ConfigError

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_LOCAL = {"127.0.0.1", "::1", "localhost"}


class Options:
    """The settings of one source; `done` raises with every mistake that was met.

    >>> options = Options("lemmy", {"interval": "soon", "colour": 1})
    >>> options.number("interval", 60.0, 5, 3600)
    60.0
    >>> try:
    ...     options.done()
    ... except ConfigError as error:
    ...     print(*error.problems, sep="\\n")
    lemmy.interval: a number from 5 to 3600 is needed, not 'soon'
    lemmy.colour: no such setting; there are interval
    """

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._kind = kind
        self._settings = settings
        self._asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """The setting as it is."""
        self._asked.add(key)
        return self._settings.get(key, default)

    def wrong(self, key: str, what: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self._kind}.{key}: {what}")

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within bounds."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, f"a number from {low:g} to {high:g} is needed, not {value!r}")
            return default
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(key, f"a whole number from {low} to {high} is needed, not {value!r}")
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"true or false is needed, not {value!r}")
            return default
        return value

    def text(self, key: str, default: str) -> str:
        """A non-empty line of text."""
        value = self.get(key, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            self.wrong(key, f"a text is needed, not {value!r}")
            return default
        return value.strip()

    def texts(self, key: str, default: Iterable[str], *, pattern: str = r".+", want: str = "texts") -> list[str]:
        """A list of different texts, each of which fits the pattern."""
        value = self.get(key)
        if value is None:
            return list(dict.fromkeys(default))
        if not isinstance(value, list | tuple):
            self.wrong(key, f"a list of {want} is needed, not {value!r}")
            return []
        for each in value:
            if not isinstance(each, str) or not re.fullmatch(pattern, each):
                self.wrong(key, f"a list of {want} is needed; {each!r} is none")
        return list(dict.fromkeys(each for each in value if isinstance(each, str)))

    def address(self, key: str, default: str) -> str:
        """An https address without a trailing slash; plain http only to this machine."""
        value = self.get(key, default)
        if isinstance(value, str) and _is_safe(value):
            return value.rstrip("/")
        self.wrong(key, f"an https address is needed (http only to this machine), not {value!r}")
        return default

    def source(self, default: str) -> str:
        """The name its posts carry (setting `source`)."""
        value = self.get("source", default)
        if not isinstance(value, str) or not _SOURCE.fullmatch(value):
            self.wrong("source", f"a short name in small letters is needed, not {value!r}")
            return default
        return value

    def secret(self, key: str) -> str:
        """A secret's text, empty where it is not set; it may come wrapped (`.reveal()`) or bare."""
        value = self.get(key, "")
        opened = getattr(value, "reveal", None)
        text = opened() if callable(opened) else value
        return str(text or "").strip()

    def done(self) -> None:
        """End of reading.

        Raises:
            ConfigError: with every mistake, settings that nobody asked for included.
        """
        for key in sorted(set(self._settings) - self._asked):
            self.wrong(key, f"no such setting; there are {', '.join(sorted(self._asked))}")
        if self.problems:
            raise ConfigError(self.problems)


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)
