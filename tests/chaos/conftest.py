"""What the chaos tests share: a process to fork daemons from, and a table of what was tried."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.parts import tier

ROOT = Path(__file__).parents[2]
_ROWS: list[tuple[str, str, str]] = []


class Nursery:
    """Forks daemons; see `zygote`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        self._alive: set[int] = set()

    def fork(self, job: str, folder: Path, **order: Any) -> int:
        """Start a job; returns its process id."""
        pid = int(self._ask({"do": "fork", "job": job, "folder": str(folder), **order})["pid"])
        self._alive.add(pid)
        return pid

    def wait(self, pid: int) -> int:
        """Its exit code; minus the signal that ended it."""
        status = int(self._ask({"do": "wait", "pid": pid})["status"])
        self._alive.discard(pid)
        return status

    def kill(self, pid: int) -> int:
        """SIGKILL, to it and to what it started."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        code = self.wait(pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return code

    def run(self, job: str, folder: Path, **order: Any) -> int:
        """Start a job and wait for its end."""
        return self.wait(self.fork(job, folder, **order))

    def close(self) -> None:
        """No more; what a failed test left running ends too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for pid in sorted(self._alive):
            self.kill(pid)
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the zygote died"
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def table() -> list[tuple[str, str, str]]:
    """Rows of the report: what was done to it, how often, what came of it."""
    return _ROWS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of `make chaos`."""
    if not _ROWS:
        return
    terminalreporter.write_line("")
    terminalreporter.write_line(f"chaos, tier {tier()}")
    widths = [max(len(row[column]) for row in [("fault", "runs", "result"), *_ROWS]) for column in range(2)]
    for fault, runs, result in [("fault", "runs", "result"), *_ROWS]:
        terminalreporter.write_line(f"{fault:<{widths[0]}}  {runs:>{widths[1]}}  {result}")
