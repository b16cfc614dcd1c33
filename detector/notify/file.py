"""Appends each message to a file, as text or as one JSON document a line, and waits until the disk has it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detector.domain import Notification
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.document import document
from detector.notify.render import Wording, plain_text
from detector.notify.settings import wording_of
from detector.notify.thread import in_own_thread
from detector.protocols import Notifier


class FileNotifier:
    """A file on this machine: the last resort when nothing else can be reached."""

    def __init__(self, path: Path, *, receiver: str = "file", as_json: bool = True, wording: Wording | None = None):
        self._path = path
        self._receiver = receiver
        self._as_json = as_json
        self._wording = wording or Wording()

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Append it; raises `DeliveryError` while the file cannot be written."""
        text = (
            json.dumps(document(notification, self._wording), ensure_ascii=False)
            if self._as_json
            else plain_text(notification, self._wording) + "\n"
        )
        try:
            await in_own_thread(lambda: self._append(f"{text}\n".encode("utf-8", "replace")), name="notify-file")
        except OSError as error:
            raise DeliveryError(f"receiver {self._receiver}: {self._path}: {error.strerror or error}") from error
        return None

    async def aclose(self) -> None:
        """Nothing to release: the file is opened for each message, so that it may be rotated."""

    def _append(self, body: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, body)
            os.fsync(file)
        finally:
            os.close(file)


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: file`.

    Args:
        settings: `path` (required), `format` (`json`, the default, or `text`), `receiver`, `names`, `components`,
            `timezone`, `page`.

    Raises:
        NotConfigured: there is no `path`.
        ConfigError: the folder is not there, or the format is another.
    """
    receiver = str(settings.get("receiver", "file"))
    if not settings.get("path"):
        raise NotConfigured(f'receiver {receiver}: no file; write path = "alerts.jsonl"')
    path = Path(str(settings["path"])).expanduser()
    if not path.parent.is_dir():
        raise ConfigError(f"receivers.{receiver}.path: there is no folder {path.parent}; make it")
    shape = settings.get("format", "json")
    if shape not in {"json", "text"}:
        raise ConfigError(f"receivers.{receiver}.format: {shape!r} is none; write json or text")
    return FileNotifier(path, receiver=receiver, as_json=shape == "json", wording=wording_of(settings))
