"""On Ray, on one node or two, whole or killed in the middle: the bytes are those of one process.

The tests of two nodes are behind `RAY=1` (`make ray`): each starts a cluster of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from detector import __version__
from detector.backfill.engines import BackfillError, Beat, Engine, engine
from detector.backfill.job import Part, parts
from detector.backfill.local import Single
from detector.backfill.ray_engine import Clerk
from detector.errors import ArtifactError, UsageError
from tests.backfill import made
from tests.backfill.test_engines import run, several

HERE = importlib.util.find_spec("ray") is not None
ray_is_here = pytest.mark.skipif(not HERE, reason="ray is not installed: pip install 'ray>=2.50,<3'")
two_nodes = pytest.mark.skipif(os.environ.get("RAY") != "1", reason="starts clusters: RAY=1, or make ray")
pytestmark = [
    pytest.mark.slow,
    # Ray's own: it looks for accelerators and leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Engine]:
    """Ray on this machine with two workers, started once for all tests here."""
    runner = engine("ray", workers=2)
    yield runner
    runner.close()


def killer(times: int) -> Callable[[Beat], None]:
    """Kills an actor at each of the first reports of work done."""
    killed: list[int] = []

    def report(beat: Beat) -> None:
        if len(killed) < times and (beat.size or beat.rows):
            actors = [one.pid for one in psutil.Process().children(recursive=True) if _is_actor(one)]
            for pid in [pid for pid in actors if pid not in killed][:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    report.killed = killed  # type: ignore[attr-defined]
    return report


def _is_actor(process: psutil.Process) -> bool:
    try:
        return "ray::Clerk" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@ray_is_here
def test_ray_writes_what_one_process_and_one_pipeline_write(tmp_path: Path, on_ray: Engine) -> None:
    """Judged by actors in stripes, weighed by actors in buckets: the same bytes."""
    path = made.write(tmp_path / "social.jsonl", made.lines())

    done = made.written(run(made.job(tmp_path), [path], on_ray, stripes=3))

    assert done == made.written(run(made.job(tmp_path), [path], Single()))
    assert done == made.written(made.by_one_pipeline([path]))


@ray_is_here
def test_an_actor_that_is_killed_costs_nothing(tmp_path: Path, on_ray: Engine) -> None:
    """Actors killed while judging and while weighing are replaced, and the bytes stay."""
    paths = several(tmp_path)
    report = killer(2)

    done = run(made.job(tmp_path, segment_bytes=1), paths, on_ray, stripes=2, report=report)

    assert len(report.killed) == 2  # type: ignore[attr-defined]
    assert made.written(done) == made.written(run(made.job(tmp_path), paths, Single()))


@ray_is_here
def test_what_an_actor_raises_reaches_the_driver(tmp_path: Path, on_ray: Engine) -> None:
    """Another model on the node is an error of its own kind; a fault ends the run by the task's name."""
    path = made.write(tmp_path / "a.jsonl", made.lines()[-50:])
    cut = parts([path], [tmp_path / "rows"], [1])
    broken = Part(number=7, file=0, path=path, stripe=0, stripes=0, rows=tmp_path)  # no such stripe

    with pytest.raises(ArtifactError, match="give all workers the same models"):
        list(on_ray.run(replace(made.job(tmp_path), judged_by="truth@elsewhere"), cut, lambda beat: None))
    with pytest.raises(BackfillError, match=r"task 7 \(part\) failed 3 times.*--resume"):
        list(on_ray.run(made.job(tmp_path), [broken], lambda beat: None))


@ray_is_here
def test_a_cluster_without_room_is_said(tmp_path: Path, on_ray: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All processors are taken by somebody else: the run ends by name, and does not wait for ever."""
    ray = importlib.import_module("ray")
    on_ray.close_actors()  # type: ignore[attr-defined]
    holds = [ray.remote(num_cpus=1)(Clerk).remote() for _ in range(2)]
    ray.get([each.beat.remote() for each in holds])
    monkeypatch.setattr("detector.backfill.ray_engine._PATIENCE", 1.0)
    path = made.write(tmp_path / "a.jsonl", made.lines()[-50:])

    with pytest.raises(BackfillError, match=r"no free processor.*--resume"):
        list(on_ray.run(made.job(tmp_path), parts([path], [tmp_path / "rows"], [1]), lambda beat: None))
    for each in holds:
        ray.kill(each)


def test_a_node_that_lacks_something_says_what(tmp_path: Path) -> None:
    """Another version, or a disk that is not shared, is found before anything is judged."""
    clerk = Clerk()

    assert clerk.begin(str(tmp_path), __version__) == ""
    assert "put --out on storage that all nodes share" in clerk.begin(str(tmp_path / "elsewhere"), __version__)
    assert "install the same" in clerk.begin(str(tmp_path), "0.0.9")


def test_without_ray_the_command_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional; its absence is one line, not a traceback."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(UsageError, match=r"pip install 'ray>=2.50,<3'"):
        engine("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one processor each, as far as Ray can tell."""
    ray = importlib.import_module("ray")
    utils = importlib.import_module("ray.cluster_utils")
    ray.shutdown()  # of the tests above
    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    found = utils.Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    found.add_node(**node)
    monkeypatch.setenv("RAY_ADDRESS", found.address)
    yield found
    ray.shutdown()
    found.shutdown()


@ray_is_here
@two_nodes
def test_two_nodes_write_what_one_process_writes_and_one_may_leave(tmp_path: Path, cluster: Any) -> None:
    """The same bytes from two nodes, and from two of which one is lost with its work in the middle."""
    paths = several(tmp_path)
    alone = made.written(run(made.job(tmp_path), paths, Single()))
    runner = engine("ray")
    lost: list[str] = []

    def report(beat: Beat) -> None:
        if not lost and beat.size:
            lost.append("second")
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    try:
        assert runner.workers == 2
        assert made.written(run(made.job(tmp_path), paths, runner, stripes=2)) == alone
        after = run(made.job(tmp_path, segment_bytes=1), paths, runner, stripes=2, report=report)
    finally:
        runner.close()

    assert lost
    assert made.written(after) == alone


@ray_is_here
@two_nodes
def test_the_command_on_ray_writes_the_files_that_it_writes_alone(tmp_path: Path) -> None:
    """`detector backfill --engine ray` and `--engine single`, as a person runs them."""
    path = made.write(tmp_path / "social.jsonl", made.lines())
    texts = []
    for name in ("single", "ray"):
        out = tmp_path / name
        command = [sys.executable, "-m", "detector", "backfill", str(path), "--engine", name, "--workers", "2"]
        ended = subprocess.run([*command, "--out", str(out), "--no-cache", "--quiet"], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        texts.append([(out / part).read_bytes() for part in ("alerts.jsonl", "pairings.jsonl")])

    assert texts[0] == texts[1]
