"""`stork-codec verify`: archives good and bad, from files, pipes and terminals."""

from __future__ import annotations

import gzip
import os
import pty
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from fault_cases import FAULTS
from signature_cases import (
    BAD,
    KEY,
    OTHER,
    OTHER_KEY,
    SIGNER,
    UNSIGNED,
    payload,
    resigned,
)

import codec
from codec.cli import archive, main
from codec.cli.tally import HARMLESS, Tally
from codec.errors import ErrorCode
from codec.recording.segment import HEADER

MIXED = codec.checksum_address(SIGNER)
OTHER_MIXED = codec.checksum_address(OTHER)
ASKED = ["--signer", MIXED]
GOOD = codec.to_frame(payload(4))
GOOD_2 = b"1764608822324773000 " + codec.to_frame(payload(2, layout=2))
FOREIGN = codec.to_frame(payload(2, OTHER_KEY))
SUBSCRIBED = b'{"type":"subscribe","data":{"id":1}}'
BY_CODE = {code: (resigned(payload(), *parts), at) for *parts, code, at in BAD.values()}
Capture = pytest.CaptureFixture[str]


def malformed_lines() -> dict[ErrorCode, tuple[bytes, int]]:
    """For each code a line, and the byte of its message that is at fault."""
    found = {}
    for _, kind, data, code, offset in FAULTS:
        if kind == "payloads" or not isinstance(data, (str, bytes)):
            continue
        text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        line = text.removesuffix(b"\n")
        if b"\n" not in line and code not in HARMLESS:
            found[code] = line, offset
    return found


MALFORMED = malformed_lines()


