"""The line of every setting, whatever form TOML gives it."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from detector.config.locate import line_of, locate

TEXT = '''# a comment
title = "x"

[a]
b = [
  1, # [not.a.table]
  2,
]
"quoted key" = 3
inline = { deep = 1, deeper = { x = 2 } }
text = """
[a.fake]
key = 1
"""
[a.sub] # with a comment
c.d = 4
[[list]]
e = 5
[[list]]
e = 6
[list.inner]
f = 7
'''


def test_each_form_has_its_line() -> None:
    """Arrays, quoted and dotted keys, inline tables, long texts and arrays of tables."""
    places = locate(TEXT)

    assert places[("title",)] == 2
    assert places[("a", "b")] == 5
    assert places[("a", "quoted key")] == 9
    assert places[("a", "inline", "deeper", "x")] == 10
    assert places[("a", "sub", "c", "d")] == 16
    assert places[("list", 0, "e")] == 18
    assert places[("list", 1, "e")] == 20
    assert places[("list", 1, "inner", "f")] == 22
    assert ("a", "fake") not in places


def test_an_unknown_place_is_on_the_line_of_what_surrounds_it() -> None:
    """A missing key is reported where its table begins."""
    assert line_of(locate(TEXT), ("a", "missing", 3)) == 4
    assert line_of({}, ("a",)) == 1


@given(
    st.lists(st.sampled_from(["[a]", "[[b]]", "c = 1", "d.e = [\n1,\n]", "# f", "", 'g = "x"', "[b.h]"]), max_size=12)
)
def test_every_text_that_parses_is_located_within_its_lines(parts: list[str]) -> None:
    """No line lies outside the text, and no text hangs or raises."""
    text = "\n".join(parts)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    assert all(1 <= line <= len(text.splitlines()) for line in locate(text).values())
