"""`detector services`: what can be watched; `services check` and `services add` for a catalogue of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.domain import Service
    from detector.status.detect import Detected

_FILE = click.Path(path_type=Path, dir_okay=False)
_MOST_COMPONENTS = 20
_USUAL = "-"


class _OrQuery(click.Group):
    """A group whose first word may also be a search: what is no command of it is handed to the list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named by the first word, else the list with all words."""
        if self.get_command(ctx, args[0]) is None:
            return "list", self.get_command(ctx, "list"), args
        return super().resolve_command(ctx, args)


@click.group(cls=_OrQuery, invoke_without_command=True, subcommand_metavar="[QUERY | COMMAND [ARGS]...]")
@options.as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the services of the catalogue; with QUERY, those whose slug, name or alias contains it.

    `check` verifies a catalogue file, `add` makes an entry from a status page's address. Services of one's own stand
    in detector.services.toml (or the file that watch.catalogue names), and each of them is watched.
    """
    if ctx.invoked_subcommand is None:
        _show(None, as_json)


@command.command("list", hidden=True)
@click.argument("query", required=False)
@options.as_json
@click.pass_context
def find(ctx: click.Context, query: str | None, as_json: bool) -> None:
    """List the services; with QUERY, those whose slug, name or alias contains it."""
    _show(query, as_json or bool(ctx.parent and ctx.parent.params.get("as_json")))


def _show(query: str | None, as_json: bool) -> None:
    from detector.config.own import known_services
    from detector.errors import DetectorError

    word = (query or "").casefold()
    found = [
        service
        for service in known_services().services
        if any(word in name.casefold() for name in (service.slug, service.name, *service.aliases))
    ]
    if not found:
        raise DetectorError(f"no service matches {query!r}; `detector services` lists them all")
    for service in found:
        pages = [page.url for page in service.status_pages]
        if as_json:
            click.echo(
                json.dumps(
                    {
                        "slug": service.slug,
                        "name": service.name,
                        "category": service.category,
                        "aliases": service.aliases,
                        "status_pages": pages,
                        "hosted_on": service.hosted_on,
                    },
                    ensure_ascii=False,
                )
            )
        else:
            click.echo(f"{service.slug:<20} {service.name:<28} {service.category:<14} {pages[0] if pages else ''}")


@command.command("check")
@click.argument("file", required=False, type=_FILE)
def check(file: Path | None) -> None:
    """Verify FILE, read over the shipped catalogue as it will be; without FILE the shipped one.

    Every mistake is a line FILE:LINE: SERVICE: what is wrong, and the exit code is 2. What is no mistake but will
    surprise (a page that no reader understands, a service that no word can name) is noted on stderr.
    """
    from detector import registry
    from detector.config.catalogue import load_catalogue
    from detector.errors import UsageError

    shipped = {} if file is None else {service.slug: service for service in load_catalogue()}
    found = {service.slug: service for service in load_catalogue(extra=() if file is None else [file])}
    slugs = sorted(found) if file is None else _slugs(file)
    if not slugs:
        raise UsageError(f"{file}: holds no service; a service is written under [[service]]")
    readers = registry.names("status")
    for slug in slugs:
        for words in _surprises(found[slug], readers):
            click.echo(f"note: {slug}: {words}", err=True)
    replaced = [slug for slug in slugs if slug in shipped]
    words = f"; replaced in the shipped catalogue: {', '.join(replaced)}" if replaced else ""
    click.echo(f"{file or 'shipped catalogue'}: {len(slugs)} services, no mistake{words}")


def _slugs(file: Path) -> list[str]:
    """The slugs of a file that was found right."""
    import tomllib

    return [table["slug"] for table in tomllib.loads(file.read_text(encoding="utf-8-sig")).get("service", [])]


def _surprises(service: Service, readers: Sequence[str]) -> list[str]:
    found = []
    if not (service.aliases or service.ambiguous):
        found.append("no alias and no ambiguous word, so only a handle or a community can name it")
    # `html` says by itself that the page is for people only.
    if service.status_pages and not any(page.kind in {*readers, "html"} for page in service.status_pages):
        kinds = ", ".join(dict.fromkeys(page.kind for page in service.status_pages))
        found.append(f"no reader understands its status page ({kinds}), so nothing says when the provider spoke")
    return found


@command.command("add")
@click.argument("url")
@click.option("--slug", help="Its short name. [default: made from the page's name]")
@click.option(
    "--write",
    "target",
    type=_FILE,
    is_flag=False,
    flag_value=_USUAL,
    help="Append the entry to the catalogue of your own that the settings name, or to FILE; stands behind URL.",
)
@click.option("--allow-private", is_flag=True, help="The page is on a private network.")
@options.config
def add(url: str, slug: str | None, target: Path | None, allow_private: bool, config_path: Path | None) -> None:
    """Find out what the status page at URL is and print a catalogue entry for its service, as TOML.

    The name, kind and components come from the page; look the words over before you watch by them. Nothing is written
    without --write, and nothing that `detector services check` would refuse. What is written there is watched by the
    next `detector watch`, and by a running one that is sent SIGHUP.
    """
    import asyncio

    from detector.config.own import own_path
    from detector.errors import UsageError
    from detector.status.detect import detect
    from detector.transport.session import Limits, Session

    usual = own_path(config_path)
    if target == Path(_USUAL):
        target = usual

    async def look() -> Detected:
        # Some two dozen small questions, once: a second between each would be half a minute.
        session = Session(allow_private=allow_private, limits=Limits(min_interval=0.2))
        try:
            return await detect(url, session)
        finally:
            await session.aclose()

    found = asyncio.run(look())
    known = _known(target)
    entry, notes = proposal(found, known, slug, allow_private=allow_private)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(entry, nl=False)
    problems = _written(entry, target)
    if problems:
        raise UsageError("the entry is not right yet; mend it by hand:\n" + "\n".join(problems))
    if target is None:
        return
    click.echo(f"{target}: entry appended", err=True)
    if target.resolve() == usual.resolve():
        click.echo("watched by the next detector watch; a running one takes it up on SIGHUP", err=True)
    else:
        click.echo(f'to have it watched, set catalogue = "{target}" under [watch] in detector.toml', err=True)


