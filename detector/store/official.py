"""The official record as it was when we read it: what a page edits afterwards never moves our first sight of it."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from detector.domain import Incident, StatusReading
from detector.store.codec import clean, maybe_text, to_json, to_text


def upsert_incident(conn: sqlite3.Connection, incident: Incident, *, now: datetime) -> None:
    """Inside a transaction: take an incident in, or what is new about it.

    `first_posted_at` stays as first read and `first_seen_at` as the earliest ever given: a page that backdates its
    entry must not take our lead away, nor add to it.
    """
    where = (incident.service, clean(incident.id))
    conn.execute(
        "INSERT INTO incidents (service, id, title, impact, first_posted_at, first_seen_at, stated_start, resolved_at, "
        "components, url, maintenance) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
        "title = excluded.title, impact = excluded.impact, stated_start = coalesce(excluded.stated_start, "
        "stated_start), resolved_at = excluded.resolved_at, components = excluded.components, "
        "url = coalesce(excluded.url, url), maintenance = excluded.maintenance, "
        "first_seen_at = min(first_seen_at, excluded.first_seen_at)",
        (
            *where,
            clean(incident.title),
            None if incident.impact is None else clean(incident.impact),
            to_text(incident.first_posted_at),
            to_text(incident.first_seen_at or now),
            maybe_text(incident.stated_start),
            maybe_text(incident.resolved_at),
            json.dumps([clean(name) for name in incident.components], ensure_ascii=False),
            None if incident.url is None else clean(incident.url),
            int(incident.maintenance),
        ),
    )
    conn.executemany(
        "INSERT INTO incident_updates (service, incident_id, at, status, text, first_seen_at) VALUES (?,?,?,?,?,?) "
        "ON CONFLICT DO UPDATE SET text = excluded.text, first_seen_at = min(first_seen_at, excluded.first_seen_at)",
        [
            (*where, to_text(update.at), clean(update.status), clean(update.text), to_text(update.first_seen_at or now))
            for update in incident.updates
        ],
    )


def add_reading(conn: sqlite3.Connection, reading: StatusReading) -> None:
    """Inside a transaction: take a look at a page in, with its incidents; an unchanged page lengthens its last row."""
    for incident in reading.incidents:
        upsert_incident(conn, incident, now=reading.at)
    at = to_text(reading.at)
    shown = (
        reading.state.value,
        clean(reading.description),
        to_json([{"id": clean(one.id)} for one in reading.incidents if _open(one, reading.at)]),
    )
    last = conn.execute(
        "SELECT sequence, last_at, state, description, incidents FROM status_readings WHERE service = ? "
        "ORDER BY from_at DESC, sequence DESC LIMIT 1",
        (reading.service,),
    ).fetchone()
    if last is not None and last[1] <= at and last[2:] == shown:
        conn.execute("UPDATE status_readings SET last_at = ? WHERE sequence = ?", (at, last[0]))
        return
    conn.execute(
        "INSERT INTO status_readings (service, from_at, last_at, state, description, incidents) VALUES (?,?,?,?,?,?)",
        (reading.service, at, at, *shown),
    )


def _open(incident: Incident, at: datetime) -> bool:
    return not incident.maintenance and (incident.resolved_at is None or incident.resolved_at > at)
