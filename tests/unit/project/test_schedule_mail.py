"""The mail of systemd and the rotation of cron's log, run for real."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.builders.schedules import CRONTAB, LOGROTATE, MAIL, SERVICE, cron_lines, unit

ROTATE = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin:/sbin")


def test_the_service_starts_the_mail() -> None:
    (started,) = unit(SERVICE)["Unit.OnFailure"]
    assert started == MAIL.name.replace("@", "@%n")
    assert MAIL.name in SERVICE.read_text().split("[Unit]")[0]  # copied with the others


def mailed(folder: Path, journal: bytes) -> bytes:
    """What the unit gives to sendmail, with programs that stand in for sendmail and journalctl."""
    (start,) = unit(MAIL)["Service.ExecStart"]
    environment = dict(word.split("=") for word in unit(MAIL)["Service.Environment"])
    # As systemd reads it: specifiers, then C escapes within quotes.
    for specifier, value in (("%%", "\0"), ("%i", SERVICE.name), ("%H", "host1"), ("\0", "%")):
        start = start.replace(specifier, value)
    shell, option, script = shlex.split(start.replace("\\\\", "\\"))
    assert (shell, option) == ("/bin/sh", "-c")
    (folder / "journal").write_bytes(journal)
    for name, body in (
        ("sendmail", f'echo "$@" >{folder}/options; cat >{folder}/mail'),
        ("journalctl", f'echo "$@" >{folder}/asked; cat {folder}/journal'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    script = script.replace("/usr/sbin/sendmail", f"{folder}/sendmail")
    done = subprocess.run(
        [shell, option, script],
        env={"PATH": f"{folder}:/usr/bin:/bin", **environment},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return (folder / "mail").read_bytes()


def test_a_mail_has_the_end_of_the_journal(tmp_path: Path) -> None:
    journal = "warning: crashed: 日本.mp4\nBcc: everybody@example.org\n.\nend\n".encode()
    message = message_from_bytes(mailed(tmp_path, journal))
    assert dict(message.items()) == {
        "To": "operator@example.org",
        "Subject": "framejury.service failed on host1",
        "Content-Type": "text/plain; charset=utf-8",
    }
    body = message.get_payload(decode=True)
    assert body == journal
    asked = (tmp_path / "asked").read_text().split()
    assert f"--unit={SERVICE.name}" in asked and "--no-pager" in asked
    # -t: to whom is in the mail. -i: a line with a dot does not end it.
    assert (tmp_path / "options").read_text().split() == ["-i", "-t"]


def rules(folder: Path) -> Path:
    """The file for a log in a folder of ours."""
    text = LOGROTATE.read_text().replace("/var/lib/framejury", str(folder))
    path = folder / "rules"
    path.write_text(re.sub(r"(?m)^ *su .*\n", "", text))
    path.chmod(0o644)
    return path


def rotate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    if ROTATE is None:
        pytest.skip("no logrotate on this machine")
    command = [ROTATE, "--state", str(folder / "state"), *options, str(rules(folder))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_logrotate_takes_the_rules(tmp_path: Path) -> None:
    (tmp_path / "nightly.log").write_text("x\n")
    done = rotate(tmp_path, "--debug")
    assert done.returncode == 0 and "error" not in done.stderr.lower(), done.stderr
    assert "nightly.log" in done.stderr


def test_logrotate_would_refuse_wrong_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "logrotate"
    broken.write_text(LOGROTATE.read_text().replace("rotate 12", "rotate twelve"))
    monkeypatch.setattr(f"{__name__}.LOGROTATE", broken)
    (tmp_path / "nightly.log").write_text("x\n")
    assert "bad rotation count" in rotate(tmp_path, "--debug").stderr


def test_a_run_under_way_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "nightly.log"
    with log.open("a") as running:
        print("before", file=running, flush=True)
        assert rotate(tmp_path, "--force").returncode == 0
        print("after", file=running, flush=True)
    assert (tmp_path / "nightly.log.1").read_text() == "before\nafter\n"
    assert (log.read_text(), log.stat().st_mode & 0o777) == ("", 0o600)
    log.write_text("next\n")
    assert rotate(tmp_path, "--force").returncode == 0
    with gzip.open(tmp_path / "nightly.log.2.gz", "rt") as old:
        assert old.read() == "before\nafter\n"


def test_it_is_the_log_of_the_crontab() -> None:
    ((_, command),) = cron_lines()
    (log,) = re.findall(r">>(\S+)", command)
    assert re.findall(r"(?m)^(/\S+) \{", LOGROTATE.read_text()) == [log]
    assert "conf/schedule/logrotate" in CRONTAB.read_text()
