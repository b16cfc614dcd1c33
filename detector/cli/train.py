"""`detector train`: from labelled posts to a classifier's artifact and its card."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.classify.encoder import EncoderVectors
    from detector.classify.labels import LabelSet
    from detector.classify.words import WordTable

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--labels", "labels", multiple=True, required=True, type=_FILE, help="Labelled JSON lines. [repeatable]")
@click.option("--texts", "texts", multiple=True, type=_FILE, help="Archives holding the texts of labels without one.")
@click.option("--own", "own", multiple=True, type=_FILE, help="Labelled posts of our own, with text.")
@click.option(
    "--with-feedback",
    "database",
    type=_FILE,
    metavar="DB",
    help="Add what people said of this database's alerts, and the labels.jsonl beside it.",
)
@click.option("--words", type=_FILE, help="Artifact whose word vectors are taken. [default: the shipped one]")
@click.option("--distil", "archives", multiple=True, type=_FILE, help="Make new word vectors from these archives.")
@click.option(
    "--encoder",
    metavar="NAME",
    help="A sentence-transformers model, by folder or hub name, instead of word vectors.",
)
@click.option("--sentences", type=int, default=20_000, show_default=True, help="Texts the teacher sees with --distil.")
@click.option(
    "--kind",
    type=click.Choice(["static", "minilm"]),
    default="static",
    show_default=True,
    help="minilm also fits the cascade.",
)
@click.option(
    "--measured",
    "measured",
    multiple=True,
    type=_FILE,
    help="Labels kept for measuring: neither they nor near-duplicates of them are trained on.",
)
@click.option(
    "--prior-of",
    "prior_of",
    type=_FILE,
    help="Labels at whose shares the probabilities stand. [default: all posts trained on that were not made up]",
)
@click.option("--scratch", type=_FILE, help="File that keeps minilm's held-out scores, to go on after a stop.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", required=True, type=_FILE, help="Folder for weights, manifest and card.")
def command(
    labels: tuple[Path, ...],
    texts: tuple[Path, ...],
    own: tuple[Path, ...],
    database: Path | None,
    words: Path | None,
    archives: tuple[Path, ...],
    encoder: str | None,
    sentences: int,
    kind: str,
    measured: tuple[Path, ...],
    prior_of: Path | None,
    scratch: Path | None,
    seed: int,
    out: Path,
) -> None:
    """Train a classifier and write it to OUT; with --kind minilm, to OUT/minilm and OUT/cascade.

    A label is a line {"source","id","label"}, with "text" or joined to it from --texts. The same files and seed give
    the same bytes.

    With --with-feedback, labels given by `detector label` count as labels like any, and come first where two disagree.
    Of an alert called true, the quoted complaints and reports keep their label; of one called false, a complaint
    becomes solo (the writer's own trouble, not the service's) and a report becomes other. These rows are trained on
    and never measured, since the classifier itself chose them.
    """
    from detector.classify.artifact import read_manifest, read_words
    from detector.classify.card import card
    from detector.classify.fit import Recipe
    from detector.classify.labels import read_labels
    from detector.classify.splits import unlike
    from detector.classify.train import train
    from detector.cli.classify import shipped_matcher
    from detector.resources import model_path

    if prior_of is not None and kind == "minilm":
        raise click.UsageError("--prior-of is for the static model; minilm and the cascade stand where that one does")
    if encoder is not None and (kind == "minilm" or archives or words):
        raise click.UsageError("--encoder stands for the word vectors: leave out --kind minilm, --words and --distil")
    labelled = (
        read_labels([*labels, *own], texts=texts) if database is None else _taught(database, [*labels, *own], texts)
    )
    for warning in labelled.warnings + labelled.rare():
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{len(labelled.posts)} posts: {labelled.counts()}", err=True)
    prior = _shares(read_labels([prior_of], texts=texts)) if prior_of else None
    said = shlex.join(["detector", *sys.argv[1:]])
    sets = {path.stem: read_labels([path], texts=texts) for path in measured}
    if kind != "minilm":
        labelled.posts = unlike(labelled.posts, [post for found in sets.values() for post in found.posts])
    if kind == "minilm":
        from detector.classify.finetune import Tuning
        from detector.classify.retune import retrain
        from detector.classify.transformer_card import transformer_card

        made = retrain(
            labelled,
            sets,
            out,
            tuning=Tuning(seed=seed),
            matcher=shipped_matcher(),
            command=said,
            static_folder=model_path("static"),
            scratch=scratch,
        )
        (out / "minilm" / "README.md").write_text(transformer_card(made), encoding="utf-8")
        click.echo(transformer_card(made))
        return
    words_of: WordTable | EncoderVectors
    origin: dict[str, Any] = {}
    if encoder is not None:
        words_of, about = _encoder(encoder)
    elif archives:
        from detector.classify.distil import archive_texts, distil, shipped_teacher, word_origin

        click.echo("making word vectors (minutes)", err=True)
        words_of = distil(archive_texts(archives, seed=seed), sentences=sentences, seed=seed, teacher=shipped_teacher())
        origin, about = word_origin(archives, sentences=sentences, seed=seed, words=len(words_of.keys)), None
    else:
        folder = words or model_path("static")
        words_of, origin, about = read_words(folder), read_manifest(folder).get("words", {}), None
    manifest = train(
        labelled,
        words_of,
        out,
        recipe=Recipe(seed=seed),
        matcher=shipped_matcher(),
        command=said,
        words=origin,
        encoder=about,
        prior=prior,
    )
    (out / "README.md").write_text(card(manifest), encoding="utf-8")
    click.echo(f"wrote {out}", err=True)
    click.echo(card(manifest))


def _shares(labelled: LabelSet) -> dict[str, float]:
    """The share of each label; one that is not there gets that of half a post."""
    return {label: max(count, 0.5) / len(labelled.posts) for label, count in labelled.counts().items()}


def _encoder(name: str) -> tuple[EncoderVectors, dict[str, Any]]:
    """Any encoder's vectors in the place of word vectors, and what the manifest says of it."""
    from detector.classify.encoder import REMEMBERED, EncoderVectors

    vectors = EncoderVectors(name, remember=REMEMBERED)
    about = {"name": name, "numbers": vectors.dim, "device": str(vectors.encoder.device)}
    click.echo(f"encoder {name}: {about['numbers']} numbers a text, on {about['device']}", err=True)
    return vectors, about


