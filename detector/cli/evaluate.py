"""`detector evaluate`: how good is a classifier on labelled posts."""

from __future__ import annotations

import json
from pathlib import Path

import click

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--labels", "labels", multiple=True, required=True, type=_FILE, help="Labelled JSON lines. [repeatable]")
@click.option("--texts", "texts", multiple=True, type=_FILE, help="Archives holding the texts of labels without one.")
@click.option("--model", help="static, keyword, or the folder of an artifact. [default: the shipped one]")
@click.option("--plots", type=_FILE, help="Folder for reliability.svg and precision-recall.svg.")
@click.option("--json", "as_json", is_flag=True, help="Figures as one JSON object.")
def command(
    labels: tuple[Path, ...], texts: tuple[Path, ...], model: str | None, plots: Path | None, as_json: bool
) -> None:
    """Print how well complaints and reports of a present failure are told from the rest.

    AP, F1 at .5, precision at 90 % recall, false alarms per 1,000 others at 60 % recall, and the calibration error; by
    source and service; and the confusion of the five labels.
    """
    from detector.classify.evaluate import evaluate, table
    from detector.classify.labels import read_labels
    from detector.cli.classify import chosen_classifier, shipped_matcher
    from detector.domain import LABELS

    notes: list[str] = []
    classifier = chosen_classifier(model, notes)
    labelled = read_labels(list(labels), texts=texts)
    for note in [*notes, *labelled.warnings]:
        click.echo(f"warning: {note}", err=True)
    found = evaluate(labelled.posts, classifier, matcher=shipped_matcher())
    if plots is not None:
        from detector.classify.plots import precision_recall_svg, reliability_svg

        plots.mkdir(parents=True, exist_ok=True)
        for name, draw in (("reliability", reliability_svg), ("precision-recall", precision_recall_svg)):
            picture = draw(found.truth, found.score, title=f"{found.classifier}, {len(found.truth):,} posts")
            (plots / f"{name}.svg").write_text(picture, encoding="utf-8")
            click.echo(f"wrote {plots / f'{name}.svg'}", err=True)
    if as_json:
        click.echo(json.dumps({**found.as_json(), "notes": [*notes, *labelled.warnings]}, indent=1))
        return
    click.echo(f"{found.classifier}\n")
    click.echo(table({"all": found.overall, **{f"source {n}": m for n, m in found.by_source.items()}}))
    click.echo("\n" + table({f"service {n}": m for n, m in list(found.by_service.items())[:20]}))
    click.echo("\nconfusion (rows: truth, columns: said)\n" + " " * 10 + "".join(f"{label:>10}" for label in LABELS))
    for label, row in zip(LABELS, found.confusion, strict=True):
        click.echo(f"{label:10}" + "".join(f"{n:10}" for n in row))
    if found.unsupported:
        click.echo(f"\n{found.unsupported} posts in a script it does not read: answered other, and counted above")
    click.echo("\ncalibration: claimed, true, posts")
    for claimed, true, posts in found.reliability:
        click.echo(f"  {claimed:.3f}  {true:.3f}  {posts}")
