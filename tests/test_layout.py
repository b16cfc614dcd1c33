"""The shape of the repository: small modules that say what they are, tests that mirror them, one clock reader."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "detector").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 400
THREE_PLACES = 500


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=name)
def test_a_module_is_short_and_says_first_what_it_is(path: Path) -> None:
    """At most 400 lines, the docstring before everything else."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LONGEST
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "the docstring comes first"


def test_the_three_places_to_read_stay_short() -> None:
    """domain/, protocols.py and pipeline.py are read in twenty minutes: 500 lines of code, names passed on aside."""
    places = [
        *(path for path in (ROOT / "detector" / "domain").glob("*.py") if path.name != "__init__.py"),
        ROOT / "detector" / "protocols.py",
        ROOT / "detector" / "pipeline.py",
    ]

    code = sum(_lines_of_code(path) for path in places)

    assert code <= THREE_PLACES


@pytest.mark.parametrize("path", [each for each in MODULES if each.name != "clock.py"], ids=name)
def test_nobody_else_reads_the_clock(path: Path) -> None:
    """`now` is an argument everywhere; `time.monotonic` and `perf_counter` measure durations and may be used."""
    banned = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}

    found = [
        f"{node.func.value.id}.{node.func.attr} in line {node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
        and node.func.attr in banned
        and (node.func.attr not in {"localtime", "gmtime"} or not node.args)
    ]

    assert found == []


def test_tests_mirror_the_package() -> None:
    """A test module in tests/AREA belongs to a package of that name."""
    areas = {path.parent.name for path in MODULES if path.parent != ROOT / "detector"} | {
        "bench",
        "chaos",
        "fixtures",
        "fuzz",
        "golden",
        "security",
        "zoo",
    }
    strangers = sorted(
        name(path) for path in TESTS if path.parent != ROOT / "tests" and path.relative_to(ROOT).parts[1] not in areas
    )

    assert strangers == []


@pytest.mark.parametrize("area", sorted({path.parent.name for path in MODULES if path.parent != ROOT / "detector"}))
def test_every_package_has_tests(area: str) -> None:
    """No part of the house is without any."""
    if area == "domain":
        pytest.skip("values whose behaviour is in their doctests")
    assert list((ROOT / "tests" / area).glob("test_*.py"))


def test_no_marks_of_unfinished_work_are_left() -> None:
    """Whoever leaves work says so in an issue."""
    mark = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")

    assert [name(path) for path in [*MODULES, *TESTS] if mark.search(path.read_text(encoding="utf-8"))] == []


def _lines_of_code(path: Path) -> int:
    """Lines without blanks, comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            words |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(
        1 for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#") and n not in words
    )
