"""The line that is rewritten, in real pseudo-terminals."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from framejury import logs
from framejury.cli.live_line import draw, is_live, live_line, pass_by, say_some, width
from tests.builders.terminal import Session, in_terminal, screen_of

WORK = """
import sys, warnings
from framejury import logs
from framejury.cli.live_line import live_line, pass_by, say_some
logs.start("nightly")
with live_line():
    pass_by("[index]")
    pass_by("a line that is longer than the terminal is wide, " * 3)
    print("to stderr", file=sys.stderr)
    print("to stdout, ", end="")
    pass_by("between the two halves")
    print("in two halves")
    warnings.warn("of Python")
    say_some([f"note {number}" for number in range(9)])
    pass_by("[report]")
print("the end")
"""


def test_of_several_lines_only_whole_ones_are_shown() -> None:
    script = (
        "from framejury.cli.live_line import live_line, pass_by, clear\n"
        "with live_line():\n"
        "    pass_by('  12 of 12 videos\\n  12 new   never judged\\n  0.01 GB to read')\n"
        "    clear()\n"
        "    print('Exit code 0')\n"
    )
    done = in_terminal([sys.executable, "-c", script], columns=40)
    assert done.code == 0 and done.screen == ["Exit code 0"]
    assert "12 of 12 videos; 12 new never judged" in done.raw and "0.01" not in done.raw
    assert "12 of" not in done.raw.partition("Exit code 0")[2], "not drawn again"


def work(**environment: str) -> Session:
    return in_terminal([sys.executable, "-c", WORK], columns=60, environment=environment)


def test_what_is_printed_in_between_stays_whole_and_the_line_goes() -> None:
    done = work()
    assert done.code == 0, done.raw
    lines = [line for line in done.screen if "warnings.warn" not in line]
    assert lines == [
        "to stderr",
        "to stdout, in two halves",
        "<string>:13: UserWarning: of Python",
        "note 0",
        "  and 8 more like this; the log of the run has them all",
        "the end",
    ]
    for shown in ("[index]", "a line that is longer", "[report]"):
        assert shown in done.raw
    longest = max(map(len, done.raw.replace("\r", "\n").split("\n")))
    assert longest <= 59  # one column less than the terminal, or the cursor moves on


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "dumb"}, {"FRAMEJURY_LOG": "debug"}],
    ids=["a dumb terminal", "debug"],
)
def test_where_nothing_can_be_rewritten_each_message_is_a_line(environment: dict[str, str]) -> None:
    done = work(**environment)
    assert done.screen[0] == "[index]"
    assert [line for line in done.screen if line.startswith("note")] == [
        f"note {number}" for number in range(9)
    ]
    assert "\r" not in done.raw.replace("\r\n", "")


def test_no_color_changes_nothing_since_there_are_no_escape_sequences() -> None:
    assert work(NO_COLOR="1").raw == work().raw
    assert "\x1b" not in work().raw


def test_logs_in_json_have_no_live_line() -> None:
    done = work(FRAMEJURY_LOG="json")
    assert '"message": "[report]"' in done.raw
    assert "\r" not in done.raw.replace("\r\n", "")


def test_into_a_file_messages_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with live_line():
        assert not is_live()
        pass_by("[index]")
        draw("  1 of 2")
        say_some(["a", "b", "c"])
    assert capsys.readouterr().err == "[index]\n  1 of 2\na\nb\nc\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_threads_do_not_mix_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages of the JVM come from a thread of their own, while progress is drawn."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    logs.start("nightly")

    def chat(name: str) -> None:
        for number in range(200):
            sys.stderr.write(f"{name} {number}\n")
            time.sleep(0.0003)

    with live_line():
        assert is_live()
        threads = [threading.Thread(target=chat, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            pass_by("  some of 200 videos")
    assert not is_live()
    written = screen.getvalue().replace("\n", "\r\n")  # as a terminal does
    assert written.count("some of") > 10
    lines = screen_of(written, 80)
    assert sorted(lines) == sorted(f"{name} {number}" for name in "ab" for number in range(200))


def test_the_width_of_what_is_no_terminal() -> None:
    assert width(io.StringIO()) == 80
