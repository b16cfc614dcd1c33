"""`detector report`: one outage as a post-mortem, from the database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from detector.backfill.postmortem import PostMortem
    from detector.store import Reader


@click.command()
@click.argument("alert", metavar="ALERT")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write it as one HTML page as well.")
@options.config
@options.database
def command(alert: str, html_path: Path | None, config_path: Path | None, db_path: Path | None) -> None:
    """Write up ALERT (a key from `detector alerts`): what happened when, the figures, the quotes, who was told.

    Markdown goes to stdout; --html FILE writes a printable page with a picture besides.
    """
    from detector.backfill.postmortem import html, markdown
    from detector.errors import UsageError

    with options.reader(config_path, db_path) as reader:
        found = gather(reader, alert)
    click.echo(markdown(found), nl=False)
    if html_path is not None:
        try:
            html_path.write_text(html(found), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{html_path}: cannot write the report: {error.strerror}; choose another --html"
            ) from error
        click.echo(f"wrote {html_path}", err=True)


def gather(reader: Reader, key: str) -> PostMortem:
    """The post-mortem's content; the page of an alert asks the same questions."""
    from detector.backfill.pairing import Outage
    from detector.backfill.pictures import moments, picture, usual_of
    from detector.backfill.postmortem import PostMortem, Told
    from detector.backfill.timeline import STEP, step_of
    from detector.config.own import known_services
    from detector.domain import parse_time
    from detector.errors import UsageError
    from detector.store.board import Board
    from detector.web.alert import look
    from detector.web.service import pairing_of

    alert = reader.alert(key)
    if alert is None:
        near = [each.key for each in reader.alerts(limit=5)]
        raise UsageError(f"no alert {key!r}; the latest are {', '.join(near) or 'none'}")
    ask = Board(reader)
    names = {service.slug: service.name for service in known_services().services}
    near_by = alert.onset_at - timedelta(days=2)
    incidents = reader.incidents(service=alert.service, since=near_by)
    pairing = pairing_of(alert, reader.alerts(service=alert.service, since=near_by), incidents)
    incident = pairing.incident if pairing is not None else None
    outage = Outage(service=alert.service, incidents=(incident,)) if incident is not None else None
    marks, start, end = moments(alert, outage)
    bins = ask.bins(alert.service, since=start - STEP, until=end, step=STEP)
    counted = {step_of(each.at): each.people for each in bins}
    people = [counted.get(step, 0) for step in range(step_of(start), step_of(end))]
    until = alert.ended_at or reader.recorded_until() or alert.updated_at
    seen = look(ask, alert, names, until)
    return PostMortem(
        alert=alert,
        name=seen["name"],
        cause=None if alert.cause is None else names.get(alert.cause, alert.cause),
        argument=seen["argument"],
        until=until,
        lead=pairing.lead if pairing is not None else None,
        incident=incident,
        timeline=tuple((parse_time(each["at"]), each["kind"], each["text"]) for each in seen["timeline"]),
        told=tuple(
            Told(
                at=parse_time(each["at"]),
                receiver=each["receiver"],
                told=each["told"],
                why=each["reason"],
                note=each["note"],
                fate=each["fate"],
            )
            for each in seen["decisions"]
        ),
        picture=picture(seen["name"], marks, start, people, usual_of(alert)),
    )
