"""What the classifier sees of a post: plain lower-case words, the service's name replaced by one token.

A name that is masked teaches the head "SERVICE is down" instead of "github is down", so that a service it never
met is judged like the ones it knows. Links, accounts, dates and numbers become tokens for the same reason.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

SERVICE, URL, USER = "xsvcx", "xurlx", "xuserx"
YEAR, AGED, CLOCK, DAY, PERCENT = "xyearx", "xagedx", "xclockx", "xdayx", "xpercentx"
LIMIT_BYTES = 4096
"""Longer posts are cut: what fails is said at the start, and a post of 1 MB must cost what one of 4 kB costs."""

_ROUGH_LIMIT = 3 * LIMIT_BYTES
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,2000}")
_ACCOUNT = re.compile(r"(?<!\w)@\w{1,40}")
_AGED = re.compile(r"[(\[](?:19|20)\d\d[)\]]")
# A pattern that begins with one kind of letter is looked for at that kind alone: `\d(?<!\d\d)` says the same as
# `(?<!\d)\d`, and is several times as fast.
_CLOCK = re.compile(r"\d(?<!\d\d)\d?(?:[:.]\d\d(?: ?[ap]m)?(?!\d)| ?[ap]m\b)")
_MAYBE_DAY = re.compile(r"\d(?<=[a-z.] \d)")
_DAY_OF_MONTH = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.? (?:[0-3]?\d)(?:st|nd|rd|th)?\b(?!:)"
)
_DATE = re.compile(r"\d(?<!\d\d)(?:(?<=2)0\d\d-[01]\d-[0-3]\d(?!\d)|(?:(?<=[0-3])\d)?[/.][01]?\d[/.](?:20)?\d\d(?!\d))")
_NUMBER = re.compile(r"\d+")
_BEFORE_MARK = re.compile(r" (?=[',.:;?!])")
_HAS_DIGIT = re.compile(r"\d")
# Format characters (category Cf) that change nothing a reader sees: joiners, marks of direction, soft hyphen, BOM,
# variation selectors and tags.
_UNSEEN = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0xFEFF, 0x3164, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
    ]
)
_QUOTES = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x60: "'", 0xB4: "'", 0x201C: '"', 0x201D: '"', 0x2026: " "}
_FOLD = {chr(code): new or "" for code, new in {**_UNSEEN, **_QUOTES}.items()}
_FOLDED = re.compile(f"[{''.join(map(re.escape, _FOLD))}]")


def _fold(found: re.Match[str]) -> str:
    return _FOLD[found[0]]


def clean(text: str) -> str:
    """Readable text in lower case: no HTML, entities, unseen characters or odd quotes, at most 4 kB.

    >>> clean("<p>It&#x27;s DOWN\\u200b again")
    " it's down again"
    """
    text = text[:_ROUGH_LIMIT]
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        folded = _FOLDED.sub(_fold, text)
        text = unicodedata.normalize("NFKC", folded)
        if text != folded:
            text = _FOLDED.sub(_fold, text)
        # NFKC turns one character into up to eighteen, so the limit is applied after it.
        text = text.encode("utf-8", "ignore")[:LIMIT_BYTES].decode("utf-8", "ignore")
    return text[:LIMIT_BYTES].lower()


def normalise(text: str, *names: str) -> str:
    """The words the classifier judges; `names` are the ways in which this post names its service.

    >>> normalise("@slackhq Slack was down on June 21, 2022? https://t.co/x", "Slack", "slackhq")
    'xsvcx xsvcx was down on xdayx, xyearx? xurlx'
    """
    text = clean(text)
    if "http" in text or "www." in text:
        text = _LINK.sub(f" {URL} ", text)
    said = tuple([form for form in _forms(names) if form in text])
    if said:
        text = _naming(said, "@" in text or "#" in text).sub(_MASK, text)
    if "@" in text:
        text = _ACCOUNT.sub(USER, text)
    if "%" in text:
        text = text.replace("%", f" {PERCENT} ")
    if _HAS_DIGIT.search(text):
        text = _AGED.sub(f" {AGED} ", text)
        if _MAYBE_DAY.search(text):
            text = _DAY_OF_MONTH.sub(DAY, text)
        text = _DATE.sub(DAY, text)
        text = _CLOCK.sub(CLOCK, text)
        text = _NUMBER.sub(_number, text)
    return _BEFORE_MARK.sub("", " ".join(text.split()))


def _number(found: re.Match[str]) -> str:
    digits = found[0]
    if len(digits) == 3 and digits[0] in "45":
        return digits  # HTTP status codes tell a failure from a mere figure
    if len(digits) == 4 and digits[:2] in {"19", "20"}:
        return YEAR
    return "0" * min(len(digits), 4)


_MASK = f"{SERVICE} "


@lru_cache(maxsize=4096)
def _forms(names: tuple[str, ...]) -> tuple[str, ...]:
    """How names can stand in a cleaned text, longest first; `google-cloud` is also `google cloud`."""
    words = [clean(name[:200]).strip(" @#") for name in names]
    forms = {form for word in words for form in (word, word.replace("-", " ")) if form}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


@lru_cache(maxsize=4096)
def _naming(forms: tuple[str, ...], marked: bool) -> re.Pattern[str]:
    """A pattern for all ways of naming, longest first; also inside `#slackdown` and `#slackoutage`.

    Where no `@` nor `#` stands in the text it begins with the name itself, which is found several times as fast.
    """
    names = [re.escape(form) for form in forms]
    if marked:
        start = rf"(?<!\w)[@#]?(?:{'|'.join(names)})"
    else:
        start = "(?:" + "|".join(rf"{name}(?<!\w{name})" for name in names) + ")"
    return re.compile(rf"{start}(?:(?!\w)|(?=(?:is)?(?:down|outage)))")
