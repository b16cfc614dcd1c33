"""What the source may not contain: found by reading it, so that nobody has to remember it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_layout import MODULES, ROOT, name

# Modules that run what they read, or open doors that we keep shut.
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "telnetlib", "ftplib"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "input", "breakpoint"}
BANNED_ATTRIBUTES = {
    ("os", "system"),
    ("os", "popen"),
    ("yaml", "load"),
    ("tempfile", "mktemp"),
    ("torch", "load"),
    ("asyncio", "create_subprocess_shell"),
    ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"),
}
# `re.compile` is another thing than `compile`; `extractall` believes the names in an archive.
BANNED_METHODS = {"extractall", "executescript", "enable_load_extension", "load_extension"}
BANNED_ARGUMENTS = {
    ("shell", True),
    ("trust_remote_code", True),
    ("allow_pickle", True),
    ("verify", False),
    ("autoescape", False),
    ("unfurl_links", True),
}

# What bandit finds and a person judged: by file and rule, with the reason why it stands. Anything else fails.
JUDGED = {
    "B105": ("the name of a variable, no password", {"detector/app/embed.py", "detector/cli/serve.py"}),
    "B101": ("narrows a type; no check hangs on it", {"detector/app/rounds.py"}),
    "B311": (
        "jitter, samples, made-up posts, training: never a secret",
        {
            "detector/app/daemon.py",
            "detector/app/demo.py",
            "detector/app/scenario.py",
            "detector/classify/finetune.py",
            "detector/cli/simulate.py",
            "detector/collectors/bluesky_reader.py",
        },
    ),
    "B405": ("writes XML, reads none", {"detector/notify/feed.py"}),
    "B608": (
        "only our own column names; the test below reads each of them",
        {
            f"detector/store/{each}.py"
            for each in ("asking", "board", "ingest", "journal", "outbox", "reader", "upkeep")
        },
    ),
    "B704": (
        "drawn by us, its texts escaped",
        {
            "detector/backfill/leads.py",
            "detector/backfill/pictures.py",
            "detector/backfill/report_html.py",
            "detector/web/pages.py",
        },
    ),
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def banned_in(code: ast.AST) -> Iterator[str]:
    """Every banned thing a piece of source holds."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] in BANNED_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in BANNED_MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from banned_call(node)


def banned_call(node: ast.Call) -> Iterator[str]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in BANNED_CALLS:
        yield f"{function.id}() in line {node.lineno}"
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        if (owner, function.attr) in BANNED_ATTRIBUTES or function.attr in BANNED_METHODS:
            yield f"{owner}.{function.attr}() in line {node.lineno}"
        if function.attr == "parse" and owner == "feedparser" and not is_bytes_io(node.args[0]):
            yield f"feedparser.parse of something else than bytes in line {node.lineno}"
    for argument in node.keywords:
        value = argument.value.value if isinstance(argument.value, ast.Constant) else None
        if (argument.arg, value) in BANNED_ARGUMENTS:
            yield f"{argument.arg}={value!r} in line {node.lineno}"


def is_bytes_io(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and "BytesIO" in ast.dump(node.func)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_runs_what_it_reads(path: Path) -> None:
    """No pickle, eval, exec, shell, unsafe archive or loader; feedparser is given bytes and nothing else."""
    assert list(banned_in(tree(path))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "subprocess.run('ls', shell=True)",
        "tar.extractall('/tmp')",
        "np.load(path, allow_pickle=True)",
        "feedparser.parse(text)",
        "torch.load(path)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
    ],
)
def test_the_ban_finds_what_it_bans(code: str) -> None:
    """A test that reads source is worth something only if it can fail."""
    assert list(banned_in(ast.parse(code)))


def interpolated(code: ast.AST) -> Iterator[tuple[int, str]]:
    """What is put into statements of SQL by f-strings: line and expression."""
    for node in ast.walk(code):
        if not isinstance(node, ast.JoinedStr):
            continue
        words = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        if any(each in words for each in ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "PRAGMA ", " FROM ", "WHERE ")):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield node.lineno, ast.unparse(part.value)


# Expressions that may stand in a statement besides constants of the module, each with why it can hold nothing foreign.
OUR_OWN = {
    "size": "an int, made by int()",
    "finished": "one of two texts written two lines above",
    "','.join('?' * len(levels))": "question marks",
    "','.join('?' * len(shown))": "question marks",
    "', '.join('?' * len(_NAMES))": "question marks",
    "int(BUSY_TIMEOUT_S * 1000)": "an int",
}


@pytest.mark.parametrize("path", sorted((ROOT / "detector" / "store").glob("*.py")), ids=name)
def test_sql_is_always_bound(path: Path) -> None:
    """Statements hold names of columns written in our own source; every value is bound."""
    strangers = [
        (line, expression)
        for line, expression in interpolated(tree(path))
        if not (expression.isidentifier() and expression.isupper()) and expression not in OUR_OWN
    ]

    assert strangers == []


def test_bandit_finds_nothing_that_was_not_judged() -> None:
    """Each finding is one that somebody looked at; a judgement that stands for nothing any more goes too."""
    pytest.importorskip("bandit", reason="needs bandit (pip install -e '.[dev]')")
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "--quiet", "--recursive", "detector", "--format", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    report = json.loads(done.stdout)

    assert report["errors"] == []
    found = {(each["test_id"], each["filename"].removeprefix("./")) for each in report["results"]}
    assert found == {(rule, path) for rule, (_, paths) in JUDGED.items() for path in paths}


_IMPORT_ALL = """
import importlib, pkgutil, socket, sys
def refuse(*_):
    raise AssertionError("a module reached for the network while it was imported")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import detector
for each in pkgutil.walk_packages(detector.__path__, "detector."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
print(len(sys.modules))
"""


def test_nothing_reaches_for_the_network_while_it_is_imported() -> None:
    """Every module of ours, and so whatever it imports at once, comes up with no network at all."""
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 300
