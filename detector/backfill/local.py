"""Engines of this machine: one process, or one a core.

A worker is given one task at a time through its own pipe. One that dies takes nothing with it: its task goes to
another, which takes up behind the last finished segment.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Any

from detector.backfill.engines import TRIES, BackfillError, Beat, Report, Result
from detector.backfill.hand import Hand
from detector.backfill.job import Job, Task
from detector.errors import DetectorError

SMALL = 8 << 20
"""Archives of fewer bytes are not worth the start of processes: at the natural mix it takes as long as it saves."""

_BEAT_SECONDS = 0.25


class Single:
    """Everything in this process."""

    name, workers = "single", 1

    def run(self, job: Job, tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        """Do all tasks, one after another."""
        hand = Hand(job)
        for task in tasks:
            yield hand.do(task, report)

    def close(self) -> None:
        """Nothing to let go."""


class Local:
    """Worker processes of this machine."""

    name = "local"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._context = multiprocessing.get_context("spawn")
        self._staff: list[_Worker] = []

    def run(self, job: Job, tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        """Do all tasks, as many at a time as there are workers.

        Raises:
            BackfillError: a task was tried `TRIES` times and its worker died each time.
            DetectorError: what a worker raised on purpose.
        """
        waiting = deque((task, 1) for task in tasks)
        busy: dict[_Worker, tuple[Task, int]] = {}
        while waiting or busy:
            while waiting and len(busy) < self.workers:
                worker = next((one for one in self._staff if one not in busy and one.alive), None) or self._hire()
                busy[worker] = waiting.popleft()
                worker.give(job, busy[worker][0])
            ready = set(wait([handle for worker in busy for handle in worker.handles]))
            for worker in [one for one in busy if ready.intersection(one.handles)]:
                answer = worker.answer()
                if isinstance(answer, Beat):
                    report(answer)
                    continue
                task, tried = busy.pop(worker)
                if isinstance(answer, DetectorError):
                    raise answer
                if answer is not None and not isinstance(answer, str):
                    yield answer
                    continue
                if tried >= TRIES:
                    why = answer or "its worker died"
                    raise BackfillError(
                        f"task {task.number} ({type(task).__name__.lower()}) failed {tried} times: {why}; "
                        "what is finished is kept: repair the cause and go on with --resume"
                    )
                waiting.appendleft((task, tried + 1))

    def close(self) -> None:
        """End all workers."""
        for worker in self._staff:
            worker.end()
        self._staff.clear()

    def _hire(self) -> _Worker:
        self._staff = [worker for worker in self._staff if worker.alive]
        worker = _Worker(self._context)
        self._staff.append(worker)
        return worker


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, context: multiprocessing.context.SpawnContext) -> None:
        self._pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def handles(self) -> tuple[Any, ...]:
        return (self._pipe, self._process.sentinel)

    def give(self, job: Job, task: Task) -> None:
        with suppress(BrokenPipeError, ConnectionError):  # it died: `answer` will say so
            self._pipe.send((job, task))

    def answer(self) -> Result | Beat | DetectorError | str | None:
        """What came from the worker; None if it died, a text if it failed in an unforeseen way."""
        try:
            if self._pipe.poll():
                found: Result | Beat | DetectorError | str = self._pipe.recv()
                return found
        except (EOFError, OSError):
            pass
        return None

    def end(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def work(pipe: Connection) -> None:
    """What a worker process runs: tasks from the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver is told, and ends the workers
    hand: Hand | None = None
    since = monotonic()
    held = Beat()

    def report(beat: Beat) -> None:
        nonlocal since, held
        held = Beat(held.lines + beat.lines, held.size + beat.size, held.rows + beat.rows)
        if monotonic() - since >= _BEAT_SECONDS:
            pipe.send(held)
            since, held = monotonic(), Beat()

    with suppress(EOFError, OSError):
        while True:
            job, task = pipe.recv()
            if hand is None or hand.job != job:
                hand = Hand(job)
            try:
                found: Any = hand.do(task, report)
            except DetectorError as error:
                found = error
            except Exception as error:  # noqa: BLE001 - told to the driver, which tries again or gives up
                at = traceback.extract_tb(error.__traceback__)[-1]
                found = f"{error!r} at {at.filename}:{at.lineno}"
            pipe.send(held)
            held = Beat()
            pipe.send(found)
