"""Tasks of a backfill on Ray: actors that keep the model, on this machine or on a cluster.

The engine only hands out tasks and collects answers; what a task computes is `hand.py`'s affair, as for `local`. Rows
and tapes lie in files, so Ray's object store carries nothing but tasks and their small results.

- An actor is given one task at a time and only after it has answered `begin`, so a task never waits for an actor that
  finds no place on the cluster (a node that left took its place along).
- When an actor dies, alone or with its node, its task goes to another, which takes up behind the last finished
  segment; a new actor is asked for at the same time. After `TRIES` deaths the run ends and names the task.
- `RAY_ADDRESS` (as of any Ray program) names a cluster; without it a small one is started here for the run. Every
  node needs this package with the same models, and must see the archives and `--out` under the same paths.
"""

from __future__ import annotations

import importlib
import os
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

from detector import __version__
from detector.backfill.engines import TRIES, BackfillError, Beat, Engine, Report, Result
from detector.backfill.hand import Hand
from detector.backfill.job import Job, Task
from detector.errors import DetectorError, UsageError

PIP = "pip install 'ray>=2.50,<3'"

_STORE_BYTES = 80 << 20  # Ray's least is 75 MiB; ours carries tasks and results of a few kilobytes
_LOOK_SECONDS = 0.5
_PATIENCE = 300.0  # seconds without any actor, after which the cluster has no place for us
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told that we run
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # fifteen, else: beside anything else on the machine nothing would be done
}


