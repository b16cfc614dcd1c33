"""A real Redis on a port of loopback, started and ended by a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed: apt-get install redis-server"
)


class Server:
    """A server; `end` and `begin` are what a restart is."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.more = folder, more
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Start, and wait until it says that it is ready."""
        log = subprocess.PIPE
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
                *("--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.more),
            ],
            stdout=log,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise AssertionError("redis-server ended before it was ready")

    def end(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def redis_server(folder: Path, *more: str) -> Iterator[Server]:
    """A server that runs while the block does."""
    server = Server(folder, *more)
    server.begin()
    try:
        yield server
    finally:
        server.end()
