"""Feeds are parsed in a process that may be killed: whatever a feed does, only that feed is lost.

The process starts with the first feed, stays, and is replaced after trouble and after some thousands of jobs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from detector.errors import Hostile, Temporary


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, plain text only.

    Attributes:
        published: Unix seconds, None where the entry has no date.
        author: as the feed names them; hash it before it goes anywhere.
    """

    id: str = ""
    url: str = ""
    title: str = ""
    text: str = ""
    author: str = ""
    published: float | None = None
    reply_to: str = ""


class ParsedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker found; `skipped` entries were beyond the limit."""

    entries: tuple[FeedEntry, ...] = ()
    skipped: int = 0


class _Answer(msgspec.Struct):
    entries: tuple[FeedEntry, ...] = ()
    skipped: int = 0
    refused: str | None = None


_DECODER = msgspec.msgpack.Decoder(_Answer)
_MAX_ANSWER = 64 * 1024 * 1024


class ParseWorker:
    """A lazily started, killable feed parser, shared by all feed collectors; jobs wait for each other.

    Args:
        wall_seconds: how long a job may take by the clock (its CPU limit of 2 s is the child's own).
        max_jobs: after so many jobs a fresh process takes over, so that no leak grows.
    """

    def __init__(self, *, wall_seconds: float = 10.0, max_jobs: int = 2000) -> None:
        self._wall = wall_seconds
        self._max_jobs = max_jobs
        self._process: asyncio.subprocess.Process | None = None
        self._lock: asyncio.Lock | None = None
        self._jobs = 0
        self.restarts = 0

    async def parse_feed(self, body: bytes, content_type: str = "") -> ParsedFeed:
        """Parse one feed's bytes.

        Raises:
            Hostile: it is no feed, breaks a limit, or cost the process its life.
            Temporary: the worker cannot be started.
        """
        job = msgspec.msgpack.encode({"body": body, "content_type": content_type})
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            answer = await self._ask(job)
        if answer.refused is not None:
            raise Hostile(answer.refused)
        return ParsedFeed(entries=answer.entries, skipped=answer.skipped)

    async def aclose(self) -> None:
        """End the process; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        # Waiting for the pipes too leaves no transport behind for a closed loop to complain about.
        with suppress(OSError, ValueError):
            await process.communicate()

    async def _ask(self, job: bytes) -> _Answer:
        if self._jobs >= self._max_jobs:
            await self.aclose()
        process = await self._running()
        self._jobs += 1
        finished = False
        try:
            async with asyncio.timeout(self._wall):
                reply = await _exchange(process, job)
            answer = _DECODER.decode(reply)
            finished = True
        except TimeoutError as error:
            raise Hostile(f"the feed was not read within {self._wall:g} s, dropped") from error
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError, ValueError) as error:
            raise Hostile("the feed cost its parser more than 2 s or 400 MiB, dropped") from error
        finally:
            # Also when we are cancelled in the middle: half a frame in the pipe would garble the next job.
            if not finished:
                self.restarts += 1
                await self.aclose()
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        root = str(Path(__file__).resolve().parents[2])
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "detector.transport.parse_main",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(root),
            )
        except OSError as error:
            raise Temporary(f"the feed parser cannot be started ({error})") from error
        self._jobs = 0
        return self._process


async def _exchange(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a worker without pipes")
    process.stdin.write(len(job).to_bytes(4, "big") + job)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(4), "big")
    if size > _MAX_ANSWER:
        raise ValueError("an answer larger than any feed")
    return await process.stdout.readexactly(size)


def _environment(root: str) -> dict[str, Any]:
    """Next to nothing: the child needs no secret and must not inherit one."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
