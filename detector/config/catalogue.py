"""Reads the service catalogue and reports every mistake in it at once, each with its file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.domain import Ambiguous, Component, Service, StatusPage
from detector.errors import ConfigError
from detector.match import fold, squeeze
from detector.resources import data_path

STATUS_KINDS = (
    "statuspage", "incidentio", "feed", "aws", "gcp", "azure", "slack", "betterstack", "instatus", "html",
)  # fmt: skip
_TEXTS = ("slug", "name", "category", "owner", "timezone")
_LISTS = ("aliases", "handles", "communities", "hashtags", "hosted_on")
_KEYS = (*_TEXTS, *_LISTS, "ambiguous", "components", "rate", "status_pages")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HANDLE = re.compile(r"\w[\w.-]*")
_COMMUNITY = re.compile(r"(?:reddit:\w+|github:[\w.-]+/[\w.-]+|[a-z]+:\S+)")


def load_catalogue(path: Path | None = None, *, extra: Sequence[Path] = ()) -> tuple[Service, ...]:
    """The services of the shipped catalogue, or of `path`, in slug order.

    Args:
        path: a catalogue file; None means the shipped `data/services.toml`.
        extra: further files; a service in them is added, or replaces the one with the same slug whole.

    Raises:
        ConfigError: with one line for every mistake, `services.toml:LINE: slug: what is wrong`.
    """
    problems: list[str] = []
    found: dict[str, tuple[_Entry, Service]] = {}
    for file in (path or data_path("services.toml"), *extra):
        within: dict[str, _Entry] = {}
        for entry in _entries(file, problems):
            service = _service(entry)
            if not service:
                continue
            if service.slug in within:
                entry.wrong(f"slug is taken by line {within[service.slug].line}", service.slug)
                continue
            within[service.slug] = entry
            found[service.slug] = (entry, service)
    _check_names(found)
    _check_hosts(found)
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_position))
    return tuple(found[slug][1] for slug in sorted(found))


def _position(problem: str) -> tuple[str, int]:
    file, line, *_ = problem.split(":", 2)
    return file, int(line) if line.isdigit() else 0


class _Entry:
    """One `[[service]]` of a file, with its lines for messages."""

    def __init__(self, file: str, line: int, lines: list[str], table: dict[str, Any], sink: list[str]) -> None:
        self.file, self.line, self._lines, self.table, self.problems = file, line, lines, table, sink
        slug = table.get("slug")
        self.label = slug if isinstance(slug, str) and slug else f"service at line {line}"

    def wrong(self, what: str, *words: str) -> None:
        """Note a mistake at the first line of the entry that holds all `words`."""
        holding = (
            number
            for number, text in enumerate(self._lines)
            if words and all(word in text for word in words) and not text.lstrip().startswith("#")
        )
        offset = next(holding, 0)
        self.problems.append(f"{self.file}:{self.line + offset}: {self.label}: {what}")


def _entries(file: Path, problems: list[str]) -> Iterator[_Entry]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror or error}")
        return
    except UnicodeDecodeError as error:
        problems.append(f"{file.name}: is not UTF-8 (byte {error.start}); save it as UTF-8")
        return
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column \d+\)", str(error))
        problems.append(f"{file.name}:{at[1] if at else len(text.splitlines())}: not TOML: {error}")
        return
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"\s*\[\[\s*service\s*\]\]", line)]
    unknown = [key for key in document if key != "service"]
    problems += [f"{file.name}:1: unknown key {key!r}; a service is written under [[service]]" for key in unknown]
    tables = document.get("service", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{file.name}:1: write [[service]] in double brackets before each service")
        return
    starts += [0] * (len(tables) - len(starts))
    for index, table in enumerate(tables):
        last = starts[index + 1] if index + 1 < len(tables) else len(lines)
        yield _Entry(file.name, starts[index] + 1, lines[starts[index] : last], table, problems)


def _service(entry: _Entry) -> Service | None:
    table = entry.table
    before = len(entry.problems)
    for key in table:
        if key not in _KEYS:
            entry.wrong(f"unknown key {key!r}{_meant(key, _KEYS)}", key)
    texts = {key: _text(entry, key) for key in _TEXTS}
    lists = {key: _strings(entry, key, table.get(key, [])) for key in _LISTS}
    ambiguous = tuple(_ambiguous(entry))
    pages = tuple(_pages(entry))
    components = tuple(_components(entry))
    rate = _rate(entry)
    for key in ("slug", "name"):
        if key not in table:
            entry.wrong(f"{key} is missing")
    slug = texts["slug"] or ""
    if slug and not _SLUG.fullmatch(slug):
        entry.wrong(f"slug {slug!r} must be lower-case letters and digits joined by single hyphens", "slug")
    _check_forms(entry, lists)
    if texts["timezone"]:
        _check_zone(entry, texts["timezone"])
    if not slug or (len(entry.problems) > before and not _SLUG.fullmatch(slug)):
        return None
    return Service(
        slug=slug,
        name=texts["name"] or slug,
        category=texts["category"] or "other",
        owner=texts["owner"],
        timezone=texts["timezone"] or "UTC",
        ambiguous=ambiguous,
        status_pages=pages,
        components=components,
        rate=rate,
        **lists,
    )


def _text(entry: _Entry, key: str) -> str | None:
    value = entry.table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        entry.wrong(f"{key} must be a text, not {value!r}", key)
        return None
    return value


def _strings(entry: _Entry, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        entry.wrong(f"{key} must be a list of texts", key)
        return ()
    return tuple(value)


def _tables(entry: _Entry, key: str, known: tuple[str, ...], needed: str) -> Iterator[dict[str, Any]]:
    value = entry.table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        entry.wrong(f"{key} must be a list of tables, as in [{{ {needed} = ... }}]", key)
        return
    for table in value:
        for word in table:
            if word not in known:
                entry.wrong(f"{key}: unknown key {word!r}{_meant(word, known)}", word)
        if not isinstance(table.get(needed), str) or not table[needed].strip():
            entry.wrong(f"{key}: {needed} must be given as a text", key)
            continue
        yield table


def _ambiguous(entry: _Entry) -> Iterator[Ambiguous]:
    for table in _tables(entry, "ambiguous", ("alias", "context", "symptoms", "never"), "alias"):
        alias = table["alias"]
        symptoms = table.get("symptoms", True)
        if not isinstance(symptoms, bool):
            entry.wrong(f"ambiguous {alias!r}: symptoms must be true or false", "alias", f'"{alias}"')
            symptoms = True
        context = _strings(entry, "context", table.get("context", []))
        if not context and not symptoms:
            entry.wrong(
                f"ambiguous {alias!r} needs context words or symptoms, else it can never match", "alias", f'"{alias}"'
            )
        never = _strings(entry, "never", table.get("never", []))
        yield Ambiguous(alias=alias, context=context, symptoms=symptoms, never=never)


def _pages(entry: _Entry) -> Iterator[StatusPage]:
    for table in _tables(entry, "status_pages", ("url", "kind", "allow_private"), "url"):
        url, kind, private = table["url"], table.get("kind", "statuspage"), table.get("allow_private", False)
        if not isinstance(private, bool):
            entry.wrong(f"status page {url!r}: allow_private must be true or false", "allow_private")
            private = False
        try:
            parts = urlsplit(url)
            fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username and " " not in url
        except ValueError:
            fine = False
        if not fine:
            entry.wrong(f"status page {url!r} is no http or https address", url)
        if not isinstance(kind, str) or not _SLUG.fullmatch(kind):
            entry.wrong(f"status page kind {kind!r} must be a word such as 'statuspage'", "kind")
        elif kind not in STATUS_KINDS and _meant(kind, STATUS_KINDS):
            entry.wrong(f"unknown status page kind {kind!r}{_meant(kind, STATUS_KINDS)}", kind)
        else:
            yield StatusPage(url=url, kind=kind, allow_private=private)


def _components(entry: _Entry) -> Iterator[Component]:
    value = entry.table.get("components", {})
    if not isinstance(value, dict):
        entry.wrong('components must be a table, as in { "api" = ["api", "sdk"] }', "components")
        return
    for name, words in value.items():
        yield Component(name=name, words=_strings(entry, f"components: {name}", words))


def _rate(entry: _Entry) -> float | None:
    rate = entry.table.get("rate")
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e6:
        entry.wrong(f"rate must be complaints an hour above 0, not {rate!r}", "rate")
        return None
    return float(rate)


def _check_forms(entry: _Entry, lists: dict[str, tuple[str, ...]]) -> None:
    for alias in lists["aliases"]:
        if len(squeeze(alias)) < 2:
            entry.wrong(f"alias {alias!r} is one character: put it under ambiguous", "aliases")
    for handle in lists["handles"]:
        if not _HANDLE.fullmatch(handle):
            entry.wrong(f"handle {handle!r} must be the account name without @ or spaces", "handles")
    for community in lists["communities"]:
        if not _COMMUNITY.fullmatch(community):
            entry.wrong(f"community {community!r} must read reddit:NAME or github:OWNER/REPOSITORY", "communities")
    for tag in lists["hashtags"]:
        if not _HANDLE.fullmatch(tag):
            entry.wrong(f"hashtag {tag!r} must be one word without #", "hashtags")


def _check_zone(entry: _Entry, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        entry.wrong(f"timezone {zone!r} is no IANA zone such as Europe/London", "timezone")


def _check_names(found: dict[str, tuple[_Entry, Service]]) -> None:
    """One alias, handle or community belongs to one service."""
    taken: dict[tuple[str, str], str] = {}
    for slug, (entry, service) in found.items():
        plain = {fold(alias).plain: alias for alias in service.aliases}
        if len(plain) < len(service.aliases):
            entry.wrong("an alias is listed twice", "aliases")
        unclear = {fold(rule.alias).plain: rule.alias for rule in service.ambiguous}
        for kind, words in (
            ("alias", plain | unclear),
            ("handle", {handle.casefold(): handle for handle in service.handles}),
            ("community", {place.casefold(): place for place in service.communities}),
        ):
            for key, word in words.items():
                owner = taken.setdefault((kind, key), slug)
                if owner != slug:
                    entry.wrong(f"{kind} {word!r} belongs to {owner} already", f'"{word}"')
        for key in plain.keys() & unclear.keys():
            entry.wrong(f"alias {unclear[key]!r} is listed as ambiguous too", f'"{unclear[key]}"')


def _check_hosts(found: dict[str, tuple[_Entry, Service]]) -> None:
    """`hosted_on` names known services and never leads back."""
    for entry, service in found.values():
        for slug in service.hosted_on:
            if slug not in found:
                entry.wrong(f"hosted_on names {slug!r}, which is no service{_meant(slug, tuple(found))}", "hosted_on")
    settled: set[str] = set()
    for slug in found:
        _walk(slug, [], found, settled)


def _walk(slug: str, path: list[str], found: dict[str, tuple[_Entry, Service]], settled: set[str]) -> None:
    if slug in path:
        cycle = [*path[path.index(slug) :], slug]
        found[slug][0].wrong(f"hosted_on runs in a circle: {' -> '.join(cycle)}", "hosted_on")
        return
    if slug in settled or slug not in found:
        return
    for host in found[slug][1].hosted_on:
        _walk(host, [*path, slug], found, settled)
    settled.add(slug)


def _meant(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]!r}?" if close else ""
