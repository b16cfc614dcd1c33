"""A secret: taken from the environment or a private file, and never shown by accident."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detector.config.locate import Place

PLAIN = frozenset(
    {
        "webhook",
        "url_secret",
        "token",
        "password",
        "secret",
        "api_key",
        "client_secret",
        "routing_key",
        "app_token",
        "signing_secret",
    }
)


class Secret:
    """A value whose `repr`, `str` and format are stars; `reveal()` gives it to whoever needs it.

    >>> secret = Secret("hunter2")
    >>> f"{secret} {secret!r}", secret.reveal()
    ("********** Secret('**********')", 'hunter2')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not to be copied out of the process")


def from_environment(name: str, env: Mapping[str, str]) -> Secret | None:
    """The variable's value; None where it is unset or empty: the component that needs it stays off."""
    value = env.get(name, "").strip()
    return Secret(value) if value else None


def from_file(path: Path) -> Secret:
    """The text of a file that only its owner can read.

    Raises:
        ValueError: the file is absent, empty, or readable by others; the message says what to do.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ValueError(f"{path} can be read by others (mode {mode:04o}); chmod 600 {path}")
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}; write the secret there with mode 600") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text; write the secret there as UTF-8") from error
    if not value:
        raise ValueError(f"{path} is empty; write the secret there")
    return Secret(value)


def take_secrets(values: dict[str, Any], env: Mapping[str, str], folder: Path, found: list[tuple[Place, str]]) -> None:
    """Replace `NAME_env` and `NAME_file` of sources and receivers by the secret `NAME`, in place."""
    for kind in ("sources", "receivers"):
        tables = values.get(kind)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if not isinstance(table, dict):
                continue
            for key in list(table):
                place = (kind, name, key)
                if key in PLAIN or key.removeprefix(f"{name}_") in PLAIN:
                    found.append(
                        (
                            place,
                            f'a secret must not stand here; set a variable and write {key}_env = "ITS_NAME"',
                        )
                    )
                elif key.endswith(("_env", "_file")):
                    _take_one(table, key, env, folder, place, found)


def _take_one(
    table: dict[str, Any], key: str, env: Mapping[str, str], folder: Path, place: Place, found: list[tuple[Place, str]]
) -> None:
    value = table.pop(key)
    if not isinstance(value, str) or not value:
        found.append((place, "wants a name in quotes; write the variable's or the file's name"))
        return
    secret: Secret | None
    if key.endswith("_env"):
        secret, name = from_environment(value, env), key.removesuffix("_env")
    else:
        name = key.removesuffix("_file")
        try:
            secret = from_file(folder / Path(value).expanduser())
        except ValueError as error:
            found.append((place, str(error)))
            return
    if secret is not None:
        table[name] = secret
