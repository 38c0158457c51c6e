"""What a person at a terminal sees and a program never does: colour and progress.

Colour only where the stream is a terminal and NO_COLOR (no-color.org) is not set; progress on
standard error, one line that is rewritten and wiped, so that neither mixes into any output.
"""

import os
import sys
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int], None]
"""(entries judged, entries in all)"""

GREEN, RED, YELLOW = 32, 31, 33


def coloured(text: str, colour: int, stream: TextIO) -> str:
    """`text` with its first word in a colour, if `stream` shows colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not stream.isatty():
        return text
    word, space, rest = text.partition(" ")
    return f"\x1b[{colour}m{word}\x1b[0m{space}{rest}"


class ProgressLine:
    """Shows how far a long work is, in whole percents."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._percent = -1

    def show(self, done: int, total: int) -> None:
        """Say that `done` entries of `total` are judged."""
        percent = 100 * done // max(total, 1)
        if self._shown and percent != self._percent:
            self._percent = percent
            self._stream.write(f"\r\x1b[K{done} of {total} entries, {percent} %")
            self._stream.flush()

    def wipe(self) -> None:
        """Leave the line empty for what comes after."""
        if self._percent >= 0:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._percent = -1
