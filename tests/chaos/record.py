"""The long tier's kills take an hour or more: what a life came to is written down, and a later sitting goes on from it.

One JSON line a life in `build/chaos-long/kills.jsonl`: seed, commit, when it ended, the figures. A life that was wrong
stays in the record and is lived again.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from detector.app.clock import system_now
from detector.domain import format_time
from tests.chaos.lives import Life

ROOT = Path(__file__).parents[2]
_WRITING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Entry:
    """One life that ended.

    Attributes:
        commit: what was lived through; with a "+" where files were changed since.
        ended_at: in UTC.
    """

    seed: int
    commit: str
    ended_at: str
    life: Life


class Record:
    """Lives of a file, one a line.

    Args:
        path: need not be there yet.
        cycles: kills of a life; one with another number of them is another test's.
    """

    def __init__(self, path: Path, cycles: int) -> None:
        self._path, self._cycles = path, cycles

    def entries(self) -> list[Entry]:
        """Everything that was written, in order."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        return [Entry(**{**row, "life": Life(**row["life"])}) for row in map(json.loads, lines)]

    def finished(self) -> dict[int, Entry]:
        """The lives that need not be lived again, by seed."""
        return {each.seed: each for each in self.entries() if each.life.kills == self._cycles and each.life.right}

    def add(self, seed: int, life: Life) -> None:
        """Write one down."""
        line = json.dumps(asdict(Entry(seed=seed, commit=commit(), ended_at=format_time(system_now()), life=life)))
        with _WRITING:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as out:
                out.write(line + "\n")

    def words(self) -> str:
        """Of which commits the finished lives are, on which days; how many were wrong and lived again."""
        done = self.finished().values()
        of = Counter(each.commit for each in done)
        days = sorted({each.ended_at[:10] for each in done})
        wrong = sum(not each.life.right for each in self.entries())
        lives = ", ".join(f"{name} ({count})" for name, count in of.items())
        return f"lives of {lives or 'none'}, {' to '.join(dict.fromkeys([*days[:1], *days[-1:]]))}; {wrong} wrong"


def commit() -> str:
    """What is checked out."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name}+" if name and _git("status", "--porcelain", "detector", "tests/chaos") else name or "no repository"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
