"""The catalogue: what ships is sound, and every mistake in a file is reported at once, with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from detector.config.catalogue import load_catalogue
from detector.domain import Ambiguous, Component, Service, StatusPage
from detector.errors import ConfigError

PUBLIC = (
    "twitter facebook messenger google-calendar google-cloud amazon aws azure xbox claude github slack whatsapp "
    "youtube dyn instagram gmail icloud skype snapchat robinhood openai"
)


def write(folder: Path, text: str, name: str = "services.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_catalogue(write(folder, text))
    return caught.value.problems


def test_the_shipped_catalogue_loads() -> None:
    """At least 150 services, each once, among them the ones whose slugs are public."""
    slugs = [service.slug for service in load_catalogue()]

    assert len(slugs) >= 150
    assert len(set(slugs)) == len(slugs)
    assert slugs == sorted(slugs)
    assert set(PUBLIC.split()) <= set(slugs)


def test_the_shipped_catalogue_loads_quickly() -> None:
    """The command line waits for it; the best of three keeps a busy machine from failing it."""
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        load_catalogue()
        seconds.append(time.perf_counter() - begun)

    assert min(seconds) < 0.2


def test_every_key_arrives_in_the_service(tmp_path: Path) -> None:
    """One entry with everything in it."""
    path = write(
        tmp_path,
        """
