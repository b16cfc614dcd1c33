"""What a person may set, in `detector.toml`: typed, with defaults that need neither a file nor a key.

Every mistake of a file is reported at once, each as `file:line: key: what; what to do`.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from detector import registry
from detector.config.locate import Place, line_of, locate, syntax_problem
from detector.config.migrate import migrate
from detector.config.partition import VARIABLE, Partition
from detector.config.secret import take_secrets
from detector.domain import Budget, Level
from detector.errors import ConfigError
from detector.resources import data_path

logger = logging.getLogger(__name__)

DEFAULT_NAME = "detector.toml"
DEFAULT_SERVICES = (
    "claude", "openai", "github", "cloudflare", "aws", "slack",
    "discord", "zoom", "reddit", "spotify", "twitch", "notion",
)  # fmt: skip

_LARGEST_FILE = 1_000_000


class _Strict(BaseModel):
    """Unknown keys are mistakes, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


class _Open(BaseModel):
    """Keys that are not ours belong to the plug-in."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    @property
    def options(self) -> dict[str, Any]:
        """The plug-in's own settings; a secret among them is a `Secret`."""
        return dict(self.model_extra or {})


class Watch(_Strict):
    """`[watch]`: which services, and how many false alarms are borne.

    Attributes:
        services: slugs of the catalogue; `"*"` is all of them.
        catalogue: a file with services of one's own, each of them watched; None is `detector.services.toml` beside the
            settings file, if there is one. A relative path starts at the settings file.
        tags: names of one's own for groups of services, for the routes of receivers.
        budget: false alarms chance may raise for one service, as in `1/year`.
        fleet_budget: the same for all services together; takes the place of `budget`.
        classifier: a plug-in or an artifact's folder; None is the shipped one, or `keyword` with a warning where it
            cannot be used.
        detector: the plug-in that follows the counts.
        partition: this daemon's share of the services, as `2/4`; None is all of them. See `config.partition`.
    """

    services: tuple[str, ...] = DEFAULT_SERVICES
    catalogue: Path | None = None
    tags: dict[str, tuple[str, ...]] = {}
    budget: str = "1/year"
    fleet_budget: str | None = None
    classifier: str | None = None
    detector: str = "scan"
    partition: str | None = None

    @field_validator("partition")
    @classmethod
    def _share(cls, value: str | None) -> str | None:
        return value if value is None else str(Partition.parse(value))

    @field_validator("budget", "fleet_budget")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            Budget.parse(value)
        return value

    def tags_of(self, service: str) -> tuple[str, ...]:
        """The tags of a service."""
        return tuple(tag for tag, services in self.tags.items() if service in services)

    def budget_of_a_service(self, services: int) -> Budget:
        """What one of so many services may spend."""
        return Budget.parse(self.fleet_budget).shared_by(services) if self.fleet_budget else Budget.parse(self.budget)


class Source(_Open):
    """`[sources.NAME]`: one collector; `type` is the plug-in, by default the name."""

    type: str = ""
    enabled: bool = True


class Receiver(_Open):
    """`[receivers.NAME]`: somebody who is told; `type` is the plug-in, by default the name.

    Attributes:
        level: the least level that is told: `watch`, `alert` or `major`.
        services: for which services; `"*"` is all.
    """

    type: str = ""
    enabled: bool = True
    level: Literal["watch", "alert", "major"] = "alert"
    services: tuple[str, ...] = ("*",)

    @property
    def least(self) -> Level:
        """`level` as the domain's value."""
        return Level(self.level)


class StatusPages(_Strict):
    """`[status]`: the official pages; `pages` overrides or adds an address by service."""

    enabled: bool = True
    interval: float = Field(default=60.0, ge=5, le=3600)
    pages: dict[str, str] = {}


class StoreFile(_Strict):
    """`[store]`: where everything is kept; a relative path starts at the settings file.

    Attributes:
        backups: how many nightly copies are kept beside the database; 0 makes none.
    """

    path: Path = Path("detector.db")
    keep_text_days: int = Field(default=30, ge=1, le=3650)
    backups: int = Field(default=3, ge=0, le=365)


