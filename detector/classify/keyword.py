"""The floor: a lexicon and a few rules, always available, no artifact needed.

Reads the normalised text (the service's name masked) and gives a hand-set probability by what it finds: words of
present failure, of the past, of news, of an account or a device. Every pattern is bounded, so time is linear in the
text. Its hits are also plain features of the trained head, which learns how far to trust each.
"""

# ruff: noqa: E501 - a pattern is read best on one line

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from detector.classify.normalise import AGED, DAY, SERVICE, YEAR, normalise
from detector.classify.starts import starts
from detector.domain import Judgement, Mention, Post, Probabilities

_DOES_NOT = r"(?:is ?n'?t|are ?n'?t|wo ?n'?t|does ?n'?t|do ?n'?t|can ?n?o?'?t|could ?n'?t|not|never|stopped|unable to|refus\w{1,5} to)"
_TO_WORK = (
    r"(?:work(?:ing)?|load(?:ing)?|open(?:ing)?|connect(?:ing)?|respond(?:ing)?|log(?:ging)? ?in|sign(?:ing)? ?in|start(?:ing)?|"
    r"play(?:ing)?|sync(?:ing)?|send(?:ing)?|refresh(?:ing)?|stream(?:ing)?|function(?:ing)?|get (?:in|on|through)|reach(?:ing)?|access(?:ing)?)"
)
_RULES: tuple[tuple[str, str], ...] = (
    ("down_now", rf"\b(?:{SERVICE}|site|servers?|api|app|website|service|everything|internet|network|system)s? (?:\w{{1,12}} )?(?:is|are|seems?|appears?|'s|r|looks?|has gone|went|goes|keeps going) (?!not\b|never\b)(?:\w{{1,12}} ){{0,2}}down\b(?! to\b)"),
    ("down_asked", rf"\b(?:is|are|was anyone|anyone) (?:\w{{1,12}} ){{0,3}}{SERVICE} (?:\w{{1,12}} ){{0,3}}(?:down|out|offline|dead|broken|borked)\b|{SERVICE} (?:(?!not\b|never\b)\w{{1,12}} ){{0,2}}(?:down|offline|dead) ?(?:\?|for|again|now|right|everywhere|$)"),
    ("named_down", r"^(?!.{0,60}\b(?:not|never|is ?n\'?t|are ?n\'?t)\b)\W{0,3}(?:(?:ask|tell|show) hn\W{1,3}|tell\W{1,3})?(?:so |is |are |omg |the |why is |psa:? ){0,3}(?:[\w.'&-]{1,20} ){1,4}(?:is |are |seems to be |appears to be )?(?:still |currently |now |completely |all )?(?:down|offline|unavailable|unreachable)(?: (?:again|now|right now|today|worldwide|globally|everywhere|in [\w, ]{1,20}|for (?:me|you|anyone|everyone|many|some|all)\b.{0,30}))?\W{0,6}(?:xurlx)?$"),
    ("fails", rf"\b{_DOES_NOT} (?:\w{{1,10}} ){{0,2}}{_TO_WORK}\b"),
    ("symptom", r"\b(?:50[0-9]|52[0-9]|429|529)s?\b|\b(?:gateway time-?out|bad gateway|service unavailable|internal server error|connection (?:refused|reset|timed out)|timing out|time[sd]? out|server error|elevated errors?|no internet|no service|overloaded)\b"),
    ("outage", r"\b(?:outages?|downtime|service disruptions?|disrupted|degraded)\b"),
    ("outage_asked", r"\b(?:outages?|down|issues|problems)\b[^?.]{0,60}\?"),
    ("others_too", r"\b(?:any ?(?:one|body) (?:else|having|know)|is it (?:just|only) me|just me|same here|me too|us too|everyone)\b"),
    ("right_now", r"\b(?:right now|at the moment|currently|again|today|tonight|this morning|since \w{2,12}|for (?:the )?(?:last|past)|still|all (?:day|morning))\b"),
    ("was_down", r"\b(?:was|were|had been|went|has been) (?:\w{1,12} ){0,2}(?:down|offline|out|unavailable|unreachable)\b"),
    ("past", r"\b(?:post-? ?mortem|postmortem|root cause|aftermath|retrospective|incident report|yesterday|last (?:week|month|night|year)|lessons?|survived|explains?|explained|apolog\w{2,6}|anatomy|learned|history)\b"),
    ("dated", rf"\b(?:{DAY}|{AGED}|{YEAR})\b"),
    ("over", r"\b(?:back (?:up|online|to normal)|resolved|restored|fixed|recovered|is up again|up and running|working again|no longer)\b"),
    ("planned", r"\b(?:scheduled|planned|maintenance|shutting down|shuts down|shut down|sunset\w{0,4}|end of life|discontinu\w{2,4})\b"),
    ("newsy", r"\b(?:suffers?|suffering|hit by|hits|affects?|affecting|millions|thousands|takes down|took down|knocks?|widespread|massive|major|reports? of|users report|investigating|according to|says|worldwide|global)\b"),
    ("account", r"\b(?:my (?:account|card|order|refund|payment|subscription|password|bill|profile)|ban(?:ned)?|suspended|locked out|refund\w{0,3}|billing|charged|password|cancel\w{0,6}|usage limit|limit reached|rate limits?|verification)\b"),
    ("device", r"\b(?:my (?:phone|iphone|ipad|laptop|pc|tv|router|modem|macbook|android|samsung|pixel)|iphone|ipad|android|ios 0{1,2}|after (?:the )?update|since (?:the )?(?:last )?update|chromecast|firmware|reinstall\w{0,3})\b"),
    ("idiom", r"\b(?:down (?:to|the|vote\w{0,2}|with|under|on|syndrome|payment)|doubl\w{2,3} down|break(?:s|ing)? down|cut(?:s|ting)? down|slow(?:s|ed)? down|calm down|sit down|(?:stocks?|shares|prices?|sales) (?:are |is )?down|crash(?:ed|ing)? (?:the|a|my) (?:party|car|wedding)|tracked down|come down|upside down|let(?:s|ting)? (?:me |us )?down)\b"),
    ("denied", r"\b(?:no|not an?|zero|never (?:had|seen)|without(?: any)?) (?:\w{1,12} )?(?:outages?|problems?|issues?|trouble|downtime|errors?|down)\b|\b(?:works?|working|loads?|up) (?:fine|ok|here|perfectly|for (?:me|us))\b|\b(?:not|never|is ?n'?t|are ?n'?t|was ?n'?t) (?:\w{1,12} )?(?:down|offline|broken|out)\b|\bdown\? (?:no|nope)\b"),
    ("power", r"\b(?:power|electricity|water|gas|storm|hurricane|blackout|black-?out|transformer|utility|utilities)\b"),
    ("wish", r"\b(?:how (?:do|can|to)|please add|feature request|would be nice|i wish|love|great app|awesome|best app|thanks|thank you|show hn|tutorial|guide)\b"),
)  # fmt: skip
_NEEDS: dict[str, tuple[str, ...]] = {
    "down_now": (" down",),
    "down_asked": (" down", " out", " offline", " dead", " broken", " borked"),
    "named_down": (" down", " offline", " unavailable", " unreachable"),
}
"""Rules that start like every other text, and the words of which a text must hold one to be worth the pattern."""