def write(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def verify(capsys: Capture, *argv: str) -> tuple[int, str]:
    """Exit status and output, runs of white space as one space."""
    status = main(["verify", *argv])
    out, err = capsys.readouterr()
    assert err == ""
    return status, " ".join(out.split())


def process(
    *argv: str, data: bytes = b"", script: str | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    how = ["-m", "codec"] if script is None else ["-c", script]
    return subprocess.run(
        [sys.executable, *how, "verify", *argv],
        input=data,
        capture_output=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("threads", ["0", "1", "2"])
def test_good_archive(threads: str, tmp_path: Path, capsys: Capture) -> None:
    lines = [GOOD, GOOD_2, payload(7).hex().encode(), b"", SUBSCRIBED] * 60
    name = write(tmp_path / "a.ndjson", *lines)
    status, out = verify(capsys, name, *ASKED, "--threads", threads)
    assert status == 0
    assert out.startswith(f"{name}: 300 lines lines status 180 verified ")
    assert "60 empty the message is empty (no failure)" in out
    assert "60 not_data " in out
    assert re.search(r"240 messages in [\d.]+ s: [\d,]+ messages/s good: 180 ", out)


@pytest.mark.parametrize("end", [b"\n", b"", b"\r\n", b"\n\n"])
def test_end_of_the_last_line(end: bytes, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "archive"
    path.write_bytes(GOOD + b"\n" + GOOD + end)
    assert verify(capsys, str(path), *ASKED)[0] == 0


def test_one_of_several_signers(tmp_path: Path, capsys: Capture) -> None:
    name = write(tmp_path / "archive", GOOD, FOREIGN)
    both = ["--signer", OTHER_MIXED.lower(), "--signer", MIXED[2:]]
    assert verify(capsys, name, *both)[0] == 0
    for asked, line, signed_by in (
        (MIXED, 2, OTHER_MIXED),
        (OTHER_MIXED, 1, MIXED),
    ):
        status, out = verify(capsys, name, "--signer", asked)
        assert status == 1
        assert "1 verified " in out
        assert f"1 wrong_signer {ErrorCode.WRONG_SIGNER.description}" in out
        assert f"{line} wrong_signer byte 0 of the payload signed by {signed_by}" in out
        assert out.endswith("bad: 1 failure among 2 messages")


@pytest.mark.parametrize("code", BY_CODE, ids=str)
def test_each_bad_signature(code: ErrorCode, tmp_path: Path, capsys: Capture) -> None:
    data, offset = BY_CODE[code]
    lines = [GOOD, b"", GOOD, codec.to_frame(data), GOOD]
    status, out = verify(capsys, write(tmp_path / "archive", *lines), *ASKED)
    assert status == 1
    assert (
        f"3 verified signed as the chain demands, by a signer asked for 1 {code} "
        in (out)
    )
    assert f"1 {code} {code.description}" in out
    assert f"4 {code} byte {offset} of the payload" in out
    assert "signed by 0x" not in out


@pytest.mark.parametrize("code", MALFORMED, ids=str)
def test_each_malformed_line(code: ErrorCode, tmp_path: Path, capsys: Capture) -> None:
    data, offset = MALFORMED[code]
    lines = [SUBSCRIBED, GOOD, data, GOOD]
    status, out = verify(capsys, write(tmp_path / "archive", *lines), *ASKED)
    assert status == 1
    assert "2 verified " in out
    assert f"1 {code} {code.description}" in out
    assert f"3 {code} byte {offset:,} of the message" in out


def test_every_status_is_tested() -> None:
    never = {ErrorCode.PYTHON_TYPE, ErrorCode.TOO_LARGE}  # lines cannot be so
    elsewhere = {*HARMLESS, ErrorCode.UNSIGNED, ErrorCode.WRONG_SIGNER}
    of_the_aggregator = {
        ErrorCode.UNTRUSTED_SIGNER,
        ErrorCode.MISMATCH,
        ErrorCode.UNSUPPORTED_SIGNATURE_TYPE,
    }
    tested = {*BY_CODE, *MALFORMED}
    assert tested | never | elsewhere | of_the_aggregator == set(ErrorCode)


def test_unsigned_messages_fail(tmp_path: Path, capsys: Capture) -> None:
    name = write(tmp_path / "archive", GOOD, UNSIGNED.encode())
    status, out = verify(capsys, name, *ASKED)
    assert status == 1
    assert "1 unsigned the message carries no signature" in out
    assert "2 unsigned no signature" in out
    status, out = verify(capsys, write(tmp_path / "b", UNSIGNED.encode()), *ASKED)
    assert status == 1
    assert out.endswith("bad: 1 failure among 1 message, none of them signed")


@pytest.mark.parametrize("lines", [[], [b""], [b"", b" \t\r"], [SUBSCRIBED, b""]])
def test_nothing_signed_fails(
    lines: list[bytes], tmp_path: Path, capsys: Capture
) -> None:
    status, out = verify(capsys, write(tmp_path / "archive", *lines), *ASKED)
    assert status == 1
    assert out.endswith("bad: there is no signed message to verify")
    assert "nan" not in out


def test_first_failures_by_line(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [codec.to_frame(data) for data, _ in BY_CODE.values()]
    lines = [GOOD, b"zz", *bad[:2], b"", SUBSCRIBED, UNSIGNED.encode(), b"{", FOREIGN]
    lines = [*lines, GOOD] * 3
    name = write(tmp_path / "archive", *lines)
    expected = verify(capsys, name, *ASKED)
    _, _, listed = expected[1].partition(
        "the first 5 of 18 that fail line status where"
    )
    found = re.findall(r"(\d+) ([a-z_]+) (?:byte|no signature)", listed)
    assert [int(line) for line, _ in found] == [2, 3, 4, 7, 8]
    assert found[0][1] == "invalid_hex" and found[3][1] == "unsigned"
    # In chunks of a line or two it is the same.
    monkeypatch.setattr(archive, "CHUNK_LEN", 500)
    status, out = verify(capsys, name, *ASKED)
    assert (status, time_cut(out)) == (1, time_cut(expected[1]))
    monkeypatch.setattr(archive, "CHUNK_LEN", 1)
    assert time_cut(verify(capsys, name, *ASKED)[1]) == time_cut(out)


def time_cut(out: str) -> str:
    return re.sub(r"in [\d.]+ s: [\d,]+ messages/s", "", out)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("chunk_len", [1, 2, 3, 7, 8, 9, 100])
def test_chunks_are_whole_lines(
    chunk_len: int, end: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "CHUNK_LEN", chunk_len)
    data = b"\n\na\nbb\n\n0123456789012\nccc\n7777777" + end
    path = tmp_path / "archive"
    path.write_bytes(data)
    with archive.open_archive(str(path)) as file:
        assert archive.remaining_len(file) == len(data)
        found = list(archive.chunks(file))
        assert archive.remaining_len(file) == 0
    assert b"".join(found) == data
    assert all(chunk.endswith(b"\n") for chunk in found[:-1])


def test_long_lines_have_a_limit(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = b" " * 6000 + GOOD
    monkeypatch.setattr(archive, "CHUNK_LEN", 1000)
    name = write(tmp_path / "archive", GOOD, GOOD, long, GOOD)
    assert verify(capsys, name, *ASKED)[0] == 0
    monkeypatch.setattr(archive, "MAX_LINE_LEN", 5000)
    assert main(["verify", name, *ASKED]) == 1
    out, err = capsys.readouterr()
    assert "2 lines" in out and "so far 2 signed messages verified" in out
    assert "good" not in out
    assert err.startswith("stork-codec: a line does not end within 5,000 bytes")
    assert err.count("\n") == 1


LOW_LIMIT = """
import sys
from codec.cli import archive, main
archive.MAX_LINE_LEN = archive.CHUNK_LEN = 1 << 20
sys.exit(main(sys.argv[1:]))
"""


def test_huge_line_on_standard_input() -> None:
    done = process("-", *ASKED, data=b"0" * (3 << 20), script=LOW_LIMIT)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"stork-codec: a line does not end within 1,048,576 ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_endless_line_takes_bounded_memory() -> None:
    tracemalloc.start()
    try:
        with (
            archive.open_archive("/dev/zero") as file,
            pytest.raises(archive.LineTooLongError, match="67,108,864 bytes"),
        ):
            list(archive.chunks(file))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * archive.MAX_LINE_LEN


@pytest.mark.parametrize("threads", ["1", "2"])
def test_standard_input(threads: str, tmp_path: Path) -> None:
    lines = [GOOD, GOOD_2, SUBSCRIBED] * 200
    name = write(tmp_path / "archive", *lines)
    data = Path(name).read_bytes()
    with open(name, "rb") as file:
        file.seek(len(GOOD) + 1)
        redirected = subprocess.run(
            [sys.executable, "-m", "codec", "verify", "-", *ASKED],
            stdin=file,
            capture_output=True,
            check=False,
        )
    assert redirected.stdout.startswith(b"standard input: 599 lines\n")
    done = process("-", *ASKED, "--threads", threads, data=data)
    for result in (done, redirected):
        assert (result.returncode, result.stderr) == (0, b"")
    assert done.stdout.startswith(b"standard input: 600 lines\n")
    assert process("-", *ASKED, data=data + FOREIGN).returncode == 1
    assert process("-", *ASKED).returncode == 1


def test_slow_pipe_is_read_to_its_end() -> None:
    """A line comes in two halves, the break longer than the reader's patience."""
    with subprocess.Popen(
        [sys.executable, "-m", "codec", "verify", "-", *ASKED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as running:
        assert running.stdin and running.stdout
        for part in (GOOD + b"\n" + GOOD[:50], GOOD[50:] + b"\n", GOOD):
            running.stdin.write(part)
            time.sleep(0.4)
        running.stdin.close()
        assert b"good: 3 signed messages" in running.stdout.read()
        assert running.wait(30) == 0


def test_input_that_does_not_wait_is_no_end() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "codec", "verify", "-", *ASKED],
            stdin=read_end,
            capture_output=True,
            check=False,
            timeout=30,
        )
    finally:
        os.close(read_end)
        os.close(write_end)
    assert done.returncode == 1
    assert b"does not wait" in done.stderr and done.stderr.count(b"\n") == 1


def test_closed_standard_input() -> None:
    command = f"{sys.executable} -m codec verify - --signer {MIXED} <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"stork-codec: ") and done.stderr.count(b"\n") == 1


def test_files_that_cannot_be_read(tmp_path: Path, capsys: Capture) -> None:
    for name, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "none\x1b[31m\n", "No such file"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        assert main(["verify", str(name), *ASKED]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("stork-codec: ") and err.count("\n") == 1
        assert why in err and "\x1b" not in err


def test_file_without_permission(tmp_path: Path, capsys: Capture) -> None:
    name = write(tmp_path / "archive", GOOD)
    assert main(["verify", name, *ASKED]) == 0  # and all that it imports is there
    os.chmod(name, 0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything, nobody may not
    try:
        assert main(["verify", name, *ASKED]) == 1
    finally:
        os.seteuid(user)
    assert "Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("compressed", [gzip.compress(b"x"), HEADER])
def test_compressed_archives_are_told_apart(
    compressed: bytes, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "archive"
    path.write_bytes(compressed)
    assert main(["verify", str(path), "--signer", "0x" + "11" * 20]) == 1
    assert "stork-codec replay PATH | stork-codec verify -" in capsys.readouterr().err


def test_name_of_the_file_is_shown_plainly(tmp_path: Path, capsys: Capture) -> None:
    name = write(tmp_path / "a\x1b[31m[bold]", GOOD)
    assert main(["verify", name, *ASKED]) == 0
    assert "a\\x1b[31m[bold]: 1 line\n" in capsys.readouterr().out


@pytest.mark.parametrize("threads", ["-1", "x", "1.5", "", "10000", "٣"])
def test_threads_are_a_count(threads: str, capsys: Capture) -> None:
    assert main(["verify", "-", *ASKED, f"--threads={threads}"]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert "argument --threads: a number from 0 to 9999 is needed, not " in last


def test_piped_output_is_plain_and_80_columns_wide(tmp_path: Path) -> None:
    bad = [codec.to_frame(data) for data, _ in BY_CODE.values()]
    lines = [GOOD, *bad, FOREIGN, SUBSCRIBED, b"", b"zz", UNSIGNED.encode()]
    name = write(tmp_path / "archive", *lines)
    for colour in ("", "1"):
        done = process(name, *ASKED, COLUMNS="80", NO_COLOR="", FORCE_COLOR=colour)
        assert (done.returncode, done.stderr) == (1, b"")
        assert done.stdout.isascii()
        if not colour:
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
            assert max(map(len, done.stdout.splitlines())) <= max(80, len(name) + 10)


def archive_of(path: Path, n_messages: int) -> str:
    """A large archive, quickly made of one line."""
    path.write_bytes((GOOD + b"\n") * n_messages)
    return str(path)


def in_terminal(
    *argv: str, interrupt_at: bytes | None = None
) -> tuple[int, bytes, bytes]:
    """Exit status, stdout, and what a terminal gets as stderr.

    interrupt_at: Ctrl-C comes when this (a pattern) has been shown.
    """
    terminal, end = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "codec", "verify", *argv],
        stdout=subprocess.PIPE,
        stderr=end,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(end)
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
            if interrupt_at and re.search(interrupt_at, shown):
                running.send_signal(signal.SIGINT)
                interrupt_at = None
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    out, _ = running.communicate(timeout=30)
    return running.returncode, out, shown


def test_bar_in_a_terminal(tmp_path: Path) -> None:
    status, out, shown = in_terminal(archive_of(tmp_path / "archive", 20_000), *ASKED)
    assert status == 0
    assert b"good: 20,000 signed messages" in out and b"\x1b" not in out
    assert re.search(rb"[\d.]+/\d+\.\d MB", shown)
    assert b"MB/s" in shown and b"0:00:0" in shown


def n_so_far(out: bytes) -> int:
    count = re.search(
        rb"ended early, .* so far ([\d,]+) signed messages? verified", out
    )
    assert count
    return int(count[1].replace(b",", b""))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the commands that are run time to be interrupted: 30 us a signature."""
    monkeypatch.setenv("STORK_CODEC_VERIFY", "libsecp256k1")


@pytest.mark.usefixtures("slow")
def test_interrupt_in_a_terminal(tmp_path: Path) -> None:
    name = archive_of(tmp_path / "archive", 200_000)
    status, out, shown = in_terminal(
        name, *ASKED, "--threads", "1", interrupt_at=rb"[1-9][\d.]*/\d+\.\d MB"
    )
    assert status == 130
    assert 0 < n_so_far(out) < 100_000  # so it was prompt
    assert b"Traceback" not in shown
    assert shown.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h"))  # the bar is gone


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_interrupt_shows_the_counts(threads: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "codec", "verify", "-", *ASKED, "--threads", threads],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert running.stdin
    n_messages = 3 * archive.CHUNK_LEN // len(GOOD)
    data = (GOOD + b"\n") * n_messages
    while data:  # so much is no longer in the pipe that a chunk has been counted
        data = data[running.stdin.write(data) :]
    begin = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    assert time.monotonic() - begin < 2
    out, err = running.communicate()
    assert err == b""
    assert 0 < n_so_far(out) < n_messages


def test_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "codec", "verify", "-", *ASKED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdin and running.stdout and running.stderr
    running.stdout.close()
    running.stdin.write(GOOD)
    running.stdin.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(30) == 141


def test_tally_adds_up() -> None:
    tally = Tally([SIGNER])
    decoder = codec.Decoder(signers=[SIGNER], on_bad_signature="mark")
    chunks: list[Any] = [
        (b"", 0, 0, 0, 0),
        (GOOD, 1, 1, 0, 1),
        (b"\n" + SUBSCRIBED, 3, 2, 0, 1),
        (UNSIGNED.encode() + b"\n" + FOREIGN, 5, 4, 2, 2),
        (b"zz\n" + GOOD, 7, 6, 3, 3),
    ]
    for data, n_lines, n_messages, n_failed, n_signed in chunks:
        tally.add(decoder.decode_lines(data, on_error="skip"))
        assert (tally.n_lines, tally.n_messages) == (n_lines, n_messages)
        assert (tally.n_failed, tally.n_signed) == (n_failed, n_signed)
    assert [failure.line for failure in tally.failures] == [4, 5, 6]


def test_key_of_the_tests_is_their_signer() -> None:
    (found,) = codec.decode_payloads(payload(key=KEY)).recover()
    assert found["address"].tobytes() == SIGNER
