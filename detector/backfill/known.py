"""Judgements that were made before: looked up by the post's key, its text, and how it names the service.

Held as two arrays, 48 bytes a judgement; the classifier is the same for all (`cache.siblings` sees to it).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.backfill.rows import mention_hash, read_columns
from detector.domain import Mention, Probabilities

_P = tuple(f"p{label}" for label in range(5))


class Known:
    """Judgements by mention.

    Args:
        paths: files of judged rows; one that cannot be read is left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        import pyarrow as pa

        marks, values = [], []
        for path in paths:
            try:
                mark, *p = read_columns(path, ("mention", *_P))
            except (OSError, pa.ArrowException, KeyError):
                continue
            marks.append(mark)
            values.append(np.stack(p, axis=1))
        whole = np.concatenate(marks) if marks else np.zeros(0, dtype=np.int64)
        self._marks, first = np.unique(whole, return_index=True)
        self._values = np.concatenate(values)[first] if values else np.zeros((0, 5))

    def __len__(self) -> int:
        return len(self._marks)

    def find(self, mentions: Sequence[Mention]) -> list[Probabilities | None]:
        """What each mention was judged to be; None where it was not."""
        if not len(self) or not mentions:
            return [None] * len(mentions)
        marks = np.array([mention_hash(mention) for mention in mentions], dtype=np.int64)
        place = np.searchsorted(self._marks, marks).clip(max=len(self) - 1)
        hit = (self._marks[place] == marks).tolist()
        rows = self._values[place].tolist()
        return [Probabilities(*row) if found else None for found, row in zip(hit, rows, strict=True)]
