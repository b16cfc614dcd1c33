"""`detector classify`: judge posts, JSONL in, JSONL out, one line a post in the order they came."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from detector.errors import UsageError

if TYPE_CHECKING:
    from detector.classify.lines import BadLines
    from detector.domain import Post
    from detector.match import NameMatcher
    from detector.protocols import Classifier

BATCH = 512


def shipped_matcher() -> NameMatcher:
    """The matcher of the shipped catalogue, shared by `classify`, `train` and `evaluate`."""
    from detector.config.catalogue import load_catalogue
    from detector.match import NameMatcher

    return NameMatcher(load_catalogue())


def chosen_classifier(model: str | None, notes: list[str]) -> Classifier:
    """The classifier by entry point, built-in name or folder.

    Raises:
        UsageError, ArtifactError, PluginError: it cannot be had.
    """
    from detector import registry
    from detector.classify.load import BUILT_IN, load_classifier

    others = [name for name in registry.names("classifiers") if name not in BUILT_IN] if model is not None else []
    registered = {model: registry.load("classifiers", model)} if model in others and model is not None else {}
    return load_classifier(model, notes=notes, registered=registered)


@click.command()
@click.argument("file", required=False, default="-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--model", help="static, keyword, or the folder of an artifact. [default: the shipped one]")
def command(file: Path, model: str | None) -> None:
    """Judge the posts of FILE (JSON lines, .gz or .zst; - is standard input).

    Each valid line gives {"id","label","p":{...},"outage_now"} on standard output, in the same order, also where no
    service is named. outage_now is the probability of complaint or report, at the prior of the labels.
    """
    from detector.classify.lines import BadLines, opened

    notes: list[str] = []
    classifier = chosen_classifier(model, notes)
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    matcher = shipped_matcher()
    bad = BadLines()
    with ExitStack() as stack:
        if str(file) == "-":
            stream: IO[bytes] = sys.stdin.buffer
            where = "standard input"
        else:
            stream, where = stack.enter_context(opened(file)), str(file)
        judged, foreign = _judge(_posts(stream, where, bad), classifier, matcher)
    for message in bad.messages:
        click.echo(message, err=True)
    words = f"{judged} posts judged by {classifier.name}"
    click.echo(f"{words}, {bad.count} bad lines left out" if bad.count else words, err=True)
    if foreign:
        click.echo(f"{foreign} of them in a script it does not read: answered other", err=True)
    if bad.count and not judged:
        raise UsageError(f'{where}: no line is a post; a line is {{"source", "id", "text"}}')


def _judge(posts: Iterator[tuple[Any, Post]], classifier: Classifier, matcher: NameMatcher) -> tuple[int, int]:
    """Write a line for each post, batch by batch; returns how many, and how many nobody here can read."""
    from detector.classify.mentions import mention_of
    from detector.classify.static import readable

    count = foreign = 0
    waiting: list[tuple[Any, Post]] = []

    def flush() -> None:
        for (name, _), judgement in zip(
            waiting, classifier.judge([mention_of(post, matcher) for _, post in waiting]), strict=True
        ):
            p = judgement.p
            values = {
                label: round(value, 6)
                for label, value in zip(("complaint", "report", "past", "solo", "other"), p.as_tuple(), strict=True)
            }
            line = {"id": name, "label": p.label, "p": values, "outage_now": round(p.now, 6)}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        waiting.clear()

    for entry in posts:
        waiting.append(entry)
        count += 1
        foreign += not readable(entry[1].text)
        if len(waiting) == BATCH:
            flush()
    flush()
    return count, foreign


def _posts(stream: IO[bytes], where: str, bad: BadLines) -> Iterator[tuple[Any, Post]]:
    """The line's own id (of any kind, returned as it came) and the post; lines that are none are counted."""
    from detector.classify.labels import whole_text
    from detector.classify.lines import objects
    from detector.domain import EPOCH, Post

    for number, row in objects(stream, where, bad):
        if not isinstance(row.get("text"), str) and not isinstance(row.get("body"), str):
            bad.add(where, number, "text is missing")
            continue
        if not isinstance(row.get("id"), str | int):
            bad.add(where, number, "id is missing")
            continue
        hint, url = row.get("service"), row.get("url")
        # Times are not needed to judge, so a line without a good one is judged all the same.
        post = Post(
            source=str(row.get("source") or "unknown"),
            id=str(row["id"]),
            created_at=EPOCH,
            seen_at=EPOCH,
            text=whole_text(row),
            url=url if isinstance(url, str) else None,
            service_hint=hint if isinstance(hint, str) else None,
            official=row.get("inbound") is False or row.get("official") is True,
        )
        yield row["id"], post
