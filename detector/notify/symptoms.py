"""What people say fails, in a few plain words, from the posts quoted as evidence. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from detector.domain import Evidence

# Phrase shown, and what people write; the first that fits a post is counted, so the particular stands first.
_SYMPTOMS = tuple(
    (words, re.compile(pattern, re.IGNORECASE))
    for words, pattern in (
        ("login does not work", r"\b(?:log ?(?:in|on|ged out)|logging in|sign ?in|signing in|2fa|authenticat\w+)\b"),
        ("payments fail", r"\b(?:payments?|checkout|card declined|refund|transfer)\b"),
        ("messages do not go out", r"\b(?:messages?|dms?|chats?)\b.{0,30}\b(?:send|sent|sending|deliver\w*|going)\b"),
        ("calls fail", r"\b(?:calls?|meetings?|voice|audio)\b.{0,30}\b(?:drop\w*|fail\w*|connect\w*|join\w*|cut\w*)\b"),
        (
            "video or music stops",
            r"\b(?:buffer\w*|playback|stream\w*|songs?|videos?)\b.{0,30}\b(?:stop|fail|play|load|buffer)\w*\b",
        ),
        ("deployments or builds fail", r"\b(?:deploy\w*|builds?|ci|actions|pipelines?|git (?:push|pull|clone))\b"),
        ("the API fails", r"\bapi\b"),
        (
            "it does not load",
            r"\b(?:(?:won'?t|not|can'?t|doesn'?t|isn'?t) (?:load|open|connect|reach)\w*|loading|blank|spinning)\b",
        ),
        ("it times out", r"\b(?:time[sd]? ?out|timeouts?|timing out)\b"),
        ("it is very slow", r"\b(?:slow\w*|lag\w*|crawl\w*|latency)\b"),
        ("it crashes", r"\bcrash\w*\b"),
        ("it is down", r"\b(?:down|outage|offline|unavailable)\b"),
    )
)
_CODE = re.compile(
    r"\b(?:error|code|status|http|getting|returns?|throwing)\W{1,3}(?:code\W)?(5\d\d|429|403)\b|\b(5\d\d)s?\W",
    re.IGNORECASE,
)


def symptom(evidence: Sequence[Evidence]) -> str:
    """The commonest complaint, with the error code if people name one.

    >>> from detector.domain import EPOCH
    >>> posts = ["claude api error 529 again", "the api keeps throwing 529 errors", "claude is down"]
    >>> symptom([Evidence(source="s", id=str(n), url=None, text=t, p=0.9, at=EPOCH) for n, t in enumerate(posts)])
    'the API fails, error 529'
    >>> symptom([])
    'it is not working'
    """
    votes: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for quoted in evidence:
        text = quoted.text[:1000]
        votes.update([next((words for words, pattern in _SYMPTOMS if pattern.search(text)), "it is not working")])
        codes.update({found[1] or found[2] for found in _CODE.finditer(text)})
    # Counter keeps the order of first sight among equals, and the evidence stands best first.
    words = votes.most_common(1)[0][0] if votes else "it is not working"
    code = codes.most_common(1)[0][0] if codes else None
    return words if code is None else f"{words}, error {code}"


def component(evidence: Sequence[Evidence], parts: Mapping[str, Sequence[str]]) -> str | None:
    """The part of the service that most of the quoted posts speak of, None where they do not agree on one.

    Args:
        parts: the words people use, by the part's name, as the catalogue lists them.

    >>> from detector.domain import EPOCH
    >>> posts = ["claude api error 529", "API down", "is claude broken"]
    >>> evidence = [Evidence(source="s", id=str(n), url=None, text=t, p=0.9, at=EPOCH) for n, t in enumerate(posts)]
    >>> component(evidence, {"login": ["log in"], "api": ["api", "sdk"]}), component(evidence[2:], {"api": ["api"]})
    ('api (2 of 3 posts)', None)
    """
    counts: Counter[str] = Counter()
    for quoted in evidence:
        text = quoted.text[:1000].lower()
        counts.update(
            name
            for name, words in parts.items()
            if any(re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text) for word in words)
        )
    if not counts:
        return None
    name, count = counts.most_common(1)[0]
    return f"{name} ({count} of {len(evidence)} posts)" if count >= 2 and count * 2 >= len(evidence) else None
