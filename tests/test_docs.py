"""The README cannot lag behind: every command, setting and plug-in stands in it."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

import click
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


def blocks(kind: str) -> list[str]:
    """The README's fenced blocks of a kind, empty for those without one."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for given, text in found if given == kind]


def commands() -> list[str]:
    """Every line of the README's blocks that a person could type."""
    lines = [line for block in blocks("") for line in block.splitlines()]
    return [part.strip() for line in lines for part in line.split("; ") if part.strip().startswith("detector ")]


def environment(block: str) -> dict[str, str]:
    """Every variable that a block names, set to something of the right kind."""
    names = re.findall(r'_env = "(\w+)"', block)
    hooks = {name for name in names if "WEBHOOK" in name and "SECRET" not in name}
    return {name: "https://hooks.example.org/x" if name in hooks else "S3CR3T" + "0" * 26 for name in names}


@pytest.mark.parametrize("block", blocks("toml"))
def test_the_readmes_settings_are_settings(block: str, tmp_path: Path) -> None:
    """Each block is a whole `detector.toml`: read, every receiver built, nothing off and nothing unknown."""
    from detector.app.build import connect, load_blueprint

    path = tmp_path / "detector.toml"
    path.write_text(block, encoding="utf-8")
    notes: list[str] = []

    async def build() -> set[str]:
        plan = load_blueprint(path, environment(block))
        made = connect(plan, tmp_path / "detector.db", notes)
        for notifier in made.notifiers:
            await notifier.aclose()
        for collector in made.collectors:
            await collector.aclose()
        if made.close is not None:
            await made.close()
        assert {each.name for each in plan.receivers} == {each.receiver for each in made.notifiers}
        return {each.receiver for each in made.notifiers}

    assert asyncio.run(build())
    assert notes == []


@pytest.mark.parametrize("line", commands())
def test_the_readmes_commands_are_commands(line: str) -> None:
    """Every option and argument exists; files that only a reader has may be missing."""
    words = shlex.split(line.partition(" > ")[0].partition(" # ")[0])[1:]
    found: click.Command = cli
    context = cli.make_context("detector", [], resilient_parsing=True)
    while isinstance(found, click.Group) and words:
        name, *words = words
        inner = found.get_command(context, name)
        assert inner is not None, f"{line}: no command {name}"
        found, context = inner, click.Context(inner, parent=context, info_name=name)
    try:
        found.make_context(found.name, words, parent=context).close()
    except click.BadParameter as error:
        if "does not exist" not in str(error):
            raise


def test_the_readmes_silences_do_what_they_say(tmp_path: Path) -> None:
    """Typed one after the other against a database: two silences, a list of both, one ended."""
    from click.testing import CliRunner

    from detector.domain import EPOCH
    from detector.store import Store

    path = tmp_path / "detector.db"
    Store.open(path, now=EPOCH).close()
    (block,) = [each for each in blocks("") if each.startswith("detector silence add")]
    names: list[str] = []
    for line in block.splitlines():
        words = [names[0] if word == "s-1a2b3c" else word for word in shlex.split(line)[1:]]
        done = CliRunner().invoke(cli, [*words, "--db", str(path)])
        assert done.exit_code == 0, done.output
        if words[1] == "add":
            names.append(done.stdout.strip())
        if words[1] == "list":
            assert all(name in done.stdout for name in names)
    left = CliRunner().invoke(cli, ["silence", "list", "--db", str(path)])

    assert names[0] not in left.stdout
    assert names[1] in left.stdout