class Logging(_Strict):
    """`[logging]`: one event a line, on stderr or in a file; a relative path starts at the settings file.

    Attributes:
        file: taken up anew when it was moved away, so that any rotation works; None is stderr.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["human", "json"] = "human"
    file: Path | None = None


class Display(_Strict):
    """`[display]`: how times are shown to people; they are stored, and told to programs, in UTC.

    Attributes:
        timezone: a name such as `Europe/Berlin`, for the command line, the page and receivers without one of theirs.
    """

    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {value!r}; write one like Europe/Berlin") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        """`timezone` as Python's value."""
        return ZoneInfo(self.timezone)


class Web(_Strict):
    """`[web]`: the page; it listens on this machine only unless told otherwise.

    Attributes:
        names: further names it is reached by (`HOST` or `HOST:PORT`), as behind a proxy.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    names: tuple[str, ...] = ()


def default_sources() -> dict[str, Source]:
    """Places that need no key: Hacker News, and a news search and a Mastodon tag for each watched service."""
    return {"hackernews": Source(type="hackernews"), "feeds": Source(type="feeds")}


class Settings(_Strict):
    """Everything that can be set; `Settings()` is the embedded default."""

    watch: Watch = Watch()
    sources: dict[str, Source] = Field(default_factory=default_sources)
    receivers: dict[str, Receiver] = Field(default_factory=lambda: {"console": Receiver(type="console")})
    status: StatusPages = StatusPages()
    store: StoreFile = StoreFile()
    logging: Logging = Logging()
    display: Display = Display()
    web: Web = Web()


def default_path() -> Path | None:
    """`detector.toml` in the working folder, if there is one."""
    path = Path(DEFAULT_NAME)
    return path if path.is_file() else None


def template() -> str:
    """The commented settings file that `detector init` writes: the defaults, spelled out."""
    return data_path("deploy", DEFAULT_NAME).read_text(encoding="utf-8")


def load_settings(path: Path | None, env: Mapping[str, str], *, slugs: Iterable[str] | None = None) -> Settings:
    """Read and check a settings file; None gives the embedded defaults.

    Args:
        env: where secrets are looked up, usually `os.environ`.
        slugs: the catalogue's services; given, a service that is not among them is a mistake.

    Raises:
        ConfigError: with every mistake in `problems`.
    """
    if path is None:
        return _shared_out(Settings(), env)
    text = _read(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, what = syntax_problem(error)
        place = f"{path}:{line or len(text.splitlines()) or 1}"
        raise ConfigError(
            f"{place}: not TOML: {what}; mend the line, or write a new file with detector init"
        ) from error
    said, found = migrate(values)
    take_secrets(values, env, path.parent, found)
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found += [(tuple(each["loc"]), _say(values, each)) for each in error.errors()]
    found += _unknown_names(values, slugs)
    if settings is not None and settings.watch.catalogue and not (path.parent / settings.watch.catalogue).is_file():
        what = "no such file; name another, or let detector services add URL --write make it"
        found.append((("watch", "catalogue"), what))
    if found or settings is None:
        places = locate(text)
        ordered = sorted({(line_of(places, place), ".".join(map(str, place)), what) for place, what in found})
        raise ConfigError([f"{path}:{line}: {key}: {what}" for line, key, what in ordered])
    for at, what in said:
        _say_once(f"{path}:{line_of(locate(text), at)}: {'.'.join(map(str, at))}: {what}", hash(text))
    store = settings.store.model_copy(update={"path": path.parent / settings.store.path})
    watch, logs = settings.watch, settings.logging
    if watch.catalogue is not None:
        watch = watch.model_copy(update={"catalogue": path.parent / watch.catalogue})
    if logs.file is not None:
        logs = logs.model_copy(update={"file": path.parent / logs.file})
    return _shared_out(settings.model_copy(update={"store": store, "watch": watch, "logging": logs}), env)


@lru_cache(maxsize=64)
def _say_once(words: str, _file: int) -> None:
    """Warn: a command that reads its settings for one thing and then another says it once, a changed file again."""
    logger.warning("%s", words)


def _shared_out(settings: Settings, env: Mapping[str, str]) -> Settings:
    """With a partition, its own database."""
    try:
        share = Partition.of(settings.watch.partition, env)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}: {error}") from error
    if share is None:
        return settings
    store = settings.store.model_copy(update={"path": share.file(settings.store.path)})
    return settings.model_copy(
        update={"store": store, "watch": settings.watch.model_copy(update={"partition": str(share)})}
    )


def _read(path: Path) -> str:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror or error}); name a file, or write one with detector init"
        ) from error
    if len(body) > _LARGEST_FILE:
        raise ConfigError(f"{path}: larger than a settings file can be ({len(body)} bytes); name another file")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error


def _say(values: dict[str, Any], error: Any) -> str:
    """One of pydantic's errors in our words."""
    place = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_keys(place[:-1])
        near = get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"remove it, or use one of {', '.join(known)}"
        return f"unknown setting; {hint}"
    if kind == "literal_error":
        return f"{_shown(values, place)} is none of the choices; write {error['ctx']['expected']}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    what = error["msg"].removeprefix("Input ").removeprefix("should be ")
    return f"{_shown(values, place)} will not do; write {what.removeprefix('a valid ')}"


