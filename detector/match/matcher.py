"""From a post to the services it names: one automaton over all names, then rules for each find.

Aho-Corasick finds every name that starts at a word, overlapping ones too; of those that end at a word the longest that
its rules accept wins ("github copilot" before "github"). Only finds are looked at closely, so the usual post, which
names nothing, costs one fold and one scan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from ahocorasick_rs import AhoCorasick

from detector.domain import Ambiguous, Mention, Post, Service
from detector.match.folding import Folded, fold, squeeze
from detector.match.grammar import (
    fails_behind,
    fails_with,
    is_given,
    named_as_product,
    noun_phrase,
    person,
    person_or_compound,
    says_it_fails,
)
from detector.match.lists import inside, joined, lacking
from detector.match.names import Directory, component_words, hosts, is_status_host
from detector.match.slips import slips_of
from detector.match.surroundings import Place, host, place, token, venue

# Names further back in a text are not looked for: no post that complains needs so many characters.
TEXT_LIMIT = 20_000
# So often one name is looked at in one post; a text of nothing but names must not take seconds.
TRIES = 50

# A capitalised name in a post with one of these is the service, whatever the rest says.
_OUTAGE_WORDS = frozenset({"outage", "outages"})
# A tuple: members are compared by identity, which is quicker than their hash.
_NAMING = (Place.TEXT, Place.HANDLE, Place.OUTAGE_TAG)


class _Kind(Enum):
    NAME = 1
    AMBIGUOUS = 2
    HANDLE = 3
    COMMUNITY = 4
    TAG = 5
    HOST = 6


@dataclass(frozen=True, slots=True)
class _Rule:
    """An ambiguous alias, prepared."""

    symptoms: bool
    words: frozenset[str]
    phrases: tuple[str, ...]
    never: tuple[str, ...]
    capital: bool


@dataclass(frozen=True, slots=True)
class _Name:
    """One way of naming one service."""

    kind: _Kind
    service: str
    alias: str
    loose: str
    rule: _Rule | None = None


@dataclass(slots=True)
class _Reading:
    """A post's text while it is being matched."""

    folded: Folded
    home: str | None
    known: frozenset[str] = frozenset()
    words: frozenset[str] | None = None
    tries: dict[int, int] = field(default_factory=dict)
    accepted: list[tuple[_Name, int, int]] = field(default_factory=list)
    unclear: list[tuple[_Name, int, int]] = field(default_factory=list)

    def has(self, rule: _Rule) -> bool:
        if self.words is None:
            self.words = frozenset(self.folded.scan.split())
        return not rule.words.isdisjoint(self.words) or any(phrase in self.folded.scan for phrase in rule.phrases)

    def tells_of_outage(self) -> bool:
        return "outage" in self.folded.scan and not _OUTAGE_WORDS.isdisjoint(self.folded.scan.split())