def _taught(database: Path, files: Sequence[Path], texts: Sequence[Path]) -> LabelSet:
    """The labels of the files with those of a database: what was labelled by hand, and what was said of alerts."""
    from detector.classify.feedback import add_feedback, feedback_rows
    from detector.classify.labels import read_labels
    from detector.cli.label import DEFAULT_NAME
    from detector.store import open_reader
    from detector.store.ingest import forgotten_id

    by_hand = database.with_name(DEFAULT_NAME)
    labelled = read_labels([by_hand, *files] if by_hand.is_file() else files, texts=texts)
    with open_reader(database) as reader:
        words = {each.alert_key: each.real for each in reader.feedback()}
        alerts = [alert for key in words if (alert := reader.alert(key)) is not None]
        names = {(post.source, forgotten_id(post.source, post.id)): post for post in labelled.posts}
        gone = {id(names[key]) for key in reader.stored(names)}
    labelled.posts = [post for post in labelled.posts if id(post) not in gone]
    if gone:
        labelled.warnings.append(f"{len(gone)} labelled posts were forgotten and are left out")
    rows = feedback_rows(alerts, words)
    added = add_feedback(labelled, rows)
    click.echo(f"feedback on {len(words)} alerts: {added} posts added", err=True)
    for reason, count in rows.left_out:
        click.echo(f"  {count} quotes left out: {reason}", err=True)
    return labelled