def build(workers: int | None) -> Engine:
    """Connect to the cluster, or start one here.

    Args:
        workers: actors; None is one a processor of the cluster.

    Raises:
        UsageError: Ray is not installed, or the cluster does not answer.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray, which is not installed: {PIP}; or take --engine local") from error
    ours = not ray.is_initialized()
    if ours:
        address = os.environ.get("RAY_ADDRESS")
        own = {} if address else {"num_cpus": workers, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = f"the cluster at RAY_ADDRESS={address}" if address else "Ray on this machine"
            raise UsageError(f"{where} does not start or answer: {error}; see `ray status`") from error
    return RayEngine(ray, workers or int(ray.cluster_resources().get("CPU", 1)), ours=ours)


class RayEngine:
    """Actors of a Ray cluster; see `detector.backfill.engines.Engine`."""

    name = "ray"

    def __init__(self, ray: Any, workers: int, *, ours: bool) -> None:
        """Use a Ray that is initialised; `ours` says whether `close` shuts it down."""
        self.workers = workers
        self._ray, self._ours = ray, ours
        self._actor = ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"talk": 1})(Clerk)
        self._staff: list[Any] = []
        self._coming: dict[Any, Any] = {}

    def run(self, job: Job, tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        """Do all tasks, one at a time on each actor.

        Raises:
            BackfillError: a task was tried `TRIES` times in vain, or a node lacks something.
            DetectorError: what a worker raised on purpose.
        """
        job.folder.mkdir(parents=True, exist_ok=True)
        kept = self._ray.put(job)
        waiting = deque((task, 1) for task in tasks)
        idle = list(self._staff)
        busy: dict[Any, tuple[Any, Task, int]] = {}
        staffed = monotonic()
        while waiting or busy:
            staffed = monotonic() if self._staff else staffed
            if monotonic() - staffed > _PATIENCE:
                raise BackfillError(
                    f"none began within {_PATIENCE:.0f} s: the cluster has no free processor, or no actor starts; "
                    "see `ray status`, then go on with --resume"
                )
            while waiting and idle:
                actor, (task, tried) = idle.pop(), waiting.popleft()
                busy[actor.do.remote(kept, task)] = (actor, task, tried)
            self._hire(len(waiting) + len(busy), str(job.folder))
            ready, _ = self._ray.wait([*busy, *self._coming], num_returns=1, timeout=_LOOK_SECONDS)
            if not ready:
                self._ask(busy, report)
            for reference in ready:
                if reference in self._coming:
                    idle += self._come(reference)
                    continue
                actor, task, tried = busy.pop(reference)
                answer = self._answer(reference)
                if answer is None:
                    self._staff.remove(actor)
                else:
                    idle.append(actor)
                    if not isinstance(answer, str):
                        result, beat = answer
                        report(beat)
                        yield result
                        continue
                if tried >= TRIES:
                    raise BackfillError(
                        f"task {task.number} ({type(task).__name__.lower()}) failed {tried} times: "
                        f"{answer or 'its worker died'}; what is finished is kept: repair the cause and go on with "
                        "--resume"
                    )
                waiting.appendleft((task, tried + 1))

    def close(self) -> None:
        """Let the actors go; a Ray that we started ends."""
        self.close_actors()
        if self._ours:
            self._ray.shutdown()

    def close_actors(self) -> None:
        """Let the actors go, and with them their places on the cluster."""
        for actor in [*self._staff, *self._coming.values()] if self._ray.is_initialized() else ():
            self._ray.kill(actor)
        self._staff.clear()
        self._coming.clear()

    def _hire(self, wanted: int, folder: str) -> None:
        """Ask for as many actors as there are tasks, up to `workers`."""
        for _ in range(min(wanted, self.workers) - len(self._staff) - len(self._coming)):
            actor = self._actor.remote()
            self._coming[actor.begin.remote(folder, __version__)] = actor

    def _come(self, reference: Any) -> list[Any]:
        """The actor that has answered `begin`; nobody if it died before.

        Raises:
            BackfillError: its node lacks something.
        """
        actor = self._coming.pop(reference)
        try:
            missing = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            return []
        except self._ray.exceptions.RayTaskError as error:
            raise BackfillError(f"a node cannot run this package: {error.cause!r}; install it there") from error
        if missing:
            raise BackfillError(missing)
        self._staff.append(actor)
        return [actor]

    def _answer(self, reference: Any) -> tuple[Result, Beat] | str | None:
        """A result, a text of what went wrong, or None where the actor died.

        Raises:
            DetectorError: what it raised on purpose.
        """
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            return None
        except self._ray.exceptions.RayError as error:
            return str(error)
        if isinstance(found, DetectorError):
            raise found
        return found  # type: ignore[no-any-return]

    def _ask(self, busy: dict[Any, tuple[Any, Task, int]], report: Report) -> None:
        """Progress of those that are at work; who does not answer at once is asked another time."""
        asked = [actor.beat.options(concurrency_group="talk").remote() for actor, _, _ in busy.values()]
        for reference in self._ray.wait(asked, num_returns=len(asked), timeout=_LOOK_SECONDS)[0] if asked else ():
            try:
                report(self._ray.get(reference))
            except self._ray.exceptions.RayError:
                continue  # it died: its task says so, too


class Clerk:
    """What an actor is: a `Hand` that is kept, and a desk for questions while it works.

    Ray runs the calls of a concurrency group on a thread of their own: `do` on one, `beat` on the other.
    """

    def __init__(self) -> None:
        self._hand: Hand | None = None
        self._lock = threading.Lock()
        self._held = Beat()

    def begin(self, folder: str, version: str) -> str:
        """What this node lacks, in words; empty if nothing."""
        if version != __version__:
            return f"node {os.uname().nodename} has version {__version__}, the driver {version}; install the same"
        if not os.path.isdir(folder):  # noqa: PTH112 - a question of one call
            return f"node {os.uname().nodename} does not see {folder}; put --out on storage that all nodes share"
        return ""

    def do(self, job: Job, task: Task) -> tuple[Result, Beat] | DetectorError | str:
        """Do a task; gives back a text where it failed in an unforeseen way."""
        if self._hand is None or self._hand.job != job:
            self._hand = Hand(job)
        try:
            result = self._hand.do(task, self._note)
        except DetectorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - told to the driver, which tries again or gives up
            at = traceback.extract_tb(error.__traceback__)[-1]
            return f"{error!r} at {at.filename}:{at.lineno}"
        return result, self.beat()

    def beat(self) -> Beat:
        """What was done since the last question."""
        with self._lock:
            held, self._held = self._held, Beat()
        return held

    def _note(self, beat: Beat) -> None:
        with self._lock:
            held = self._held
            self._held = Beat(held.lines + beat.lines, held.size + beat.size, held.rows + beat.rows)
