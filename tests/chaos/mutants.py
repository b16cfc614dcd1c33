"""G12: would a test notice? Small bugs are put into the modules of state, outbox and dedupe, one at a time.

`make mutants`: each bug is a change of one node of the syntax tree (a comparison, a constant, a condition, a statement
left out, a word of an SQL statement). A forked process imports the package with it and runs the module's own tests; a
bug that all of them pass survived, and is named. Which bugs are tried depends on the seed alone. Ends with the score.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.util
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from tests.chaos.fair import of

ROOT = Path(__file__).parents[2]
ENOUGH = 0.85
# A test run that takes so much longer than one without a bug hangs, and so has noticed. Waiting for a processor does
# not count: a busy machine has noticed nothing.
PATIENCE_S, PATIENCE_TIMES = 10.0, 5

# Modules, and the tests that are to find bugs in them.
TARGETS: dict[str, tuple[str, ...]] = {
    "detector/app/health.py": ("tests/app/test_edges.py", "tests/app/test_health.py", "detector/app/health.py"),
    "detector/app/ears.py": ("tests/app/test_ears.py",),
    "detector/store/outbox.py": ("tests/store/test_outbox.py",),
    "detector/notify/outbox.py": (
        "tests/notify/test_outbox.py",
        "tests/notify/test_sender.py",
        "detector/notify/outbox.py",
    ),
    "detector/detect/dedupe.py": ("tests/detect/test_dedupe.py", "detector/detect/dedupe.py"),
    "detector/store/ingest.py": ("tests/store/test_posts.py", "detector/store/ingest.py"),
}
# Slow ones, and ones that measure the machine.
LEFT_OUT = "twenty_thousand or holds_the_database"
_SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
_SQL = (
    (r"\bIS NULL\b", "IS NOT NULL"), (r"\bIS NOT NULL\b", "IS NULL"), (r"\bNOT EXISTS\b", "EXISTS"), (r"<=", ">"),
    (r"(?<![<=])> ", "<= "), (r"(?<!<)< ", ">= "), (r"\+ 1\b", "+ 2"), (r"\battempts \+", "attempts -"),
    (r"coalesce\((\w+\.?\w*), (\w+)\)", r"coalesce(\2, \1)"), (r"\bON CONFLICT DO NOTHING\b", ""),
    (r"\bORDER BY sequence\b(?! DESC)", "ORDER BY sequence DESC"), (r"\bsequence DESC\b", "sequence"),
    (r"\bAND\b", "OR"), (r"total \+ ", "total - "), (r"max\(", "min("), (r", failed = NULL", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug: where, what, and the whole tree with it."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Every bug that can be put into a module."""
    tree = ast.parse(source)
    for number, place in enumerate(_places(tree)):
        for choice in range(9):
            changed = copy.deepcopy(tree)
            what = _change(list(_places(changed))[number], choice)
            if what is None:
                break
            if what:
                yield Mutant(line=getattr(place, "lineno", 0), what=what, tree=ast.fix_missing_locations(changed))


