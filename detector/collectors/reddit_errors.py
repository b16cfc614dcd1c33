"""What praw, prawcore and requests raise, in our words: try again, do not, or the answer was unusable.

Each class of theirs stands here by name; a test compares the table with what the installed libraries define, so that a
new one cannot slip through.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.errors import Hostile, Permanent, Temporary, TransportError
from detector.transport.session import retry_after

_AGAIN, _NEVER, _BAD, _STATUS, _CAUSE = "temporary", "permanent", "hostile", "by status", "by cause"

# https://praw.readthedocs.io/en/stable/code_overview/exceptions.html
MEANING: Mapping[str, str] = {
    "prawcore.BadJSON": _BAD,
    "prawcore.BadRequest": _NEVER,
    "prawcore.Conflict": _AGAIN,
    "prawcore.Forbidden": _NEVER,
    "prawcore.InsufficientScope": _NEVER,
    "prawcore.InvalidInvocation": _NEVER,
    "prawcore.InvalidToken": _NEVER,
    "prawcore.NotFound": _NEVER,
    "prawcore.OAuthException": _NEVER,
    "prawcore.PrawcoreException": _AGAIN,
    "prawcore.Redirect": _NEVER,
    "prawcore.RequestException": _CAUSE,
    "prawcore.ResponseException": _STATUS,
    "prawcore.ServerError": _AGAIN,
    "prawcore.SpecialError": _NEVER,
    "prawcore.TooLarge": _NEVER,
    "prawcore.TooManyRequests": _STATUS,
    "prawcore.URITooLong": _NEVER,
    "prawcore.UnavailableForLegalReasons": _NEVER,
    "praw.ClientException": _NEVER,
    "praw.DuplicateReplaceException": _NEVER,
    "praw.InvalidFlairTemplateID": _NEVER,
    "praw.InvalidImplicitAuth": _NEVER,
    "praw.InvalidURL": _NEVER,
    "praw.MediaPostFailed": _NEVER,
    "praw.MissingRequiredAttributeException": _NEVER,
    "praw.PRAWException": _AGAIN,
    "praw.ReadOnlyException": _NEVER,
    "praw.RedditAPIException": _AGAIN,
    "praw.TooLargeMediaException": _NEVER,
    "praw.WebSocketException": _NEVER,
    "requests.ChunkedEncodingError": _AGAIN,
    "requests.ConnectTimeout": _AGAIN,
    "requests.ConnectionError": _AGAIN,
    "requests.ContentDecodingError": _BAD,
    "requests.HTTPError": _AGAIN,
    "requests.InvalidHeader": _NEVER,
    "requests.InvalidJSONError": _BAD,
    "requests.InvalidProxyURL": _NEVER,
    "requests.InvalidSchema": _NEVER,
    "requests.InvalidURL": _NEVER,
    "requests.JSONDecodeError": _BAD,
    "requests.MissingSchema": _NEVER,
    "requests.ProxyError": _AGAIN,
    "requests.ReadTimeout": _AGAIN,
    "requests.RequestException": _AGAIN,
    "requests.RetryError": _AGAIN,
    "requests.SSLError": _AGAIN,
    "requests.StreamConsumedError": _AGAIN,
    "requests.Timeout": _AGAIN,
    "requests.TooManyRedirects": _NEVER,
    "requests.URLRequired": _NEVER,
    "requests.UnrewindableBodyError": _NEVER,
}

_ADVICE = {
    "prawcore.Forbidden": "access is refused; the community may be private, or the client not approved",
    "prawcore.InsufficientScope": "the key may not read this; ask Reddit for approval",
    "prawcore.InvalidToken": "the token is refused; check client_id and client_secret",
    "prawcore.NotFound": "there is no such community; check its name",
    "prawcore.OAuthException": "the keys are refused; check client_id and client_secret",
    "prawcore.Redirect": "there is no such community (Reddit redirects to its search); check its name",
    "prawcore.UnavailableForLegalReasons": "it may not be shown here",
    "prawcore.BadJSON": "the answer is not JSON",
}
_BY_STATUS = {401: "the keys are refused; check client_id and client_secret", 403: "access is refused"}


class Refused(Permanent):
    """A community is closed to us or does not exist; the others may well answer."""


_PLACE = {
    "prawcore.Forbidden", "prawcore.NotFound", "prawcore.Redirect", "prawcore.UnavailableForLegalReasons",
}  # fmt: skip


def transport_error(error: BaseException, where: str) -> TransportError:
    """The `TransportError` that says what a library's exception means.

    Args:
        where: what was asked for, as in `r/ClaudeAI/new`; messages hold no key, since theirs are not repeated.
    """
    if isinstance(error, TransportError):
        return error
    name = _name(type(error))
    meaning = MEANING.get(name) if name else None
    if meaning is None:
        # A value that the client could not digest: a header, a field or JSON of another shape than promised.
        return Hostile(f"reddit {where}: the answer cannot be read ({type(error).__name__})")
    if meaning == _CAUSE:
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, TransportError):
            return cause
        inner = _name(type(cause)) if cause is not None else None
        meaning = MEANING.get(inner, _AGAIN) if inner else _AGAIN
        return _of(meaning, f"reddit {where}: the request failed ({type(cause).__name__})")
    if meaning == _STATUS:
        return _by_status(error, where)
    says = _ADVICE.get(name or "", type(error).__name__)
    response = getattr(error, "response", None)
    status = f" answered {response.status_code}" if response is not None else ""
    words = f"reddit {where}{status}: {says}"
    return Refused(words) if name in _PLACE else _of(meaning, words)


def _by_status(error: BaseException, where: str) -> TransportError:
    response = getattr(error, "response", None)
    status = int(getattr(response, "status_code", 0))
    headers = getattr(response, "headers", {})
    words = f"reddit {where} answered {status}"
    if status == 429 or status >= 500 or status in {408, 425}:
        return Temporary(
            f"{words}; it will be tried again",
            retry_after=retry_after(headers.get("retry-after"), headers.get("date")),
        )
    return Permanent(f"{words}: {_BY_STATUS.get(status, 'the request is refused')}")


def _of(meaning: str, words: str) -> TransportError:
    kinds: dict[str, type[TransportError]] = {_AGAIN: Temporary, _NEVER: Permanent, _BAD: Hostile}
    return kinds[meaning](words)


def _name(kind: type) -> str | None:
    """`library.Class` of an exception class, or of its nearest ancestor that the table knows."""
    for each in kind.__mro__:
        name = f"{each.__module__.partition('.')[0]}.{each.__name__}"
        if name in MEANING:
            return name
    return None