RULES = tuple((name, re.compile(pattern)) for name, pattern in _RULES)
"""What is looked for, in the order of `hits`."""

_AT = {name: place for place, (name, _) in enumerate(RULES)}
RULES_HASH = f"{zlib.crc32(repr(_RULES).encode()):08x}"


def hits(text: str) -> list[bool]:
    """Which rules find something in a normalised text, in the order of `RULES`.

    >>> [RULES[i][0] for i, hit in enumerate(hits("is xsvcx down?")) if hit]
    ['down_asked', 'named_down', 'outage_asked']
    """
    found = found_at(text)
    return [place in found for place in range(len(RULES))]


def found_at(text: str) -> set[int]:
    """The places in `RULES` of those that find something in a normalised text."""
    automaton, tried, worth = _finder()
    found: set[int] = set()
    whole: set[int] = set()
    for word, at, _ in automaton.find_matches_as_indexes(text, True):
        for place, match in tried[word]:
            if place not in found and match(text, at):
                found.add(place)
        if worth[word]:
            whole.update(worth[word])
    for place in whole:
        if _anywhere(text, place):
            found.add(place)
    return found


def _anywhere(text: str, place: int) -> bool:
    pattern, words = RULES[place][1], _starts(place)
    if words == ("",):
        return pattern.search(text) is not None
    for word in words:
        at = text.find(word)
        while at >= 0:
            if pattern.match(text, at):
                return True
            at = text.find(word, at + 1)
    return False


