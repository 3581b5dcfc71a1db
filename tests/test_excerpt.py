"""The caret under the SQL stands under the character that the position names."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgallop._excerpt import excerpt

LABEL = re.compile(r"LINE (\d+): (\.\.\.)?")
# Words, marks that take no column, characters that take two, and all that moves the cursor.
ALPHABET = (
    "abc();' \t\n\r\v\x1b\u00a0\u200b\u2028éßж\u0301\u20dd\ufe0f日本\uff21한\u1112\u1161\u11ab😀"
)
SQL = st.text(st.sampled_from(ALPHABET), min_size=1, max_size=300)


def cells(text: str) -> list[str]:
    """What stands in each column of a terminal; the second half of a wide character is empty."""
    columns: list[str] = []
    for char in text:
        if unicodedata.category(char) in ("Mn", "Me") or char in "\u1161\u11ab":
            continue
        columns.append(char)
        if unicodedata.east_asian_width(char) in ("W", "F"):
            columns.append("")
    return columns


def drawn(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


@given(sql=SQL, data=st.data())
@example(sql="a\r\nbc", data=None)
def test_caret_stands_under_the_character(sql: str, data: st.DataObject | None) -> None:
    places = [
        at for at, char in enumerate(sql) if char.isprintable() and cells(char) and char != " "
    ]
    if not places:
        return
    at = data.draw(st.sampled_from(places)) if data else places[-1]
    shown, caret = excerpt(sql, str(at + 1))
    label = LABEL.match(shown)
    assert label is not None
    lines_before = re.split("\r\n|\r|\n", sql[:at])
    assert int(label[1]) == len(lines_before)
    assert caret.strip(" ") == "^"
    column = len(caret) - 1
    screen = cells(shown)
    assert screen[column] == sql[at]
    text_before = "".join(screen[label.end() : column])
    whole = "".join(cells(drawn(lines_before[-1])))
    assert whole.endswith(text_before) if label[2] else whole == text_before


@given(sql=st.text(max_size=20), position=st.text(max_size=8) | st.integers().map(str))
def test_any_position_is_harmless(sql: str, position: str) -> None:
    lines = excerpt(sql, position)
    assert len(lines) in (0, 2)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "position", ["0", "-1", "+1", "", " 1", "1 ", "x", "1.0", "²", "१", "1_0", "16", "9" * 5000]
)
def test_no_place_no_lines(position: str) -> None:
    assert excerpt("SELECT * FRM t", position) == []


@pytest.mark.parametrize(
    ("sql", "position", "lines"),
    [
        ("SELECT * FRM t", 10, ["LINE 1: SELECT * FRM t", "                 ^"]),
        ("x", 1, ["LINE 1: x", "        ^"]),
        ("SELECT (", 9, ["LINE 1: SELECT (", "                ^"]),
        ("SELECT (\n  \n", 13, ["LINE 1: SELECT (", "                ^"]),
        ("", 1, ["LINE 1:", "        ^"]),
        ("a\nb c", 5, ["LINE 2: b c", "          ^"]),
        ("a\r\nb c", 6, ["LINE 2: b c", "          ^"]),
        ("a\rb c", 5, ["LINE 2: b c", "          ^"]),
        ("a\n\rb", 4, ["LINE 3: b", "        ^"]),
        ("ab\r\nc", 4, ["LINE 1: ab", "          ^"]),
        ("a b\nc", 3, ["LINE 1: a b", "          ^"]),
        ("\ta\tb", 4, ["LINE 1:  a b", "           ^"]),
        ("'日本' b", 6, ["LINE 1: '日本' b", "               ^"]),
        ("'e\u0301' b", 6, ["LINE 1: 'e\u0301' b", "            ^"]),
        ("'\u1112\u1161\u11ab' b", 7, ["LINE 1: '\u1112\u1161\u11ab' b", "             ^"]),
        ("a\x1b[31mb", 7, ["LINE 1: a [31mb", "              ^"]),
    ],
)
def test_excerpt(sql: str, position: int, lines: list[str]) -> None:
    assert excerpt(sql, str(position)) == lines


@pytest.mark.parametrize("blanks", [0, 1, 50, 59, 60, 61, 99, 100, 101, 5000])
@pytest.mark.parametrize("follows", [0, 1, 40, 99, 100, 5000])
def test_wide_line_is_cut_around_the_place(blanks: int, follows: int) -> None:
    shown, caret = excerpt("-" * blanks + "^" + "+" * follows, str(blanks + 1))
    assert shown[len(caret) - 1] == "^"
    assert len(shown) <= len("LINE 1: ") + 100 + 2 * len("...")
    label = LABEL.match(shown)
    assert label is not None
    kept = shown[label.end() :].removesuffix("...")
    assert shown.endswith("...") == (not kept.endswith("+" * follows) or kept.count("+") < follows)
    assert bool(label[2]) == (kept.count("-") < blanks)
    if label[2] and shown.endswith("..."):
        assert kept.index("^") == 60
    # Whatever can be shown is shown.
    assert len(kept) == min(100, blanks + 1 + follows)


def test_line_of_a_long_script_is_found() -> None:
    shown, _ = excerpt("SELECT 1;\n" * 100_000 + "SELECT nope;", str(1_000_000 + 8))
    assert shown == "LINE 100001: SELECT nope;"
