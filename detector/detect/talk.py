"""Many judged mentions of one service as columns, and the protocol of a detector that takes them so.

A replay of judged rows hands a detector columns instead of objects: of a service's mentions few are a voice, and the
rest only move its counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Judged mentions of one service as columns, in `Post.order`.

    Attributes:
        known, written: `seen_at` and `created_at` of the posts, as `domain.to_minutes` has them.
        complaint, now, report: probabilities.
        source, official: of the posts.
    """

    known: Sequence[float]
    written: Sequence[float]
    complaint: Sequence[float]
    now: Sequence[float]
    report: Sequence[float]
    source: Sequence[str]
    official: Sequence[bool]


@runtime_checkable
class Skims(Protocol):
    """A detector that can take many mentions at once as long as it has nothing to say; not every detector must."""

    def skim(self, talk: Talk) -> Iterator[int]:
        """Take the mentions in order as `observe` would, but for those at the yielded places.

        Before the iterator is asked to go on, the caller lets time pass and has the mention at that place observed.
        """