@cache
def _starts(place: int) -> tuple[str, ...]:
    return starts(RULES[place][1].pattern)


_Tries = tuple[tuple[int, Callable[[str, int], object]], ...]


@cache
def _finder() -> tuple[AhoCorasick, tuple[_Tries, ...], tuple[tuple[int, ...], ...]]:
    """An automaton of words; of each word the rules to be tried where it stands, and those to be looked for at all."""
    tried: dict[str, list[tuple[int, Callable[[str, int], object]]]] = {}
    for place, (name, pattern) in enumerate(RULES):
        for word in () if name in _NEEDS else _starts(place):
            tried.setdefault(word, []).append((place, pattern.match))
    worth = {word: tuple(_AT[name] for name in _NEEDS if word in _NEEDS[name]) for word in chain(*_NEEDS.values())}
    words = tuple(dict.fromkeys([*tried, *worth]))
    automaton = AhoCorasick(words, matchkind=MatchKind.Standard, implementation=Implementation.DFA)
    return automaton, tuple(tuple(tried.get(word, ())) for word in words), tuple(worth.get(word, ()) for word in words)


def judge_text(text: str) -> Probabilities:
    """The five probabilities of a normalised text.

    >>> judge_text("is xsvcx down?").label, judge_text("xsvcx was down yesterday").label
    ('complaint', 'past')
    """
    found = hits(text)

    def has(*names: str) -> bool:
        return any(found[_AT[name]] for name in names)

    failing = has("down_now", "down_asked", "named_down", "fails", "symptom", "outage", "was_down")
    if has("power") and not has("down_now", "down_asked", "named_down"):
        return Probabilities(0.04, 0.03, 0.03, 0.05, 0.85)
    if has("denied") and not has("down_asked", "others_too", "symptom"):
        return Probabilities(0.08, 0.02, 0.12, 0.12, 0.66)
    if not failing:
        if has("account", "device"):
            return Probabilities(0.06, 0.01, 0.01, 0.52, 0.40)
        if has("planned", "over", "past") and has("outage_asked", "dated"):
            return Probabilities(0.06, 0.03, 0.31, 0.10, 0.50)
        return Probabilities(0.03, 0.01, 0.02, 0.12, 0.82)
    if has("was_down", "past", "dated", "over", "planned"):
        sure = has("down_now", "down_asked") and has("right_now", "others_too")
        return Probabilities(0.45, 0.08, 0.32, 0.07, 0.08) if sure else Probabilities(0.12, 0.10, 0.58, 0.08, 0.12)
    if has("down_now", "down_asked", "named_down") or (has("outage") and has("outage_asked", "others_too")):
        if has("newsy") and not has("outage_asked", "others_too"):
            return Probabilities(0.22, 0.55, 0.10, 0.03, 0.10)
        return Probabilities(0.80, 0.05, 0.03, 0.04, 0.08)
    if has("outage"):
        return Probabilities(0.16, 0.52, 0.14, 0.04, 0.14)
    if has("account", "device"):
        return Probabilities(0.22, 0.01, 0.02, 0.62, 0.13)
    if has("others_too", "right_now", "symptom"):
        return Probabilities(0.58, 0.04, 0.03, 0.18, 0.17)
    return Probabilities(0.33, 0.02, 0.04, 0.33, 0.28)


def names_of(mention: Mention) -> tuple[str, ...]:
    """How this post names its service: as it was matched, and the slug."""
    return (mention.matched, mention.service)


_OF_YEAR = re.compile(r"[(\[]((?:19|20)\d\d)[)\]]\s*(?:\[\w{2,9}\]\s*)?$")


