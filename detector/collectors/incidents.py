"""Archives of the official record: incident lines, plain or compressed, with the same care as post archives."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from detector.collectors import archive_files
from detector.collectors.archive import Paths
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_formats import Moment, Unusable, Word
from detector.collectors.archive_times import OutOfRangeError, read_time
from detector.domain import Incident, IncidentUpdate
from detector.errors import BadArchiveError
from detector.transport.plaintext import cut, plain

_OVER = {"resolved", "postmortem", "completed"}
_MAX_UPDATE = 4000


class _Update(msgspec.Struct):
    at: Moment = None
    status: str | None = None
    message: str | None = None
    text: str | None = None
    first_seen_at: Moment = None


class _Line(msgspec.Struct):
    """DESIGN section 6 "Incident line", and what the official archives add."""

    service: str | None = None
    id: Word = None
    title: str | None = None
    impact: str | None = None
    first_posted_at: Moment = None
    resolved_at: Moment = None
    ended_at: Moment = None
    stated_start: Moment = None
    started_at: Moment = None
    first_seen_at: Moment = None
    first_status: str | None = None
    url: str | None = None
    type: str | None = None
    components: list[str] = []
    updates: list[_Update] = []


_DECODER = msgspec.json.Decoder(_Line)


def read_incidents(paths: Paths, *, counters: ReadCounters) -> list[Incident]:
    """The incidents of several files, by `(first_posted_at, service, id)`, each (service, id) once.

    Maintenances are left out and counted in `counters.skipped["maintenance"]`; incidents that were first posted when
    already resolved stay in and are counted in `counters.retroactive` (`retroactive` tells them).

    Raises:
        BadArchiveError: a file is missing, a directory, empty, or has no line of a known shape.
    """
    files = [archive_files.opened(path) for path in paths]
    found: dict[tuple[str, str], Incident] = {}
    for file in files:
        counters.files += 1
        before = counters.read + counters.skipped.total()
        for incident in _file(file, counters):
            key = (incident.service, incident.id)
            if key in found:
                counters.duplicates += 1
                if found[key].first_posted_at <= incident.first_posted_at:
                    continue
            found[key] = incident
        if counters.read + counters.skipped.total() == before:
            first = next((kept[0] for kept in counters.examples.values() if kept), "")
            raise BadArchiveError(
                f"{file}: none of its lines is an incident (first: {first}); one JSON object a line is expected, "
                'with "service", "id", "title", "impact" and "first_posted_at"'
            )
    incidents = sorted(found.values(), key=lambda one: (one.first_posted_at, one.service, one.id))
    counters.retroactive += sum(retroactive(one) for one in incidents)
    return incidents


def retroactive(incident: Incident) -> bool:
    """Whether its first update already said that it was over: it never was an alert to anybody.

    >>> at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    >>> retroactive(Incident(service="x", id="1", title="t", impact=None, first_posted_at=at))
    False
    """
    if not incident.updates:
        return False
    return min(incident.updates, key=lambda update: update.at).status.lower() in _OVER


def _file(file: Path, counters: ReadCounters) -> list[Incident]:
    name = str(file)
    number = 0

    def trouble(kind: str, why: str) -> None:
        counters.lines += 1
        counters.reject(kind, name, number + 1, why)

    made: list[Incident] = []
    for raw in archive_files.lines(file, trouble):
        number += 1
        counters.lines += 1
        line = raw.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            counters.blank += 1
            continue
        try:
            decoded = _DECODER.decode(line)
            if decoded.type == "maintenance" or decoded.impact == "maintenance":
                counters.skipped["maintenance"] += 1
                continue
            made.append(_incident(decoded, counters))
        except Unusable as error:
            counters.reject(error.kind, name, number, str(error))
        except msgspec.ValidationError as error:
            counters.reject("wrong shape", name, number, str(error))
        except (msgspec.DecodeError, RecursionError) as error:
            counters.reject("not JSON", name, number, str(error))
        except UnicodeDecodeError as error:
            counters.reject("not UTF-8", name, number, str(error))
        else:
            counters.read += 1
    return made


def _incident(line: _Line, counters: ReadCounters) -> Incident:
    if not line.service:
        raise Unusable("no service")
    updates = [update for given in line.updates if (update := _update(given, counters)) is not None]
    posted = _time(line.first_posted_at, counters)
    if posted is None:
        if not updates:
            raise Unusable("no time", "neither first_posted_at nor a dated update is there")
        posted = min(update.at for update in updates)
    if not updates and line.first_status:
        updates = [IncidentUpdate(at=posted, status=line.first_status)]
    resolved = _time(line.resolved_at, counters) or max(
        (update.at for update in updates if update.status.lower() in _OVER), default=None
    )
    return Incident(
        service=line.service,
        id=str(line.id) if line.id not in {None, ""} else f"{line.service}-{posted:%Y%m%dT%H%M}",
        title=plain(line.title or "")[:500],
        impact=line.impact,
        first_posted_at=posted,
        first_seen_at=_time(line.first_seen_at, counters),
        stated_start=_time(line.stated_start, counters) or _time(line.started_at, counters),
        resolved_at=resolved or _time(line.ended_at, counters),
        updates=tuple(updates),
        components=tuple(line.components),
        url=line.url,
    )


def _update(given: _Update, counters: ReadCounters) -> IncidentUpdate | None:
    at = _time(given.at, counters)
    if at is None:
        return None  # some pages print only a clock time; the incident's own times stand
    return IncidentUpdate(
        at=at,
        status=given.status or "",
        text=cut(plain(given.message or given.text or ""), _MAX_UPDATE),
        first_seen_at=_time(given.first_seen_at, counters),
    )


def _time(value: Moment, counters: ReadCounters) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return read_time(value, counters.assumed)
    except OutOfRangeError as error:
        raise Unusable("time out of range", str(error)) from error
    except (ValueError, TypeError, IndexError) as error:
        raise Unusable("no time", f"{str(value)[:60]!r} is none") from error
