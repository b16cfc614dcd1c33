"""The long tier takes hours: what is done is written down, and a later sitting goes on from it.

One JSON line for each part (a database's life under `kill -9`, some hundred runs of the state machine) in
`build/chaos-long/`: seed, commit, when it ended, the figures. What was wrong stays in the record and is done again.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detector.app.clock import system_now
from detector.domain import format_time
from tests.chaos.parts import PROGRESS

ROOT = Path(__file__).parents[2]
_WRITING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One part that ended.

    Attributes:
        seed: which part.
        task: what was done with this seed; another task's parts are not this one's.
        commit: what it was done to; with a "+" where files were changed since.
        ended_at: in UTC.
        right: whether all promises were kept.
        figures: what came of it.
    """

    seed: int
    task: str
    commit: str
    ended_at: str
    right: bool
    figures: dict[str, Any]


class Record:
    """The parts of one task, one line each.

    Args:
        path: need not be there yet.
        task: what is done with a seed, and how often.
    """

    def __init__(self, path: Path, task: str) -> None:
        self._path, self._task = path, task

    def entries(self) -> list[Entry]:
        """All that was written of this task, in order."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        return [each for each in (Entry(**json.loads(line)) for line in lines) if each.task == self._task]

    def finished(self) -> dict[int, dict[str, Any]]:
        """The figures of what need not be done again, by seed."""
        return {each.seed: each.figures for each in self.entries() if each.right}

    def add(self, seed: int, figures: dict[str, Any], *, right: bool) -> None:
        """Write one down."""
        entry = Entry(
            seed=seed, task=self._task, commit=commit(), ended_at=format_time(system_now()), right=right,
            figures=figures,
        )  # fmt: skip
        with _WRITING:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(entry)) + "\n")

    def words(self) -> str:
        """Of which commits the finished parts are, when they ended; how many were wrong and done again."""
        done = {each.seed: each for each in self.entries() if each.right}.values()
        commits = ", ".join(f"{name} ({n})" for name, n in Counter(each.commit for each in done).items())
        ends = sorted(each.ended_at[:16] for each in done)
        span = f", {ends[0]} to {ends[-1]}" if ends else ""
        return f"parts of {commits or 'none'}{span}; {sum(not each.right for each in self.entries())} wrong"


def record(name: str, task: str) -> Record:
    """The record of a task of the long tier."""
    return Record(PROGRESS.parent / "chaos-long" / f"{name}.jsonl", task)


def commit() -> str:
    """What is checked out."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name}+" if name and _git("status", "--porcelain", "detector", "tests/chaos") else name or "no repository"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
