"""Log lines with the colours of a terminal, as pieces of text with a class each."""

from __future__ import annotations

import re

#: A piece of a line: its text, and the classes of its style, ``"bold red"``.
Piece = tuple[str, str]

_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;:]{0,100})([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "underline"}

#: A longer line is cut.
LONGEST = 8000


def pieces(line: str) -> list[Piece]:
    """A line of a log without control characters, in pieces of one style each.

    Args:
        line: The line as it was written, perhaps with escape sequences of a terminal.

    Example:
        >>> pieces("\\x1b[31mno\\x1b[0m!")
        [('no', 'red'), ('!', '')]
    """
    line = line.rstrip("\r\n")[:LONGEST].rpartition("\r")[2]
    found: list[Piece] = []
    style: dict[str, str] = {}
    start = 0
    for sequence in _SEQUENCE.finditer(line):
        _add(found, line[start : sequence.start()], style)
        if sequence[2] == "m":
            _apply(style, sequence[1])
        start = sequence.end()
    _add(found, line[start:], style)
    return found


def _add(found: list[Piece], text: str, style: dict[str, str]) -> None:
    if text := _CONTROL.sub("", text):
        found.append((text, " ".join(style.values())))


def _apply(style: dict[str, str], written: str) -> None:
    """Change a style by the numbers of one sequence; colours of more than 16 are not shown."""
    numbers = [int(each or 0) for each in written.split(";")] if ":" not in written else []
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            style.clear()
        elif number in _STYLES:
            style[_STYLES[number]] = _STYLES[number]
        elif 30 <= number <= 37 or 90 <= number <= 97:
            style["colour"] = _COLOURS[number % 10]
        elif number == 39:
            style.pop("colour", None)
        elif number in (22, 23, 24):
            for each in {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",)}[number]:
                style.pop(each, None)
        elif number in (38, 48) and numbers:
            del numbers[: {5: 2, 2: 4}.get(numbers[0], 1)]