def of_another_year(post: Post) -> bool:
    """Whether the title ends with an earlier year than it was posted in, as links to old pages are marked.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2018, 5, 1, tzinfo=UTC)
    >>> [of_another_year(Post(source="hackernews", id="1", created_at=at, seen_at=at, text=text))
    ...  for text in ("S3 is down (2017)", "S3 is down (2018)", "S3 is down")]
    [True, False, False]
    """
    found = _OF_YEAR.search(post.text.partition("\n")[0].rstrip()[-30:])
    return found is not None and int(found[1]) < post.created_at.year


_DENIED = re.compile(
    r"\b(?:is|are|was)(?: not|n['\u2019]?t| never)(?: (?!just|only|merely|simply)\w{1,12})? (?:down|offline|dead|broken)\b"
    r"|\b(?:do ?n['\u2019]?t think|doubt|nobody sa\w{2}|no one sa\w{2}|never said|not saying) "
    r"(?:[\w.'&-]{1,20} ){1,4}(?:is|are|was) (?:down|offline|dead|broken)\b"
    r"|\b(?:having|have|has|had|see|seeing) (?:no|zero) (?:problems?|issues?|trouble|outages?|errors?)\b"
)
_PLANNED = re.compile(r"\bwill (?:all )?be (?:down|offline|unavailable)\b")
_AND_YET = re.compile(
    r"[?]|\b(?:but|yet|though|although|except|still|any ?one|just me|wo ?n['\u2019]?t|ca ?n['\u2019]?t|cannot|not (?!down|offline|dead"
    r"|broken)\w+ing|errors?|time ?outs?|timing out|5\d\d)\b"
)
_SHORT = 160  # characters: in a longer post one denial rarely is the whole of it
_SETTLING = re.compile(r"down|offline|unavailable|broken|dead| no | zero ")


def settled(text: str) -> str | None:
    """The label that a bare denial ("X is not down") or announcement ("X will be down tonight") settles, if any.

    Models weigh words; in a short post "down" outweighs "not". Nothing is settled where the post goes on about
    something that fails, or asks.

    >>> [settled(text) for text in ("Slack is not down", "slack isn't down but nothing loads", "is Slack not down?")]
    ['other', None, None]
    >>> settled("GitHub will be down tonight for two hours"), settled("GitHub is down")
    ('past', None)
    """
    said = text.lower() if len(text) <= _SHORT else ""
    if not _SETTLING.search(said):
        return None
    label = "other" if _DENIED.search(said) else "past" if _PLANNED.search(said) else None
    return None if label is None or _AND_YET.search(said) else label


_KEPT = 0.05
"""Share of a complaint's probability that stays where the words or the date settle that it is none."""


def spoken_for(mention: Mention, p: Probabilities) -> Probabilities:
    """What who speaks, when and in which words settles: a provider's own post is no complaint, nor is a denial; a page
    of another year is past, and what is announced is not yet.
    """
    if mention.post.official:
        p = Probabilities(0.0, p.report, p.past, p.solo, p.other + p.complaint)
    if of_another_year(mention.post):
        p = Probabilities(p.complaint * _KEPT, p.report * _KEPT, p.past + p.now * (1 - _KEPT), p.solo, p.other)
    elif (label := settled(mention.post.text)) is not None:
        taken = p.complaint * (1 - _KEPT)
        past, other = (p.past + taken, p.other) if label == "past" else (p.past, p.other + taken)
        p = Probabilities(p.complaint * _KEPT, p.report, past, p.solo, other)
    return p


class KeywordClassifier:
    """Judges by rules alone."""

    @property
    def name(self) -> str:
        """`keyword@` and a hash of the rules."""
        return f"keyword@{RULES_HASH}"

    @property
    def prior(self) -> float:
        """Share of *now* in the labelled posts the probabilities were set on."""
        return 0.16

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, in order."""
        return [
            Judgement(
                mention=m, p=spoken_for(m, judge_text(normalise(m.post.text, *names_of(m)))), classifier=self.name
            )
            for m in mentions
        ]


def build(path: Path | None = None) -> KeywordClassifier:  # noqa: ARG001 - the signature of the group
    """The keyword classifier; it has no artifact, so the path is not used."""
    return KeywordClassifier()