def _known(target: Path | None) -> tuple[Service, ...]:
    from detector.config.catalogue import load_catalogue

    return load_catalogue(extra=[target] if target is not None and target.exists() else [])


def proposal(
    found: Detected, known: Sequence[Service], slug: str | None = None, *, allow_private: bool = False
) -> tuple[str, list[str]]:
    """An entry for a page, and what a person should know of it.

    A name of one word is proposed as ambiguous: as a plain alias, every "kettle" would name Kettle.

    Raises:
        UsageError: the page or the slug is in the catalogue already.
    """
    from urllib.parse import urlsplit

    from detector.errors import UsageError
    from detector.match import fold
    from detector.notify.escape import plain

    host = urlsplit(found.url).hostname or ""
    for service in known:
        if any(_same_page(page.url, found.url) for page in service.status_pages):
            raise UsageError(f"{service.slug} has this page already")
    name = plain(found.name, limit=60)
    slug = slug or _slug(name) or _slug(host) or "service"
    if any(service.slug == slug for service in known):
        raise UsageError(f"{slug!r} is in the catalogue already; name another with --slug")
    taken = {fold(word).plain: service.slug for service in known for word in _words(service)}
    notes, single, several = [], [], []
    for word in dict.fromkeys((name.casefold(), *_hosts(host))):
        if fold(word).plain in taken:
            notes.append(f"{word!r} names {taken[fold(word).plain]} already and is left out")
        elif word.replace(" ", "").isalnum() and " " not in word:
            single.append(word)
        else:
            several.append(word)
    if single:
        notes.append(f"{', '.join(single)}: a name that is no common word can go from ambiguous to aliases")
    lines = ["[[service]]", f"slug = {_text(slug)}", f"name = {_text(name)}", 'category = "other"']
    lines += [f"aliases = [{', '.join(map(_text, several))}]"] if several else []
    lines += [f"ambiguous = [{', '.join(f'{{ alias = {_text(word)} }}' for word in single)}]"] if single else []
    private = ", allow_private = true" if allow_private else ""
    lines.append(f"status_pages = [{{ url = {_text(found.url)}, kind = {_text(found.kind)}{private} }}]")
    parts = _parts(found.components)
    lines += [f"components = {{ {', '.join(f'{_text(part)} = [{_text(part)}]' for part in parts)} }}"] if parts else []
    if len(found.components) > len(parts):
        notes.append(f"{len(found.components) - len(parts)} of {len(found.components)} components are left out")
    return "\n".join(lines) + "\n", notes


def _words(service: Service) -> list[str]:
    return [*service.aliases, *(rule.alias for rule in service.ambiguous)]


def _same_page(one: str, other: str) -> bool:
    """Whether two addresses are one page.

    >>> _same_page("https://status.example.org", "http://status.example.org/")
    True
    """
    return one.partition("://")[2].rstrip("/") == other.partition("://")[2].rstrip("/")


def _hosts(host: str) -> list[str]:
    """The names of hosts that stand for the service: the page's, and what it is the status page of.

    >>> _hosts("status.kettle.example"), _hosts("kettle.statuspage.io"), _hosts("127.0.0.1")
    (['status.kettle.example', 'kettle.example'], ['kettle.statuspage.io'], [])
    """
    if not re.search(r"\.[a-z]{2,}$", host):
        return []
    return [host, host.removeprefix("status.")] if host.startswith("status.") else [host]


def _slug(name: str) -> str:
    """A slug from a name.

    >>> _slug("Kettle & Co. (EU)")
    'kettle-co-eu'
    """
    from detector.match import fold

    return "-".join(re.findall(r"[a-z0-9]+", fold(name).plain))[:40].strip("-")


def _parts(components: Sequence[str]) -> list[str]:
    """The components as words people could say.

    >>> _parts(["Chat API (beta)", "chat api", "X"])
    ['chat api']
    """
    from detector.notify.escape import plain

    words = (plain(re.sub(r"\([^)]*\)", " ", each), limit=40).casefold() for each in components)
    return [word for word in dict.fromkeys(words) if len(word) > 1][:_MOST_COMPONENTS]


def _text(value: str) -> str:
    """A TOML string: JSON's escapes are TOML's, and control characters were removed before."""
    return json.dumps(value, ensure_ascii=False)


def _written(entry: str, target: Path | None) -> list[str]:
    """Check the entry where it will stand and append it there; returns the mistakes, with which nothing is written."""
    import tempfile

    from detector.config.catalogue import load_catalogue
    from detector.errors import ConfigError, UsageError

    try:
        before = target.read_text(encoding="utf-8") if target is not None and target.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{target}: cannot be read ({error}); name another file") from error
    text = f"{before.rstrip()}\n\n{entry}" if before.strip() else entry
    with tempfile.TemporaryDirectory(prefix="detector-add-") as folder:
        trial = Path(folder) / (target.name if target is not None else "entry.toml")
        trial.write_text(text, encoding="utf-8")
        try:
            load_catalogue(extra=[trial])
        except ConfigError as error:
            return error.problems
    if target is not None:
        # Whole or not at all: the file is read by a daemon that may start at any moment.
        part = target.with_name(target.name + ".part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(target)
        except OSError as error:
            raise UsageError(f"{target}: cannot be written ({error.strerror}); name another file") from error
    return []
