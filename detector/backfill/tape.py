"""What detectors said, written down while a bucket is weighed and played back to one pipeline for all services.

A detector depends on nothing but its own service's posts, so buckets can be weighed apart. What an alert becomes
depends on other services too (a failing host, a bystander), so the lifecycle runs once, over all tapes in order.
`weighing` writes a tape; `Player`, a detector of the usual protocol, repeats it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from detector.domain import Coverage, Judgement
from detector.protocols import Signal

_LENGTH = struct.Struct("<I")


class Said(msgspec.Struct, array_like=True, frozen=True):
    """What one detector said at one moment, or a judgement that the lifecycle may want to see.

    Attributes:
        at: of the moment: a whole minute that passed, or the `seen_at` of the judgement's post.
        judgement: None where time alone passed.
    """

    at: datetime
    service: str
    signals: tuple[Signal, ...] = ()
    judgement: Judgement | None = None

    @property
    def order(self) -> tuple[datetime, int, str, str, str]:
        """Time passes before posts of the same moment, by service; posts come in their order."""
        if self.judgement is None:
            return (self.at, 0, "", "", self.service)
        post = self.judgement.mention.post
        return (self.at, 1, post.source, post.id, self.service)


class Tape:
    """Writes what is said to a file, which appears when it is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.with_name(f".{path.name}.{id(self):x}")
        self._encode = msgspec.msgpack.Encoder().encode
        self._sink: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._sink = self._draft.open("wb")
        return self

    def write(self, said: Said) -> None:
        """Add one; they come in order."""
        if self._sink is not None:
            frame = self._encode(said)
            self._sink.write(_LENGTH.pack(len(frame)))
            self._sink.write(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is not None:
            self._sink.close()
        if kind is None:
            self._draft.replace(self.path)
        else:
            self._draft.unlink(missing_ok=True)


def played(path: Path) -> Iterator[Said]:
    """A tape from its beginning."""
    decode = msgspec.msgpack.Decoder(Said).decode
    with path.open("rb") as source:
        while head := source.read(_LENGTH.size):
            yield decode(source.read(_LENGTH.unpack(head)[0]))


def together(paths: Iterable[Path]) -> Iterator[Said]:
    """All tapes as one, in order."""
    return merge(*(played(path) for path in paths), key=lambda said: said.order)


class Player:
    """Repeats what a detector said; see `detector.protocols.Detector`."""

    learning = False

    def __init__(self) -> None:
        self._times: deque[Signal] = deque()
        self._posts: deque[tuple[Signal, ...]] = deque()

    def cue(self, said: Said) -> None:
        """Have this said when its moment comes."""
        if said.judgement is None:
            self._times.extend(said.signals)
        else:
            self._posts.append(said.signals)

    def observe(self, judgement: Judgement) -> Sequence[Signal]:  # noqa: ARG002 - judgements come in the tape's order
        """What was said to the next judgement."""
        return self._posts.popleft()

    def advance(self, now: datetime) -> Sequence[Signal]:
        """What was said until now as time passed."""
        found = []
        while self._times and self._times[0].at <= now:
            found.append(self._times.popleft())
        return found

    def hear(self, coverage: Coverage) -> None:
        """An archive tells of no gaps."""

    def dump(self) -> dict[str, Any]:
        """Nothing that could be kept."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""
