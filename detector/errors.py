"""Every error this program raises on purpose: what is wrong, where, and what to do about it.

DetectorError
├── UsageError            the person at the keyboard can fix it (exit code 2)
│   ├── ConfigError       a setting, the catalogue, a key
│   └── BadArchiveError   a file that cannot be read at all (a bad line is only counted)
├── StoreError            the database is damaged, locked or not writable
│   └── StoreInUseError   another daemon owns it (exit code 3)
├── ArtifactError         a model is missing, damaged or of another version
├── PluginError           an entry point could not be loaded or breaks its protocol
├── NotConfigured         a component lacks its key and switches itself off, once, with a reason
├── TransportError        a request did not bring a usable answer
│   ├── Temporary         try again, after `retry_after` seconds where the other side says so
│   ├── Permanent         trying again cannot help (401, 404, an address we refuse)
│   └── Hostile           the answer broke a limit: too large, too deep, too slow, not a feed
└── DeliveryError         a notification was not accepted (`permanent` says whether to go on)
"""

from __future__ import annotations


class DetectorError(Exception):
    """Base of all deliberate errors; `exit_code` is what a command ends with."""

    exit_code = 1


class UsageError(DetectorError):
    """The call or its input is wrong and the caller can mend it."""

    exit_code = 2


class ConfigError(UsageError):
    """One or more settings are wrong; `problems` lists every one, each `file:line: what`."""

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class BadArchiveError(UsageError):
    """An archive cannot be opened or holds nothing of a known shape."""


class StoreError(DetectorError):
    """The database cannot be used."""


class StoreInUseError(StoreError):
    """Another daemon holds the database."""

    exit_code = 3


class ArtifactError(DetectorError):
    """A model artifact cannot be trusted or used."""


class PluginError(DetectorError):
    """An entry point is broken."""


class NotConfigured(DetectorError):  # noqa: N818 - scrapy's word: a state, not a failure
    """A component lacks what it needs and stays off; the rest goes on."""


class TransportError(DetectorError):
    """A request brought no usable answer."""


class Temporary(TransportError):  # noqa: N818 - names the kind, as Permanent does
    """Worth another try, not before `retry_after` seconds if given."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(TransportError):  # noqa: N818
    """The same request will fail again."""


class Hostile(TransportError):  # noqa: N818
    """The answer broke a limit and was dropped."""


class DeliveryError(DetectorError):
    """A receiver did not accept a notification."""

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: float | None = None, ambiguous: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.ambiguous = ambiguous
