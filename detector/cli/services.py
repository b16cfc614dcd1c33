"""`detector services`: what can be watched."""

from __future__ import annotations

import json

import click

from detector.cli import options


@click.command()
@click.argument("query", required=False)
@options.as_json
def command(query: str | None, as_json: bool) -> None:
    """List the services of the catalogue; with QUERY, those whose slug, name or alias contains it."""
    from detector.config.catalogue import load_catalogue
    from detector.errors import DetectorError

    word = (query or "").casefold()
    found = [
        service
        for service in load_catalogue()
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
