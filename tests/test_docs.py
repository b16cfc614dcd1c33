"""The README cannot lag behind: every command, setting and plug-in stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from detector import registry
from detector.cli import COMMANDS, CommandTable, cli
from detector.config.settings import Receiver, Settings, Source

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings() -> list[str]:
    """Every setting as README names it: `section.key`."""
    found = []
    for section, field in Settings.model_fields.items():
        tables: dict[str, type[BaseModel]] = {"sources": Source, "receivers": Receiver}
        model = tables.get(section)
        if model is None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
        assert model is not None, f"section {section} has no model"
        found += [f"{section}.{key}" for key in model.model_fields]
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    """`detector NAME` is mentioned, and its help begins with a sentence."""
    assert f"detector {command}" in README
    table = cli
    assert isinstance(table, CommandTable)
    with table.make_context("detector", ["--help"], resilient_parsing=True) as context:
        found = table.get_command(context, command)
    assert found is not None
    assert found.help


@pytest.mark.parametrize("setting", settings())
def test_every_setting_is_in_the_readme(setting: str) -> None:
    """As `section.key`, in backticks, or as a line of a TOML example."""
    section, key = setting.split(".")

    assert f"`{setting}`" in README or (f"[{section}" in README and f"\n{key} = " in README)


@pytest.mark.parametrize(
    ("group", "plugin"), [(group, plugin) for group in registry.GROUPS for plugin in registry.names(group)]
)
def test_every_plugin_is_in_the_readme(group: str, plugin: str) -> None:
    """By its name, in backticks."""
    assert f"`{plugin}`" in README, f"{plugin} of {group}"
