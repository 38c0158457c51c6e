import io

import pytest

from amply_verify.terminal import GREEN, ProgressLine, coloured


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert coloured("verified: all", GREEN, Terminal()) == "\x1b[32mverified:\x1b[0m all"
    assert coloured("verified: all", GREEN, io.StringIO()) == "verified: all"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("verified: all", GREEN, Terminal()) == "verified: all"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert coloured("verified: all", GREEN, Terminal()) == "verified: all"


def test_progress_is_one_line_that_is_wiped() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    for done in (0, 1, 2, 100, 200):
        line.show(done, 200)
    line.wipe()
    line.wipe()
    assert stream.getvalue() == (
        "\r\x1b[K0 of 200 entries, 0 %\r\x1b[K2 of 200 entries, 1 %"
        "\r\x1b[K100 of 200 entries, 50 %\r\x1b[K200 of 200 entries, 100 %\r\x1b[K"
    )


def test_progress_never_reaches_a_file() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show(1, 2)
    line.wipe()
    assert stream.getvalue() == ""
