"""Where the shipped `data/` and `models/` lie: in the checkout, or inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _root() -> Path:
    shipped = _HERE / "_shipped"
    return shipped if shipped.is_dir() else _HERE.parent


def data_path(*parts: str) -> Path:
    """A file of the shipped `data/` folder; it may not exist.

    >>> data_path("services.toml").name
    'services.toml'
    """
    return _root().joinpath("data", *parts)


def model_path(*parts: str) -> Path:
    """A file of the shipped `models/` folder; it may not exist.

    >>> model_path("static").name
    'static'
    """
    return _root().joinpath("models", *parts)
