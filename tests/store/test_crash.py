"""F1, F6: killed at any instant or out of space, what was acknowledged is there and the file is whole."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from detector.store import Store
from tests.store.builders import NOON

CYCLES = 20
ROOT = Path(__file__).parents[2]

# Takes posts in and records a step for each, and says so only afterwards: that is the acknowledgement.
WRITER = """
import sys
from detector.domain import Reason
from detector.store import Store
from tests.store.builders import NOON, make_alert, make_judgement, make_notification, make_post, minute
store = Store.open(sys.argv[1], now=NOON)
number = int(sys.argv[2])
print("open", flush=True)
while True:
    number += 1
    posts = store.add_posts("s", [make_post(number * 100 + n, at=number) for n in range(20)], str(number), now=NOON)
    print("posts", number, flush=True)
    alert = make_alert(f"claude-{number}", posts=posts[:1])
    store.record(now=minute(number), judged=posts, judgements=[make_judgement(post) for post in posts],
                 alerts=[(alert, Reason.OPENED)], notifications=[make_notification(alert=alert)],
                 checkpoint={"number": number})
    print("step", number, flush=True)
"""


def test_f1_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """kill -9 at a random moment, 20 times on one database; then every promise is checked."""
    path = tmp_path / "detector.db"
    luck = random.Random(1)
    posts, steps = set[int](), set[int]()
    for cycle in range(CYCLES):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(cycle * 1000)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        lines += [child.stdout.readline() for _ in range(luck.randrange(0, 40))]
        child.send_signal(signal.SIGKILL)
        rest, errors = child.communicate(timeout=30)
        assert lines[0] == "open\n", errors
        for line in [*lines, *rest.splitlines(keepends=True)]:
            # The last line may have been cut in the middle.
            if line.endswith("\n") and " " in line:
                kind, number = line.split()
                (posts if kind == "posts" else steps).add(int(number))

    with Store.open(path, now=NOON) as store:
        assert store._conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        stored = {int(post.id) // 100 for post in store.read.posts(limit=10**6)}
        counts = dict.fromkeys(stored, 0)
        for post in store.read.posts(limit=10**6):
            counts[int(post.id) // 100] += 1
        alerts = {int(alert.key.split("-")[1]) for alert in store.read.alerts(limit=10**6)}
        owed = {int(one.alert.key.split("-")[1]) for one in store.outbox.due(NOON.replace(year=2030), limit=10**6)}
        pending = {int(post.id) // 100 for post in store.pending_posts()}
        checkpoint = store.latest_checkpoint()
        (source,) = store.read.sources()

    assert len(steps) > CYCLES
    assert posts <= stored
    assert set(counts.values()) == {20}
    assert steps <= alerts
    assert alerts == owed == stored - pending
    assert source.accepted == 20 * len(stored)
    assert checkpoint is not None
    assert checkpoint.state["number"] == max(alerts)


def test_f6_a_full_disk_is_an_error_and_the_database_is_fine_afterwards(tmp_path: Path) -> None:
    """The system refuses to let any file grow; with room again, the same store goes on."""
    path = tmp_path / "detector.db"
    code = """
import json, resource, sys
from detector.errors import StoreError
from detector.store import Store
from tests.store.builders import NOON, make_post
store = Store.open(sys.argv[1], now=NOON)
store.add_posts("s", [make_post(n) for n in range(50)], "a", now=NOON)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
errors, accepted = [], 0
for batch in range(1, 30):
    try:
        accepted += len(store.add_posts("s", [make_post(batch * 1000 + n) for n in range(200)], str(batch), now=NOON))
    except StoreError as error:
        errors.append(str(error))
cursor = store.read.cursor("s")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
after = len(store.add_posts("s", [make_post(90_000 + n) for n in range(200)], "z", now=NOON))
store.close()
print(json.dumps({"errors": errors, "accepted": accepted, "after": after, "cursor": cursor}))
"""

    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )

    told = json.loads(ended.stdout or "{}")
    assert told, ended.stderr
    assert told["errors"]
    assert all("disk" in error and str(path) in error for error in told["errors"])
    assert told["after"] == 200
    with sqlite3.connect(path) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert conn.execute("SELECT count(*) FROM posts").fetchone()[0] == 50 + told["accepted"] + 200
    conn.close()
    assert told["cursor"] == (str(told["accepted"] // 200) if told["accepted"] else "a")