class NameMatcher:
    """Finds the services posts name.

    >>> from detector.domain import parse_time
    >>> slack = Service(slug="slack", name="Slack", ambiguous=(Ambiguous(alias="slack", never=("slack off",)),))
    >>> matcher = NameMatcher([slack])
    >>> def services(text):
    ...     at = parse_time("2026-03-02T12:00:00Z")
    ...     return [m.service for m in matcher.match(Post(source="s", id="1", created_at=at, seen_at=at, text=text))]
    >>> services("Is Slack down?"), services("Don't slack off")
    (['slack'], [])
    """

    def __init__(self, services: Sequence[Service]) -> None:
        """Build the automaton: about 10 ms for 1,000 names."""
        self._directory = Directory(services)
        self._components = {s.slug: component_words(s.components) for s in services if s.components}
        patterns: dict[str, list[_Name]] = {}
        for service in services:
            for name in _names(service):
                if name.kind is _Kind.HOST and not self._directory.owns(name.alias, service.slug):
                    continue
                known = patterns.setdefault(fold(name.alias).scan[:-1], [])
                if name not in known:
                    known.append(name)
        patterns.pop(" ", None)
        for slip, name in _slips(patterns):
            patterns[slip] = [name]
        self._names = [sorted(names, key=lambda n: n.kind is _Kind.AMBIGUOUS) for names in patterns.values()]
        self._automaton = AhoCorasick(list(patterns)) if patterns else None
        self._patterns = tuple(patterns)
        self._known = frozenset(patterns)

    @property
    def spellings(self) -> int:
        """How many are looked for, slips of the finger included."""
        return len(self._patterns)

    def resolve(self, hint: str) -> str | None:
        """The slug an archive's hint means (slug, handle, name), or None.

        >>> NameMatcher([Service(slug="spotify", name="Spotify", handles=("SpotifyCares",))]).resolve("@spotifycares")
        'spotify'
        """
        return self._directory.resolve(hint)

    def home(self, source: str) -> str | None:
        """The slug of the service that a source is about ("reddit:r/ClaudeAI"), or None."""
        return self._directory.home(source)

    def patterns(self, slugs: Collection[str]) -> list[str]:
        """The folded names, each behind a space, one of which a text must hold to name one of these services."""
        return [
            pattern
            for pattern, names in zip(self._patterns, self._names, strict=True)
            if any(name.service in slugs for name in names)
        ]

    def may_match(self, text: str) -> bool:
        """False only if `match` finds no service in the text; archive readers drop such lines early.

        What a post's source, hint and address say is not considered.
        """
        return self._automaton is not None and bool(
            self._automaton.find_matches_as_indexes(fold(text[:TEXT_LIMIT]).scan)
        )

    def match(self, post: Post) -> list[Mention]:
        """One mention a service, in slug order; empty if the post names none."""
        folded = fold(post.text[:TEXT_LIMIT])
        finds = self._automaton.find_matches_as_indexes(folded.scan, overlapping=True) if self._automaton else []
        hinted = self._directory.resolve(post.service_hint) if post.service_hint else None
        home = hinted or (self._directory.home(post.source) if ":" in post.source else None)
        linked = self._directory.linked(post)
        if not finds and home is None and linked is None:
            return []
        named: dict[str, str] = {}
        if finds:
            reading = _Reading(folded, home, self._known)
            self._read(reading, finds)
            if reading.unclear and len(reading.accepted) + len(reading.unclear) > 1:
                _share(reading)
            for name, start, end in reading.accepted:
                if name.service not in named:
                    named[name.service] = folded.written(start, end)
        if linked is not None:
            named.setdefault(linked, post.url or "")
        if hinted is not None:
            named.setdefault(hinted, post.service_hint or "")
        elif home is not None and not named:
            named[home] = post.source
        return [
            Mention(post=post, service=slug, matched=named[slug], component=self._component(slug, folded.scan))
            for slug in sorted(named)
        ]

    def _read(self, reading: _Reading, finds: list[tuple[int, int, int]]) -> None:
        """Notes the accepted names, the longest first where they overlap, and the unclear ones."""
        plain, scan = reading.folded.plain, reading.folded.scan
        whole = [
            (start, end - 1, index)
            for index, start, end in finds
            if scan[end : end + 1] in " s" or scan[end - 1] == " " or plain[start - 1 : start] == "#"
        ]
        if len(whole) > 1:
            whole.sort(key=lambda find: (find[0], -find[1]))
        cluster: list[tuple[int, int, int]] = []
        reach = -1
        for find in whole:
            if find[0] >= reach:
                self._longest(reading, cluster)
                cluster = []
            cluster.append(find)
            reach = max(reach, find[1])
        self._longest(reading, cluster)

    def _longest(self, reading: _Reading, cluster: list[tuple[int, int, int]]) -> None:
        if len(cluster) > 1:
            cluster.sort(key=lambda find: (find[0] - find[1], find[0]))
        taken: list[tuple[int, int]] = []
        for start, end, index in cluster:
            if taken and any(start < last and first < end for first, last in taken):
                continue
            tries = reading.tries[index] = reading.tries.get(index, 0) + 1
            if tries > TRIES:
                continue
            accepted = [name for name in self._names[index] if _accepts(name, reading, start, end)]
            if accepted:
                taken.append((start, end))
                reading.accepted += [(name, start, end) for name in accepted]

    def _component(self, slug: str, scan: str) -> str | None:
        return next((name for phrase, name in self._components.get(slug, ()) if phrase in scan), None)


def _accepts(name: _Name, reading: _Reading, start: int, end: int) -> bool:
    plain = reading.folded.plain
    written = plain[start:end]
    if written != name.alias and written.replace("-", " ") != name.loose:
        return False
    kind = name.kind
    if kind is _Kind.HOST:
        return host(token(plain, start, end)).removeprefix("www.") == name.alias
    before = plain[start - 2 : start] if start > 1 else plain[:start]
    if kind is _Kind.TAG and before[-1:] != "#":
        return False
    if kind is _Kind.HANDLE and before[-1:] != "@" and before != "u/":
        return False
    where = place(plain, start, end)
    if where is Place.PART and kind is _Kind.NAME and _several(reading, start, end):
        where = Place.TEXT
    if where not in _NAMING:
        return False
    if where is Place.TEXT and _other_thing(reading, start, end):
        return False
    if kind is _Kind.AMBIGUOUS:
        return where is Place.OUTAGE_TAG or _means_it(name, reading, start, end)
    return kind is not _Kind.HANDLE or where is Place.HANDLE or before == "u/"


def _several(reading: _Reading, start: int, end: int) -> bool:
    """Whether a clear name stands in the plural and fails: "both our githubs time out", but no canvas for Canva."""
    plain = reading.folded.plain
    if f" {plain[start : end + 1]}" in reading.known:
        return False
    if plain[end : end + 1] != "s" or plain[end - 1] == "s" or end - start < 5:
        return False
    beyond = plain[end + 1 : end + 2]
    return not (beyond.isalnum() or beyond == "_") and fails_behind(plain[end + 1 : end + 161])