def _shown(values: Any, place: Place) -> str:
    for step in place:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return "this"
    return repr(values) if isinstance(values, str | int | float | bool) else f"a {type(values).__name__}"


def _known_keys(place: Place) -> list[str]:
    model: type[BaseModel] = Settings
    for step in place:
        field = model.model_fields.get(str(step))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _unknown_names(values: dict[str, Any], slugs: Iterable[str] | None) -> list[tuple[Place, str]]:
    """Plug-ins that nobody registered and services that the catalogue does not know."""
    found: list[tuple[Place, str]] = []
    for kind, group, model in (("sources", "collectors", Source), ("receivers", "notifiers", Receiver)):
        tables = values.get(kind)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if not isinstance(table, dict):
                continue
            wanted = table.get("type", name)
            if isinstance(wanted, str) and wanted not in registry.names(group):
                found.append(((kind, name, "type"), _stranger("plug-in", wanted, registry.names(group))))
            # The rest belongs to the plug-in, but a near miss of one of our own keys would be lost silently.
            found += [
                ((kind, name, key), f"unknown setting; did you mean {near[0]}?")
                for key in table.keys() - model.model_fields.keys()
                if (near := get_close_matches(key, model.model_fields, n=1, cutoff=0.8))
            ]
    watch = values.get("watch")
    if isinstance(watch, dict):
        for key, group in (("classifier", "classifiers"), ("detector", "detectors")):
            chosen = watch.get(key)
            if isinstance(chosen, str) and chosen not in registry.names(group) and not Path(chosen).is_dir():
                found.append((("watch", key), _stranger("plug-in", chosen, registry.names(group))))
    known = set(slugs) if slugs is not None else None
    if known is not None:
        found += [
            (place, _stranger("service", slug, sorted(known))) for place, slug in _named(values) if slug not in known
        ]
    return found


def _named(values: dict[str, Any]) -> list[tuple[Place, str]]:
    """Every place that names a service."""
    named: list[tuple[Place, Any]] = []
    watch, status, receivers = values.get("watch"), values.get("status"), values.get("receivers")
    if isinstance(watch, dict) and isinstance(watch.get("services"), list):
        named += [(("watch", "services"), slug) for slug in watch["services"]]
    if isinstance(watch, dict) and isinstance(watch.get("tags"), dict):
        for tag, slugs in watch["tags"].items():
            named += [(("watch", "tags", tag), slug) for slug in slugs if isinstance(slugs, list)]
    if isinstance(status, dict) and isinstance(status.get("pages"), dict):
        named += [(("status", "pages", slug), slug) for slug in status["pages"]]
    for name, table in receivers.items() if isinstance(receivers, dict) else ():
        if isinstance(table, dict) and isinstance(table.get("services"), list):
            named += [(("receivers", name, "services"), slug) for slug in table["services"]]
    return [(place, slug) for place, slug in named if isinstance(slug, str) and slug != "*"]


def _stranger(what: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:20]) or 'none'}"
    return f"no {what} {name!r}; {hint}"
