"""Content decoding that counts while it inflates, so a bomb costs no more memory than the limit."""

from __future__ import annotations

import zlib

from detector.errors import Hostile, Permanent

_STEP = 64 * 1024
_RATIO_FROM = 256 * 1024  # small texts compress well honestly


class BodyReader:
    """Collects a body chunk by chunk: gzip, deflate or plain, one layer.

    Args:
        encoding: the `Content-Encoding` header, lower case.
        max_bytes: decoded bytes at most.
        max_ratio: decoded to received bytes at most, once 256 kB are decoded.
        where: the URL, for messages.

    >>> reader = BodyReader("gzip", max_bytes=100, max_ratio=100, where="http://x/")
    >>> import gzip
    >>> reader.feed(gzip.compress(b"hello"))
    >>> reader.finish()
    b'hello'
    """

    def __init__(self, encoding: str, *, max_bytes: int, max_ratio: float, where: str) -> None:
        self._max_bytes = max_bytes
        self._max_ratio = max_ratio
        self._where = where
        self._received = 0
        self._body = bytearray()
        self._gzip = encoding in {"gzip", "x-gzip"}
        self._deflate = encoding == "deflate"
        if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise Permanent(f"{where}: content encoding {encoding!r} is not understood (gzip and deflate are)")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._gzip else None

    def feed(self, chunk: bytes) -> None:
        """Take bytes as they came.

        Raises:
            Hostile: a limit is passed or the compressed data is damaged.
        """
        self._received += len(chunk)
        if not (self._gzip or self._deflate):
            self._body += chunk
            self._check()
            return
        if self._inflate is None:
            # Servers send "deflate" with and without the zlib header; the first byte tells (RFC 1950: method 8).
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        try:
            while chunk:
                self._body += self._inflate.decompress(chunk, _STEP)
                self._check()
                chunk = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    return
        except zlib.error as error:
            raise Hostile(f"{self._where}: damaged compressed answer ({error}), dropped") from error

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            Hostile: the compressed data ended in the middle.
        """
        if self._inflate is not None and not self._inflate.eof:
            raise Hostile(f"{self._where}: the compressed answer ended in the middle, dropped")
        return bytes(self._body)

    def _check(self) -> None:
        size = len(self._body)
        if size > self._max_bytes:
            raise Hostile(f"{self._where}: the answer is larger than {self._max_bytes:,} bytes, dropped")
        if size > _RATIO_FROM and size > self._max_ratio * self._received:
            raise Hostile(f"{self._where}: the answer inflates more than {self._max_ratio:g} times, dropped")
