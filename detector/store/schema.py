"""The tables, with the comments a reader finds again under `.schema` in any SQLite tool, and how they came to be.

A change of the schema is a new migration at the end, never an edit of an old one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from detector.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Migrations
    from sqlite_utils.db import Database

# "SODt" in ASCII: how a tool, and we, tell this database from another.
APPLICATION_ID = 0x534F4474

MIGRATION_SET = "detector"

_TABLES = """
CREATE TABLE meta (
  -- Facts about this database: created_at, recorded_until (how far the pipeline's time has come), rolled_sequence.
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE posts (
  -- Every post accepted, once. All times are UTC text. The author is a keyed hash, never a name.
  source TEXT NOT NULL,
  id TEXT NOT NULL,              -- unique within the source; "forgotten-..." once the post was forgotten
  created_at TEXT NOT NULL,      -- by the source's clock
  seen_at TEXT NOT NULL,         -- the earliest moment at which we could have known it
  text TEXT NOT NULL,            -- emptied when the post is forgotten or too old
  author TEXT,
  url TEXT,
  reply_to TEXT,
  service_hint TEXT,
  official INTEGER NOT NULL,     -- 1: written by the provider itself
  account_created_at TEXT,
  truth TEXT,                    -- an archive's own label; the pipeline never reads it
  stored_at TEXT NOT NULL,
  judged_at TEXT,                -- NULL: still to be processed after a restart
  forgotten_at TEXT,             -- when the text was removed
  PRIMARY KEY (source, id)
) STRICT;
CREATE INDEX posts_pending ON posts (seen_at, source, id) WHERE judged_at IS NULL;
CREATE INDEX posts_kept ON posts (seen_at) WHERE forgotten_at IS NULL;
CREATE INDEX posts_author ON posts (author) WHERE author IS NOT NULL;

CREATE TABLE mentions (
  -- A post that names a service; one post can name several.
  source TEXT NOT NULL,
  post_id TEXT NOT NULL,
  service TEXT NOT NULL,
  matched TEXT NOT NULL,         -- the words that named it
  component TEXT,
  PRIMARY KEY (source, post_id, service),
  FOREIGN KEY (source, post_id) REFERENCES posts (source, id) ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;

CREATE TABLE judgements (
  -- What a classifier made of a mention: five probabilities that sum to one.
  -- Replaying them in the order of sequence over a checkpoint rebuilds the detectors' state.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  post_id TEXT NOT NULL,
  service TEXT NOT NULL,
  seen_at TEXT NOT NULL,         -- the post's
  complaint REAL NOT NULL,
  report REAL NOT NULL,
  past REAL NOT NULL,
  solo REAL NOT NULL,
  other REAL NOT NULL,
  classifier TEXT NOT NULL,      -- name@artifact-hash
  judged_at TEXT NOT NULL,
  UNIQUE (source, post_id, service, classifier),
  FOREIGN KEY (source, post_id, service) REFERENCES mentions (source, post_id, service)
    ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;
CREATE INDEX judgements_service ON judgements (service, seen_at);

CREATE TABLE alerts (
  -- One outage as we see it now; every step of its life is in alert_changes.
  key TEXT PRIMARY KEY,          -- service-YYYYMMDDTHHMM of the first moment we spoke
  service TEXT NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('watch', 'alert', 'major')),
  state TEXT NOT NULL CHECK (state IN ('firing', 'resolved')),
  onset_at TEXT NOT NULL,        -- inferred start of the trouble; hindsight of minutes
  watch_at TEXT NOT NULL,
  fired_at TEXT,                 -- when we said so; NULL for a mere watch
  updated_at TEXT NOT NULL,
  ended_at TEXT,
  estimate TEXT NOT NULL,        -- JSON: people, expected, return_period_months, score, sources ...
  evidence TEXT NOT NULL,        -- JSON: quoted posts
  cause TEXT,                    -- the service that explains this one
  official TEXT,                 -- JSON: the provider's page when we spoke
  reopened INTEGER NOT NULL
) STRICT;
CREATE INDEX alerts_service ON alerts (service, watch_at);
CREATE INDEX alerts_state ON alerts (state, watch_at);

CREATE TABLE alert_changes (
  -- What happened to an alert, in order.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_key TEXT NOT NULL REFERENCES alerts (key),
  at TEXT NOT NULL,
  reason TEXT NOT NULL,          -- opened, raised, updated, acknowledged, resolved, reopened ...
  level TEXT NOT NULL,
  state TEXT NOT NULL,
  estimate TEXT NOT NULL,
  official TEXT
) STRICT;
CREATE INDEX alert_changes_alert ON alert_changes (alert_key, sequence);

CREATE TABLE notifications (
  -- The outbox: one message owed to one receiver, written with the change that caused it and sent afterwards.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,       -- alert-key/receiver/sequence
  alert_key TEXT NOT NULL,
  receiver TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL,
  attempts INTEGER NOT NULL,     -- tries begun; with sent_at NULL and failed NULL, a try whose end nobody saw
  next_try_at TEXT,
  sent_at TEXT,                  -- set only after a confirmed reply
  dead_at TEXT,                  -- given up: the dead letters
  failed TEXT,                   -- the last error
  reference TEXT,                -- the channel's own name of the message, for edits
  alert TEXT NOT NULL            -- JSON: the alert as it was then
) STRICT;
CREATE INDEX notifications_owed ON notifications (receiver, sequence) WHERE sent_at IS NULL AND dead_at IS NULL;
CREATE INDEX notifications_alert ON notifications (alert_key, receiver);

CREATE TABLE decisions (
  -- Why somebody was, or was not, told.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_key TEXT NOT NULL,
  receiver TEXT NOT NULL,
  reason TEXT NOT NULL,
  told INTEGER NOT NULL,
  at TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_alert ON decisions (alert_key, sequence);

CREATE TABLE incidents (
  -- The official record. first_posted_at and first_seen_at stay as first read: pages are edited afterwards.
  service TEXT NOT NULL,
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  impact TEXT,
  first_posted_at TEXT NOT NULL, -- when the provider first spoke
  first_seen_at TEXT NOT NULL,   -- when we first read it
  stated_start TEXT,             -- what they said later; never used for lead
  resolved_at TEXT,
  components TEXT NOT NULL,      -- JSON: names
  url TEXT,
  maintenance INTEGER NOT NULL,
  PRIMARY KEY (service, id)
) STRICT;
CREATE INDEX incidents_posted ON incidents (service, first_posted_at);

CREATE TABLE incident_updates (
  service TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  at TEXT NOT NULL,
  status TEXT NOT NULL,
  text TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  PRIMARY KEY (service, incident_id, at, status),
  FOREIGN KEY (service, incident_id) REFERENCES incidents (service, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE status_readings (
  -- What a page showed, one row for as long as it showed the same: from from_at, last read at last_at.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  from_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT NOT NULL,
  incidents TEXT NOT NULL        -- JSON: ids of the incidents shown as open
) STRICT;
CREATE INDEX status_readings_service ON status_readings (service, from_at);

CREATE TABLE coverage (
  -- What we could hear of each source, and what not; spans of one state that touch are one row.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  from_at TEXT NOT NULL,
  to_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ok', 'stale', 'gap', 'failing')),
  note TEXT NOT NULL,
  lower_bound INTEGER            -- at least so many posts were missed
) STRICT;
CREATE INDEX coverage_source ON coverage (source, to_at);

CREATE TABLE cursors (
  -- Where each collector goes on; moved in the transaction that stores the posts.
  source TEXT PRIMARY KEY,
  cursor TEXT,
  polled_at TEXT NOT NULL
) STRICT;

CREATE TABLE counters (
  -- accepted + duplicate + rejected = everything a source brought.
  source TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'duplicate', 'rejected')),
  reason TEXT NOT NULL,          -- why rejected, else empty
  total INTEGER NOT NULL,
  PRIMARY KEY (source, outcome, reason)
) STRICT;

CREATE TABLE checkpoints (
  -- The pipeline's whole state as JSON, after taking in every judgement up to sequence. The last two are kept.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sequence INTEGER NOT NULL,
  at TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE silences (
  id TEXT PRIMARY KEY,
  service TEXT NOT NULL,         -- "*" means all
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  comment TEXT NOT NULL
) STRICT;

CREATE TABLE feedback (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_key TEXT NOT NULL REFERENCES alerts (key),
  real INTEGER NOT NULL,         -- 1: it was an outage, 0: it was not
  at TEXT NOT NULL,
  comment TEXT NOT NULL
) STRICT;

CREATE TABLE hourly (
  -- Totals by hour, kept when texts are gone.
  service TEXT NOT NULL,
  source TEXT NOT NULL,
  hour TEXT NOT NULL,            -- its first moment
  mentions INTEGER NOT NULL,
  complaints REAL NOT NULL,      -- sum of p(complaint) + p(report)
  people INTEGER NOT NULL,       -- distinct authors who more likely than not spoke of a present failure
  PRIMARY KEY (service, hour, source)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_alerts_readable AS
SELECT key, service, level, state, fired_at, ended_at,
  round((julianday(coalesce(ended_at, updated_at)) - julianday(onset_at)) * 1440) AS minutes,
  json_extract(estimate, '$.people') AS people, json_extract(estimate, '$.expected') AS expected,
  json_extract(estimate, '$.window_minutes') AS window_minutes,
  json_extract(estimate, '$.return_period_months') AS return_period_months,
  json_extract(official, '$.state') AS official_page_then, cause,
  (SELECT count(*) FROM notifications n WHERE n.alert_key = alerts.key AND n.sent_at IS NOT NULL) AS messages_sent
FROM alerts ORDER BY watch_at DESC;

CREATE VIEW v_complaints_readable AS
SELECT j.seen_at, j.service, j.source, p.text, p.url, round(j.complaint + j.report, 3) AS p_now, m.matched, j.classifier
FROM judgements j
JOIN posts p ON p.source = j.source AND p.id = j.post_id
JOIN mentions m ON m.source = j.source AND m.post_id = j.post_id AND m.service = j.service
WHERE j.complaint + j.report >= 0.5 ORDER BY j.seen_at DESC;

CREATE VIEW v_outbox_readable AS
SELECT id, receiver, reason, created_at, attempts, next_try_at, failed,
  CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN dead_at IS NOT NULL THEN 'given up' ELSE 'owed' END AS outcome
FROM notifications ORDER BY sequence DESC;

CREATE VIEW v_sources_readable AS
SELECT source, sum(total) AS received,
  sum(total) FILTER (WHERE outcome = 'accepted') AS accepted,
  sum(total) FILTER (WHERE outcome = 'duplicate') AS duplicate,
  sum(total) FILTER (WHERE outcome = 'rejected') AS rejected,
  (SELECT polled_at FROM cursors c WHERE c.source = counters.source) AS polled_at
FROM counters GROUP BY source ORDER BY source;
"""

# Set, with judged_at NULL: counted by an estimate when there was more to judge than time; judged later, not counted
# again. Appended by ALTER TABLE, which keeps no comment.
_WEIGHED = """
ALTER TABLE posts ADD COLUMN weighed_at TEXT;
CREATE INDEX posts_estimated ON posts (seen_at, source, id) WHERE judged_at IS NULL AND weighed_at IS NOT NULL;
"""


_ANSWERS = """
CREATE TABLE answers (
  -- What people answered to a message, by its buttons. True and false stand in feedback too, a silence in silences.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,       -- the same for the same press
  alert_key TEXT NOT NULL REFERENCES alerts (key),
  receiver TEXT NOT NULL,
  said TEXT NOT NULL CHECK (said IN ('real', 'false', 'silence', 'not_ours')),
  by TEXT NOT NULL,              -- a colleague's name, as the channel gave it
  at TEXT NOT NULL
) STRICT;
CREATE INDEX answers_alert ON answers (alert_key, sequence);
"""


# Every step from an empty file to the schema of this release, in order; the names stand in `_sqlite_migrations`.
_STEPS = (("first_tables", _TABLES), ("posts_weighed_by_estimate", _WEIGHED), ("answers_of_people", _ANSWERS))


def migrations() -> Migrations:
    """Every step from an empty file to the schema of this release, in order."""
    # Imported here: it takes a quarter of a second that a reader, and a daemon with nothing to upgrade, need not spend.
    from sqlite_utils import Migrations

    steps = Migrations(MIGRATION_SET)
    for name, script in _STEPS:
        steps(name=name)(_step(script))
    return steps


def _step(script: str) -> Callable[[Database], None]:
    def apply(db: Database) -> None:
        for statement in statements(script):
            db.conn.execute(statement)

    return apply


def lacks_steps(conn: sqlite3.Connection) -> bool:
    """Whether a database of ours is of an earlier release."""
    return not {name for name, _ in _STEPS} <= _applied(conn)


def _applied(conn: sqlite3.Connection) -> set[str]:
    chosen = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
    return {row[0] for row in conn.execute(chosen, (MIGRATION_SET,))}


def statements(script: str) -> list[str]:
    """Cut a script into its statements; `executescript` would commit the open transaction.

    >>> statements("CREATE TABLE a (x); CREATE TABLE b (y /* ; */);")
    ['CREATE TABLE a (x);', 'CREATE TABLE b (y /* ; */);']
    """
    found, start = [], 0
    for end, letter in enumerate(script, 1):
        if letter == ";" and sqlite3.complete_statement(script[start:end]):
            found.append(script[start:end].strip())
            start = end
    return found


def judge_schema(conn: sqlite3.Connection, path: str) -> bool:
    """Whether the file already holds our tables; False for an empty one.

    Raises:
        StoreError: it is another program's database, or was written by a newer release.
    """
    application = conn.execute("PRAGMA application_id").fetchone()[0]
    tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and application == 0:
        return False
    if application != APPLICATION_ID or "_sqlite_migrations" not in tables:
        raise StoreError(f"{path}: a database of another program; name another file for ours")
    if newer := sorted(_applied(conn) - {name for name, _ in _STEPS}):
        raise StoreError(
            f"{path}: written by a newer detector (schema {', '.join(newer)}); upgrade the program, or move the file "
            "aside to begin anew"
        )
    return True
