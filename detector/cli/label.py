"""`detector label`: a person's word on the posts that the classifier is least sure of, one key each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from detector.domain import Judgement
    from detector.store import Reader

DEFAULT_NAME = "labels.jsonl"
KEYS = {"c": "complaint", "r": "report", "p": "past", "s": "solo", "o": "other"}
_MEANING = {
    "c": "complaint: it fails for the writer, now",
    "r": "report: it fails, says somebody who is not hit",
    "p": "past: it failed, or was mended",
    "s": "solo: the writer's own trouble",
    "o": "other: no failure at all",
}
_HELP = ", ".join(f"[{key}]{label[1:]}" for key, label in KEYS.items()) + ", [space] skip, [q]uit: "
_SKIP, _QUIT = " ", {"q", "\x03", "\x04", "\x1b", ""}
# The newest judgements that are looked through; the index is by number, so the rest costs nothing.
_REACH = 50_000


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File that takes the labels, JSON lines.")
@click.option("--service", metavar="SLUG", help="Only posts that name this service.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many posts at most.")
@options.config
@options.database
def command(out: Path | None, service: str | None, limit: int, config_path: Path | None, db_path: Path | None) -> None:
    """Show the stored posts of which the classifier is least sure, newest first, and take one key for each.

    c complaint, r report, p past, s solo, o other; space skips, q ends. Each label is kept at once, in labels.jsonl
    beside the database, or --out; a post labelled there is not shown again. `detector train --with-feedback DB` takes
    that file; --labels takes any.

    The file holds the posts' texts, for the database forgets them after some weeks. It is yours to delete: `detector
    forget` does not reach it, though train leaves out what was forgotten.
    """
    from detector.errors import DetectorError

    path = options.store_path(config_path, db_path)
    out = out or path.with_name(DEFAULT_NAME)
    done = _labelled(out)
    with options.reader(config_path, path) as reader:
        asked = uncertain(_newest(reader), limit=limit, service=service, done=done)
    if not asked:
        raise DetectorError("no stored post is left to label; run `detector watch` for a while")
    for words in _MEANING.values():
        click.echo(f"  {words}", err=True)
    given = 0
    zone = options.zone(config_path, db_path)
    for number, judgement in enumerate(asked, 1):
        key = _ask(judgement, f"{number}/{len(asked)}", zone)
        if key in _QUIT:
            break
        if key in KEYS:
            _keep(out, judgement, KEYS[key])
            given += 1
    click.echo(f"{given} labels added to {out}", err=True)


def uncertain(
    judgements: Iterable[Judgement], *, limit: int, service: str | None = None, done: Iterable[tuple[str, str]] = ()
) -> list[Judgement]:
    """The judgements with p(now) nearest to a half, in bands of a tenth, the newest of a band first.

    A post that names several services is asked once, of the service it is least sure of. A text is asked once too.
    """
    from heapq import nsmallest

    known = set(done)
    found: dict[tuple[str, str], Judgement] = {}
    for each in judgements:
        post = each.mention.post
        if not post.text.strip() or post.official or post.key in known:
            continue
        if service is not None and each.mention.service != service:
            continue
        if post.key not in found or _doubt(each) < _doubt(found[post.key]):
            found[post.key] = each
    texts: dict[str, Judgement] = {}
    for each in sorted(found.values(), key=_order):
        texts.setdefault(" ".join(each.mention.post.text.casefold().split()), each)
    return nsmallest(limit, texts.values(), key=_order)


def _doubt(judgement: Judgement) -> float:
    return abs(judgement.p.now - 0.5)


def _order(judgement: Judgement) -> tuple[int, float, tuple[str, str]]:
    post = judgement.mention.post
    return (int(_doubt(judgement) * 10), -post.seen_at.timestamp(), post.key)


def _newest(reader: Reader) -> Iterable[Judgement]:
    saved = reader.latest_checkpoint()
    after = 0 if saved is None else max(saved.sequence - _REACH, 0)
    return (judgement for _, judgement in reader.judgements_after(after))


def _ask(judgement: Judgement, place: str, zone: tzinfo) -> str:
    """Show one post and wait for a key that means something."""
    from detector.notify.escape import plain
    from detector.notify.words import moment_words

    post, p = judgement.mention.post, judgement.p
    click.echo("", err=True)
    click.echo(
        f"{place}  {judgement.mention.service}, {post.source}, {moment_words(post.seen_at, zone)}; "
        f"judged {p.label}, now {p.now:.2f}",
        err=True,
    )
    click.echo(f"    {plain(post.text, limit=600)}", err=True)
    while True:
        click.echo(_HELP, nl=False, err=True)
        try:
            key = click.getchar().casefold()
        except (EOFError, KeyboardInterrupt):
            key = "q"
        known = key in KEYS or key == _SKIP or key in _QUIT
        click.echo(KEYS.get(key, "skipped" if key == _SKIP else "end" if known else "no such key"), err=True)
        if known:
            return key


def _keep(out: Path, judgement: Judgement, label: str) -> None:
    """Append a label, so that nothing is lost when the terminal goes.

    Raises:
        UsageError: the file cannot be written.
    """
    from detector.domain import format_time
    from detector.errors import UsageError

    post = judgement.mention.post
    line = {
        "source": post.source,
        "id": post.id,
        "text": post.text,
        "label": label,
        "service": judgement.mention.service,
        "created_at": format_time(post.created_at),
    }
    try:
        # Texts that people wrote: for the owner's eyes, as the database's key.
        file = os.open(out, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "ab+") as body:
            size = body.seek(0, os.SEEK_END)
            body.seek(max(size - 1, 0))
            # An editor may have left the last line open.
            gap = b"" if body.read(1) in {b"", b"\n"} else b"\n"
            body.write(gap + json.dumps(line).encode() + b"\n")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); name another file with --out") from error


def _labelled(out: Path) -> set[tuple[str, str]]:
    """The posts that the file has a label for already."""
    from detector.classify.lines import BadLines, objects, opened

    if not out.exists():
        return set()
    with opened(out) as stream:
        return {(str(row.get("source")), str(row.get("id"))) for _, row in objects(stream, str(out), BadLines())}
