"""Log lines: colours are kept, control characters are not."""

from __future__ import annotations

import pytest

from flash.hub.front.ansi import LONGEST, pieces


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", [("plain", "")]),
        ("", []),
        ("\x1b[31mred\x1b[0m not", [("red", "red"), (" not", "")]),
        ("\x1b[1;32mok\x1b[22m still green", [("ok", "bold green"), (" still green", "green")]),
        ("\x1b[38;5;200mpink\x1b[39m", [("pink", "")]),
        ("\x1b[38;2;1;2;3;4mtrue colour", [("true colour", "underline")]),
        ("\x1b[91mbright\x1b[m", [("bright", "red")]),
        ("\x1b]0;title\x07text", [("text", "")]),
        ("\x1b[2K\x1b[1Gdone", [("done", "")]),
        ("10 %\r50 %\r100 %", [("100 %", "")]),
        ("bell\x07 and \x00nul", [("bell and nul", "")]),
        ("<b>&", [("<b>&", "")]),
        ("ends\r\n", [("ends", "")]),
        ("\x1b[" + "9" * 5000 + "m", [("[" + "9" * 5000 + "m", "")]),
    ],
)
def test_styles_and_texts(line: str, expected: list[tuple[str, str]]) -> None:
    assert pieces(line) == expected


def test_long_lines_are_cut() -> None:
    assert sum(len(text) for text, _ in pieces("x" * 2 * LONGEST)) == LONGEST