[[service]]
slug = "foo"
name = "Foo"
owner = "acme"
category = "chat"
aliases = ["foo chat"]
ambiguous = [{ alias = "foo", context = ["bar"], symptoms = false, never = ["foo fighters"] }]
handles = ["FooHelp"]
communities = ["reddit:foo", "github:acme/foo"]
hashtags = ["foodown"]
status_pages = [{ url = "https://status.foo.com", kind = "incidentio" }]
components = { "login" = ["login", "sign in"] }
rate = 2
timezone = "Europe/London"
""",
    )

    assert load_catalogue(path) == (
        Service(
            slug="foo",
            name="Foo",
            owner="acme",
            category="chat",
            aliases=("foo chat",),
            ambiguous=(Ambiguous(alias="foo", context=("bar",), symptoms=False, never=("foo fighters",)),),
            handles=("FooHelp",),
            communities=("reddit:foo", "github:acme/foo"),
            hashtags=("foodown",),
            status_pages=(StatusPage(url="https://status.foo.com", kind="incidentio"),),
            components=(Component(name="login", words=("login", "sign in")),),
            rate=2.0,
            timezone="Europe/London",
        ),
    )


def test_a_user_file_adds_and_replaces_services(tmp_path: Path) -> None:
    """A service with a known slug is replaced whole, another is added."""
    base = write(tmp_path, '[[service]]\nslug = "a"\nname = "A"\n[[service]]\nslug = "b"\nname = "B"\n')
    mine = write(tmp_path, '[[service]]\nslug = "b"\nname = "Mine"\n[[service]]\nslug = "c"\nname = "C"\n', "mine.toml")

    assert [s.name for s in load_catalogue(base, extra=[mine])] == ["A", "Mine", "C"]


HEAD = '[[service]]\nslug = "claude"\nname = "Claude"\n'
MISTAKES = [
    ("unknown key", HEAD + 'alias = ["x"]', "services.toml:4: claude: unknown key 'alias'; did you mean 'aliases'?"),
    ("a text for a list", HEAD + 'aliases = "claude ai"', "services.toml:4: claude: aliases must be a list of texts"),
    ("a number in a list", HEAD + "handles = [1]", "services.toml:4: claude: handles must be a list of texts"),
    ("a number for a text", HEAD + "owner = 5", "services.toml:4: claude: owner must be a text, not 5"),
    ("no name", '[[service]]\nslug = "claude"', "services.toml:1: claude: name is missing"),
    ("no slug", '\n[[service]]\nname = "Claude"', "services.toml:2: service at line 2: slug is missing"),
    (
        "slug form",
        '[[service]]\nslug = "Claude AI"\nname = "C"',
        "services.toml:2: Claude AI: slug 'Claude AI' must be",
    ),
    ("duplicate slug", HEAD + HEAD, "services.toml:5: claude: slug is taken by line 1"),
    (
        "alias of two services",
        HEAD + 'aliases = ["claude ai"]\n[[service]]\nslug = "b"\nname = "B"\naliases = ["Claude AI"]',
        "services.toml:8: b: alias 'Claude AI' belongs to claude already",
    ),
    (
        "handle of two services",
        HEAD + 'handles = ["ai"]\n[[service]]\nslug = "b"\nname = "B"\nhandles = ["AI"]',
        "services.toml:8: b: handle 'AI' belongs to claude already",
    ),
    ("alias listed twice", HEAD + 'aliases = ["ab", "AB"]', "services.toml:4: claude: an alias is listed twice"),
    ("one character", HEAD + 'aliases = ["c"]', "services.toml:4: claude: alias 'c' is one character"),
    ("handle with @", HEAD + 'handles = ["@claude"]', "services.toml:4: claude: handle '@claude' must be"),
    ("community form", HEAD + 'communities = ["ClaudeAI"]', "services.toml:4: claude: community 'ClaudeAI' must read"),
    ("hashtag with #", HEAD + 'hashtags = ["#a"]', "services.toml:4: claude: hashtag '#a' must be one word"),
    (
        "never to match",
        HEAD + 'ambiguous = [{ alias = "claude", symptoms = false }]',
        "services.toml:4: claude: ambiguous 'claude' needs context words or symptoms",
    ),
    (
        "key of an ambiguous alias",
        HEAD + 'ambiguous = [{ alias = "claude", contxt = ["a"] }]',
        "services.toml:4: claude: ambiguous: unknown key 'contxt'; did you mean 'context'?",
    ),
    ("ambiguous without alias", HEAD + 'ambiguous = [{ context = ["a"] }]', "ambiguous: alias must be given as a text"),
    ("ambiguous as texts", HEAD + 'ambiguous = ["claude"]', "ambiguous must be a list of tables"),
    (
        "plain and ambiguous",
        HEAD + 'aliases = ["ab"]\nambiguous = [{ alias = "ab" }]',
        "claude: alias 'ab' is listed as ambiguous too",
    ),
    (
        "address",
        HEAD + 'status_pages = [{ url = "ftp://status.claude.com" }]',
        "services.toml:4: claude: status page 'ftp://status.claude.com' is no http or https address",
    ),
    (
        "kind of page",
        HEAD + 'status_pages = [{ url = "https://a.com", kind = "statuspge" }]',
        "services.toml:4: claude: unknown status page kind 'statuspge'; did you mean 'statuspage'?",
    ),
    (
        "unknown host",
        HEAD + 'hosted_on = ["claud"]',
        "hosted_on names 'claud', which is no service; did you mean 'claude'?",
    ),
    (
        "a circle",
        HEAD + 'hosted_on = ["b"]\n[[service]]\nslug = "b"\nname = "B"\nhosted_on = ["claude"]',
        "hosted_on runs in a circle: claude -> b -> claude",
    ),
    ("hosted on itself", HEAD + 'hosted_on = ["claude"]', "hosted_on runs in a circle: claude -> claude"),
    ("rate", HEAD + "rate = -1", "services.toml:4: claude: rate must be complaints an hour above 0, not -1"),
    ("timezone", HEAD + 'timezone = "London"', "services.toml:4: claude: timezone 'London' is no IANA zone"),
    (
        "timezone outside",
        HEAD + 'timezone = "../../etc"',
        "services.toml:4: claude: timezone '../../etc' is no IANA zone",
    ),
    ("components as list", HEAD + 'components = ["api"]', "services.toml:4: claude: components must be a table"),
    ("component words", HEAD + 'components = { api = "api" }', "claude: components: api must be a list of texts"),
    ("another table", "[settings]\na = 1", "services.toml:1: unknown key 'settings'"),
    ("single brackets", '[service]\nslug = "a"', "services.toml:1: write [[service]] in double brackets"),
    ("not TOML", HEAD + "aliases = [", "services.toml:4: not TOML"),
]


@pytest.mark.parametrize(("text", "problem"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """What, where and what to do."""
    found = problems(tmp_path, text)

    assert len(found) == 1
    assert problem in found[0]


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """In the order of the lines."""
    text = HEAD + 'alias = ["x"]\nrate = "often"\nhosted_on = ["nowhere"]\n[[service]]\nslug = "B!"\nname = 3\n'

    found = problems(tmp_path, text)

    assert [problem.split(":")[1] for problem in found] == ["4", "5", "6", "8", "9"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a directory, or not UTF-8."""
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "caf\xe9"')

    for path, why in ((tmp_path / "none.toml", "No such file"), (tmp_path, "directory"), (latin, "is not UTF-8")):
        with pytest.raises(ConfigError, match=why):
            load_catalogue(path)
