"""A process that has imported everything and forks a daemon on demand: a start costs milliseconds, not seconds.

Speaks JSON lines: `{"do": "fork", "job": ..., ...}` answers `{"pid": n}`, `{"do": "wait", "pid": n}` its exit.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

# What a daemon imports with its first request and message.
WARM = (
    "anyio._backends._asyncio",
    "detector.transport.connect",
    "httpx2",
    "httpcore2",
    "slack_sdk.webhook",
    "truststore",
)


def main() -> None:
    """Serve until stdin ends."""
    for each in WARM:
        importlib.import_module(each)
    # A new database's upgrade tools import pandas where there is one: half a second of each child's, and never used.
    sys.modules["pandas"] = None  # type: ignore[assignment]
    importlib.import_module("sqlite_utils")
    del sys.modules["pandas"]
    from tests.chaos import jobs

    # Else the children's collector would touch, and so copy, every page of the parent's.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "fork":
            pid = os.fork()
            if pid == 0:
                _child(jobs.JOBS[order["job"]], order)
            answer = {"pid": pid}
        else:
            _, status = os.waitpid(order["pid"], 0)
            answer = {"pid": order["pid"], "status": os.waitstatus_to_exitcode(status)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _child(job: Any, order: dict[str, Any]) -> None:
    code = 1
    try:
        # Its own group: what it starts (the parser) can be ended with it.
        os.setpgid(0, 0)
        log = os.open(Path(order["folder"]) / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        asyncio.run(job(order))
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the child must not go on as the zygote
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
