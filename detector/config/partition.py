"""A daemon's share of the services, where one machine is not enough: `2/4` is the second of four.

A partition owns the services whose stable hash falls to it, judges posts about them alone, reads their status pages
and has a database of its own. Who owns what depends on the slug and the number of partitions only. What one partition
hears explains nothing to another: a service whose host is another's is told as failing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

VARIABLE = "DETECTOR_PARTITION"
"""Takes the place of `watch.partition`, so that one settings file serves all partitions."""

_WRITTEN = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Partition:
    """Number `number` of `total`, from 1.

    >>> four = [Partition(number, 4) for number in (1, 2, 3, 4)]
    >>> [str(each) for each in four if each.owns("slack")]
    ['3/4']
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Partition:
        """As it is written in settings.

        Raises:
            ValueError: it is none; the message says what to write.

        >>> Partition.parse("2/4")
        Partition(number=2, total=4)
        """
        found = _WRITTEN.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f'{text!r} is no partition; write "2/4" for the second of four')
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, setting: str | None, env: Mapping[str, str]) -> Partition | None:
        """The variable's, or else the setting's; None is the whole.

        Raises:
            ValueError: it cannot be read.
        """
        text = (env[VARIABLE].strip() if VARIABLE in env else "") or setting
        return cls.parse(text) if text else None

    def owns(self, service: str) -> bool:
        """Whether a service is its own: the same on every machine and in every version of Python."""
        return crc32(service.encode()) % self.total == self.number - 1

    def file(self, path: Path) -> Path:
        """Its database, beside that of the whole.

        >>> Partition(2, 4).file(Path("var/detector.db")).as_posix()
        'var/detector-2of4.db'
        """
        return path.with_name(f"{path.stem}-{self.number}of{self.total}{path.suffix}")

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"
