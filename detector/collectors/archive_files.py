"""Opening archive files: plain, gzip or zstandard by their first bytes, cut into lines in bounded memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from detector.errors import BadArchiveError

MAX_LINE = 32 * 1024 * 1024
_READ = 64 * 1024
_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"

Trouble = Callable[[str, str], None]
Progress = Callable[[int], None]


def opened(path: str | os.PathLike[str]) -> Path:
    """The path, if it is a file with something in it.

    Raises:
        BadArchiveError: missing, a directory, unreadable or empty.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise BadArchiveError(f"{file} is a directory; name its files, for instance {file}/*.jsonl.gz")
        if not file.exists():
            raise BadArchiveError(f"{file} does not exist; check the path")
        with file.open("rb") as source:
            if not source.read(1):
                raise BadArchiveError(f"{file} is empty; was it downloaded or written to its end?")
    except OSError as error:
        raise BadArchiveError(f"{file} cannot be read: {error.strerror or error}") from error
    return file


def is_parquet(path: Path) -> bool:
    """Whether the file begins like Parquet."""
    with path.open("rb") as source:
        return source.read(4) == _PARQUET


def lines(path: Path, trouble: Trouble, progress: Progress | None = None) -> Iterator[bytes]:
    """The file's lines without their ends, decompressed; the last one may lack its end.

    Damage and over-long lines are told to `trouble(kind, why)` and reading goes on where it can.
    """
    rest: list[bytes] = []
    held = 0
    dropping = False
    for block in blocks(path, trouble, progress):
        pieces = block.split(b"\n")
        if len(pieces) > 1:
            if not dropping:
                yield b"".join([*rest, pieces[0]])
            yield from pieces[1:-1]
            rest, held, dropping = [], 0, False
        last = pieces[-1]
        if last and not dropping:
            rest.append(last)
            held += len(last)
            if held > MAX_LINE:
                trouble("line too long", f"more than {MAX_LINE:,} bytes")
                rest, dropping = [], True
    if rest and not dropping:
        yield b"".join(rest)


def blocks(path: Path, trouble: Trouble, progress: Progress | None = None) -> Iterator[bytes]:
    """The file's decompressed bytes in pieces."""
    with path.open("rb") as source:
        magic = source.read(4)
        source.seek(0)
        if magic.startswith(_GZIP):
            yield from _inflated(source, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), trouble, progress)
        elif magic == _ZSTD:
            import zstandard

            # Reddit dumps use windows of up to 2 GiB.
            new = zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj
            yield from _inflated(source, new, trouble, progress)
        else:
            while chunk := source.read(_READ * 4):
                if progress is not None:
                    progress(len(chunk))
                yield chunk


def _inflated(
    source: IO[bytes], new: Callable[[], Any], trouble: Trouble, progress: Progress | None
) -> Iterator[bytes]:
    """Decompressed bytes of all members; damage ends the file but keeps what came before."""
    import zstandard

    inflate, complete = new(), False
    pending = b""
    while chunk := pending or source.read(_READ):
        if progress is not None and not pending:
            progress(len(chunk))
        pending = b""
        try:
            out = inflate.decompress(chunk)
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            trouble("damaged file", f"{error}; what came before was read")
            return
        if out:
            yield out
        complete = bool(inflate.eof)
        if complete:
            pending = inflate.unused_data.lstrip(b"\0")
            inflate = new()
    if not complete:
        trouble("truncated file", "the compressed data ends in the middle; what came before was read")
