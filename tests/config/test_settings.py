"""Settings: defaults that work with nothing, and every mistake of a file at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config.secret import Secret
from detector.config.settings import DEFAULT_SERVICES, Settings, load_settings, template
from detector.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "detector.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_and_no_key_give_a_working_default() -> None:
    """Twelve services, two sources, one receiver and status pages come without a file."""
    settings = load_settings(None, {})

    assert settings.watch.services == DEFAULT_SERVICES
    assert set(settings.sources) == {"hackernews", "feeds"}
    assert settings.receivers["console"].type == "console"
    assert settings.status.enabled


def test_the_template_loads_unchanged_and_says_the_defaults(tmp_path: Path) -> None:
    """What `detector init` writes means what no file means, but for the path, which starts at the file."""
    loaded = load_settings(write(tmp_path, template()), {})

    assert loaded.model_dump(exclude={"store"}) == Settings().model_dump(exclude={"store"})
    assert loaded.store.path == tmp_path / "detector.db"


def test_every_section_and_setting_stands_in_the_template() -> None:
    """A setting that is added without a line in the template fails here."""
    text = template()

    for section, field in Settings.model_fields.items():
        assert f"[{section}" in text
        model = field.annotation
        for key in getattr(model, "model_fields", {}):
            assert f"\n{key} = " in text or f"\n# {key} = " in text or f"[{section}.{key}]" in text, f"{section}.{key}"


def test_all_mistakes_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    """Wrong budget, unknown key, wrong port, unknown plug-in and unknown service: five problems, five lines."""
    path = write(
        tmp_path,
        "\n".join(
            [
                "[watch]",
                'services = ["claud"]',
                'budget = "often"',
                "[store]",
                'pth = "x.db"',
                "[web]",
                "port = 99999",
                "[receivers.ops]",
                'type = "slak"',
            ]
        ),
    )

    with pytest.raises(ConfigError) as caught:
        load_settings(path, {}, slugs=["claude", "github"])

    said = caught.value.problems
    assert [problem.split(":")[1] for problem in said] == ["2", "3", "5", "7", "9"]
    assert "did you mean claude?" in said[0]
    assert "as in 1/year" in said[1]
    assert said[2].startswith(f"{path}:5: store.pth: unknown setting; did you mean path?")
    assert "99999 will not do; write less than or equal to 65535" in said[3]
    assert "did you mean slack?" in said[4]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a = \n", ":1: not TOML", id="syntax"),
        pytest.param("[watch\n", ":1: not TOML", id="open header"),
        pytest.param("[wacth]\n", ":1: wacth: unknown setting; did you mean watch?", id="section"),
        pytest.param("watch = 3\n", ":1: watch: 3 will not do", id="no table"),
        pytest.param("[sources]\nfeeds = 1\n", ":2: sources.feeds: 1 will not do", id="source is a number"),
        pytest.param('[receivers.console]\nlevle = "watch"\n', "did you mean level?", id="near miss of a shared key"),
        pytest.param('[receivers.console]\nlevel = "loud"\n', "write 'watch', 'alert' or 'major'", id="no such level"),
        pytest.param("[status]\ninterval = 0\n", "greater than or equal to 5", id="interval"),
    ],
)
def test_a_mistake_says_where_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    """One line each, beginning with file and line."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text), {})

    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "detector.toml"))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda folder: folder / "absent.toml", id="absent"),
        pytest.param(lambda folder: folder, id="a folder"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, make: object) -> None:
    """An absent file and a folder are one message each, never a traceback."""
    assert callable(make)

    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(make(tmp_path), {})


def test_another_encoding_is_reported_with_its_line(tmp_path: Path) -> None:
    """A file in Latin-1 names the line of the first foreign byte."""
    path = tmp_path / "detector.toml"
    path.write_bytes("# a\n# café\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r":2: not UTF-8"):
        load_settings(path, {})


def test_a_secret_comes_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    """`webhook_env` becomes `webhook`, hidden in every representation."""
    path = write(tmp_path, '[receivers.ops]\ntype = "slack"\nwebhook_env = "HOOK"\n')

    settings = load_settings(path, {"HOOK": "canary-5150"})

    assert settings.receivers["ops"].options["webhook"] == Secret("canary-5150")
    assert "canary-5150" not in repr(settings) + str(settings) + f"{settings.receivers['ops'].options}"


def test_an_unset_variable_leaves_the_receiver_without_its_key(tmp_path: Path) -> None:
    """That is no mistake of the file: the component switches itself off later, with a reason."""
    settings = load_settings(write(tmp_path, '[receivers.ops]\ntype = "slack"\nwebhook_env = "HOOK"\n'), {})

    assert settings.receivers["ops"].options == {}


def test_a_secret_in_the_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    """The message says how to do it instead and does not repeat the secret."""
    path = write(tmp_path, '[receivers.ops]\ntype = "slack"\nwebhook = "canary-5150"\n')

    with pytest.raises(ConfigError, match=r":3: receivers.ops.webhook: .*webhook_env") as caught:
        load_settings(path, {})

    assert "canary-5150" not in str(caught.value)


def test_a_secret_file_must_be_private(tmp_path: Path) -> None:
    """Mode 0644 is refused with the command that mends it; mode 0600 is read."""
    path = write(tmp_path, '[receivers.ops]\ntype = "slack"\nwebhook_file = "hook"\n')
    secret = tmp_path / "hook"
    secret.write_text("canary-5150\n", encoding="utf-8")
    secret.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(path, {})
    secret.chmod(0o600)

    assert load_settings(path, {}).receivers["ops"].options["webhook"] == Secret("canary-5150")
