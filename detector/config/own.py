"""The catalogue a person watches by: the shipped one and, over it, a file of services of their own.

The file is the one `watch.catalogue` names, else `detector.services.toml` beside the settings file (in the working
folder where there is no settings file), if there is one. `detector services add URL --write` makes it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from detector.config.catalogue import load_catalogue
from detector.config.settings import default_path
from detector.domain import Service

OWN_NAME = "detector.services.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Every service that can be watched.

    Attributes:
        services: all, in slug order.
        own: slugs that only the file of one's own has; they are watched without being named.
        file: that file, if there is one.
    """

    services: tuple[Service, ...]
    own: frozenset[str] = frozenset()
    file: Path | None = None


def own_path(config: Path | None) -> Path:
    """Where the file of one's own is, or would be written. What is wrong with the settings is left for their reader."""
    config = config or default_path()
    if config is None:
        return Path(OWN_NAME)
    try:
        named = tomllib.loads(config.read_bytes().decode("utf-8-sig"))["watch"]["catalogue"]
        if isinstance(named, str) and named:
            return config.parent / named
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        pass
    return config.parent / OWN_NAME


def known_services(config: Path | None = None) -> Known:
    """The whole catalogue of somebody with these settings; None is `detector.toml` in the working folder.

    Raises:
        ConfigError: with every mistake in the file of one's own.
    """
    file = own_path(config)
    if not file.is_file():
        return Known(services=load_catalogue())
    shipped = {service.slug for service in load_catalogue()}
    services = load_catalogue(extra=[file])
    own = frozenset(service.slug for service in services if service.slug not in shipped)
    return Known(services=services, own=own, file=file)