def _means_it(name: _Name, reading: _Reading, start: int, end: int) -> bool:
    """Whether an ambiguous alias is the service here."""
    rule = name.rule
    if rule is None:
        return True
    folded = reading.folded
    if rule.never:
        near = folded.scan[max(0, start - 40) : end + 42]
        if any(phrase in near for phrase in rule.never):
            return False
    if person_or_compound(folded.plain, start, end):
        return False
    written = folded.written(start, end)
    if rule.capital and not written[:1].isupper():
        return False
    if reading.home == name.service:
        return True
    before = folded.written(max(0, start - 40), start) if start else ""
    if rule.symptoms and says_it_fails(written, before, folded.plain, start, end):
        return True
    if not noun_phrase(written, before, folded.plain, start, end, strict=False):
        if before.casefold().endswith(("no ", "both ")):
            reading.unclear.append((name, start, end))
        return False
    named = written[:1].isupper() and rule.symptoms and not rule.capital
    if reading.has(rule) or (named and reading.tells_of_outage()):
        return True
    if named and named_as_product(before, folded.plain, end, folded.written(end, end + 30), given=is_given(name.alias)):
        return True
    reading.unclear.append((name, start, end))
    return False


def _other_thing(reading: _Reading, start: int, end: int) -> bool:
    """Whether the words beside a name make it a person or a stadium."""
    folded = reading.folded
    written = folded.written(start, end)
    if not written[:1].isupper():
        return False
    behind = folded.written(end, end + 30)
    return venue(behind) or person(written, folded.written(max(0, start - 20), start) if start else "", behind)


def _share(reading: _Reading) -> None:
    """Accepts unclear names that stand in a row with a clear one, or with another that is missed too."""
    folded, plain = reading.folded, reading.folded.plain
    clear = {(start, end) for _, start, end in reading.accepted}
    spans = sorted(clear | {(start, end) for _, start, end in reading.unclear})
    unclear = {(start, end): name for name, start, end in reading.unclear}
    added: set[tuple[int, int]] = set()
    pairs = list(pairwise(spans))
    for left, right in pairs[::-1] + pairs:
        gap = plain[left[1] : right[0]]
        known = left in clear, right in clear
        if all(known):
            continue
        if not any(known):
            if lacking(plain[max(0, left[0] - 20) : left[0]], gap):
                added |= {left, right}
                clear |= {left, right}
            continue
        open_ = right if known[0] else left
        named = folded.written(*open_)[:1].isupper()
        if joined(gap):
            shared = fails_with(plain, left[0], right[1]) or fails_behind(plain[right[1] : right[1] + 160])
        else:
            shared = False
            named = named and open_ == left and inside(gap)
        if named or shared:
            added.add(open_)
            clear.add(open_)
    reading.accepted += [(unclear[span], *span) for span in sorted(added)]


def _slips(patterns: Mapping[str, Sequence[_Name]]) -> list[tuple[str, _Name]]:
    """Slips of the finger in names, each the service's where it fails."""
    meant = {
        pattern[1:]: name.service
        for pattern, names in patterns.items()
        for name in names[:1]
        if name.kind in {_Kind.NAME, _Kind.AMBIGUOUS} and len({each.service for each in names}) == 1
    }
    rule = _rule(Ambiguous(alias="slip"))
    return [
        (f" {slip}", _name(_Kind.AMBIGUOUS, meant[name], slip, rule))
        for slip, name in slips_of(meant)
        if f" {slip}" not in patterns
    ]


def _names(service: Service) -> Iterator[_Name]:
    for alias in service.aliases:
        if is_status_host(alias):
            continue
        yield from _spellings(_Kind.NAME, service.slug, alias, None)
    for ambiguous in service.ambiguous:
        yield from _spellings(_Kind.AMBIGUOUS, service.slug, ambiguous.alias, _rule(ambiguous))
    for handle in service.handles:
        yield _name(_Kind.HANDLE, service.slug, handle)
    for community in service.communities:
        kind, _, where = community.partition(":")
        if kind == "reddit":
            yield _name(_Kind.COMMUNITY, service.slug, f"r/{where}")
    for tag in service.hashtags:
        yield _name(_Kind.TAG, service.slug, tag.removeprefix("#"))
    for address in hosts(service):
        yield _name(_Kind.HOST, service.slug, address)


def _spellings(kind: _Kind, slug: str, alias: str, rule: _Rule | None) -> Iterator[_Name]:
    yield _name(kind, slug, alias, rule)
    run_together = squeeze(alias)
    if run_together != fold(alias).plain and len(run_together) > 3 and "." not in alias:
        yield _name(_Kind.TAG, slug, run_together)


def _name(kind: _Kind, slug: str, alias: str, rule: _Rule | None = None) -> _Name:
    plain = fold(alias).plain
    return _Name(kind, slug, plain, plain.replace("-", " "), rule)


def _rule(ambiguous: Ambiguous) -> _Rule:
    context = [fold(word).scan for word in ambiguous.context]
    return _Rule(
        symptoms=ambiguous.symptoms,
        words=frozenset(word.strip() for word in context if " " not in word.strip()),
        phrases=tuple(word for word in context if " " in word.strip()),
        never=tuple(fold(phrase).scan for phrase in ambiguous.never),
        capital=len(ambiguous.alias) == 1,
    )