def _places(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes in which a bug means something: no annotations, no docstrings, no words for the log or of an error."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_words(child) or _is_protocol(child):
                continue
            yield child
            yield from _places(child)


def _is_words(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    called = ast.unparse(node.value.func)
    return called.startswith(("log.", "logger.", "logging."))


def _is_protocol(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases)


def _change(node: ast.AST, choice: int) -> str | None:
    """Put bug number `choice` into a node: its name, "" if this one cannot be had here, None if there is no more."""
    if isinstance(node, ast.Compare):
        if choice >= len(node.ops):
            return None
        old = node.ops[choice]
        node.ops[choice] = _SWAPS[type(old)]()
        return f"{type(old).__name__} -> {type(node.ops[choice]).__name__}"
    if isinstance(node, ast.BinOp):
        if choice or type(node.op) not in _SUMS or isinstance(node.left, ast.Constant | ast.JoinedStr):
            return None
        old_sum = type(node.op)
        node.op = _SUMS[old_sum]()
        return f"{old_sum.__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.BoolOp) and not choice:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and <-> or"
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not choice:
        node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        return "condition turned round"
    if isinstance(node, ast.Constant):
        return _change_constant(node, choice)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.For | ast.If | ast.With | ast.Try | ast.AsyncWith):
        return _leave_out(node.body, choice)
    return None


def _change_constant(node: ast.Constant, choice: int) -> str | None:
    value = node.value
    if isinstance(value, bool):
        if choice:
            return None
        node.value = not value
        return f"{value} -> {not value}"
    if isinstance(value, int | float) and not choice:
        node.value = value + 1
        return f"{value} -> {value + 1}"
    if isinstance(value, str) and re.search(r"\b(SELECT|UPDATE|INSERT|WHERE|AND|ORDER BY|ON CONFLICT|SET)\b", value):
        found = [(old, new) for old, new in _SQL if re.search(old, value)]
        if choice >= len(found):
            return None
        old, new = found[choice]
        node.value = re.sub(old, new, value, count=1)
        return f"SQL {old} -> {new}"
    return None


def _leave_out(body: list[ast.stmt], choice: int) -> str | None:
    """Leave out the `choice`-th statement of a body that does something."""
    doing = [
        place
        for place, each in enumerate(body)
        if isinstance(each, ast.Expr | ast.AugAssign | ast.Delete | ast.Continue | ast.Break) and not _is_words(each)
    ]
    if choice >= len(doing):
        return None
    left_out = body[doing[choice]]
    body[doing[choice]] = ast.copy_location(ast.Pass(), left_out)
    return f"without {ast.unparse(left_out)[:60]}"


class _Planted(MetaPathFinder, Loader):
    """Gives one module with a bug in it; all others as they are."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - our own source with a bug in it


def run_tests(path: str, tests: Sequence[str], tree: ast.Module | None, patience: float) -> bool:
    """Whether the tests pass with the bug, in a process of their own; one that hangs has noticed."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        code = 1
        with suppress(BaseException):
            if tree is not None:
                name = path.removesuffix(".py").replace("/", ".")
                planted = _Planted(name, ROOT / path, compile(tree, str(ROOT / path), "exec"))
                sys.meta_path.insert(0, planted)
            import pytest

            chosen = [each for each in tests if (ROOT / each).exists()]
            code = int(
                pytest.main(
                    [*chosen, "-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-k", f"not ({LEFT_OUT})"]
                )
            )
        os._exit(0 if code == 0 else 1)
    begun = time.monotonic()
    while time.monotonic() - begun - of(pid, children=False).queued < patience:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def warm() -> None:
    """Import what costs time and is not ours, so that each fork has it already."""
    for each in ("pytest", "msgspec", "pydantic", "click", "jinja2", "starlette.applications", "sqlite3",
                 "prometheus_client", "psutil", "asyncio", "httpx2", "sqlite_utils"):  # fmt: skip
        with suppress(ImportError):
            importlib.import_module(each)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the bugs; 1 if too many survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=60, help="bugs tried in each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="modules whose path holds this")
    parser.add_argument("--minutes", type=float, default=30.0, help="stop after so long")
    chosen = parser.parse_args(arguments)
    os.chdir(ROOT)
    warm()
    end = time.monotonic() + 60 * chosen.minutes
    rows, survivors, tried_all, caught_all = [], [], 0, 0
    for path, tests in TARGETS.items():
        if chosen.only not in path:
            continue
        used = os.times().children_user
        if not run_tests(path, tests, None, 600.0):
            sys.stdout.write(f"{path}: its tests fail without any bug\n")
            return 2
        patience = max(PATIENCE_S, PATIENCE_TIMES * (os.times().children_user - used))
        found = list(mutants((ROOT / path).read_text(encoding="utf-8")))
        picked = random.Random(chosen.seed).sample(found, min(chosen.most, len(found)))
        tried = caught = 0
        for mutant in sorted(picked, key=lambda each: each.line):
            if time.monotonic() > end:
                break
            tried += 1
            if run_tests(path, tests, mutant.tree, patience):
                survivors.append(f"{path}:{mutant.line}: {mutant.what}")
                sys.stdout.write(f"survived: {survivors[-1]}\n")
            else:
                caught += 1
        tried_all, caught_all = tried_all + tried, caught_all + caught
        rows.append(f"{path:<28} {len(found):>5} {tried:>5} {caught:>6}  {caught / max(tried, 1):.0%}")
        sys.stdout.write(rows[-1] + "\n")
        sys.stdout.flush()
    share = caught_all / max(tried_all, 1)
    sys.stdout.write(f"{caught_all} of {tried_all} bugs caught, {share:.1%} (wanted {ENOUGH:.0%})\n")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
