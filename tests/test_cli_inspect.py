"""What `stork-codec inspect` shows of good and bad messages, and of standard input."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import Any

import pytest
from fault_cases import FAULTS, LAYOUT_1, LAYOUT_2, signed, unsigned
from signature_cases import BAD, payload, resigned

import codec
from codec.cli import main
from codec.cli.demo import EXAMPLE
from codec.cli.message import is_binary, read_message, split_lines
from codec.cli.render import message_view
from codec.errors import ErrorCode

EXAMPLE_PAYLOAD = bytes.fromhex(EXAMPLE[2:].decode())
EXAMPLE_VALUES = [
    "0.999844999999999983",
    "0.999795007749999964",
    "12.695000000000000284",
    "2739.412583194596209068",
]
VERSIONED = codec.encode(
    [1, 7],
    [-1, 2],
    timestamp_ns=3,
    taxonomy_id=4,
    key=b"\x01" * 32,
    market_status=[0, 9],
)
UNSIGNED = unsigned(
    '[{"id":1,"v":"999875000000000069","ms":3},{"id":70000,"v":"-5"}]',
    ts="1764608698685038908",
)
TEXT_FAULTS = [case for case in FAULTS if case[1] != "payloads"]
Capture = pytest.CaptureFixture[str]


def as_bytes(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    return bytes(data)


def inspect(data: str | bytes, capsys: Capture) -> tuple[int, str]:
    """Exit status and output for an argument; nothing may stand on stderr."""
    status = main(["inspect", "--", os.fsdecode(as_bytes(data))])
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


def from_stdin(
    data: bytes, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    status = main(["inspect", "-"])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "data", "code", "offset"),
    [case[1:] for case in TEXT_FAULTS if case[3] != ErrorCode.PYTHON_TYPE],
    ids=[case[0] for case in TEXT_FAULTS if case[3] != ErrorCode.PYTHON_TYPE],
)
def test_text_faults(
    kind: str, data: Any, code: ErrorCode, offset: int, capsys: Capture
) -> None:
    text = as_bytes(data).removesuffix(b"\n" if kind == "lines" else b"")
    fault = read_message(text).fault
    assert fault is not None
    assert (fault.code, fault.offset) == (code, offset)
    status, out = inspect(text, capsys)
    assert status == 1
    assert f"{code}: {code.description}" in " ".join(out.split())
    assert f"at byte {offset:,} of the message" in out
    assert out.isascii()


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [c[2:] for c in FAULTS if c[1] == "payloads" and c[3] != ErrorCode.PYTHON_TYPE],
    ids=[c[0] for c in FAULTS if c[1] == "payloads" and c[3] != ErrorCode.PYTHON_TYPE],
)
def test_payload_faults(
    data: Any, code: ErrorCode, offset: int, capsys: Capture
) -> None:
    payload = bytes(data)
    fault = read_message(payload, binary=True).fault
    assert fault is not None
    assert (fault.code, fault.payload_offset) == (code, offset)
    for text in (payload.hex(), signed("0x" + payload.hex())):
        message = read_message(text.encode())
        if not text:
            continue
        assert message.fault is not None
        assert (message.fault.code, message.fault.payload_offset) == (code, offset)
        status, out = inspect(text, capsys)
        assert status == 1
        assert f"<< {code}" in out or not payload
        assert f"byte {offset} of its payload" in out


@pytest.mark.parametrize(
    "text",
    [
        signed(EXAMPLE.decode()),
        signed("0x" + VERSIONED.hex()),
        UNSIGNED,
        EXAMPLE.decode(),
        f"12 {VERSIONED.hex()}",
        '{ "type" : "signed_ecdsa" , "p":"\\u0030x' + LAYOUT_2 + '" }',
    ],
)
def test_cut_off_at_every_length(text: str) -> None:
    """The verdict is the core's, and all the digits that came are shown."""
    for length in range(len(text)):
        data = text[:length].encode()
        message = read_message(data)
        errors = codec.decode_lines(data or b"\n", on_error="skip").errors
        judged = [(e["code"], e["offset"]) for e in errors]
        fault = message.fault
        assert judged == ([(fault.code, fault.offset)] if fault else [])
        digits = re.search(r"(?:0x|u0030x|\b12 )([0-9a-f]+)", text[:length])
        if digits:
            assert message.payload is not None
            assert len(message.payload) == len(digits[1]) // 2
        assert list(message_view(message))


def test_good_messages(capsys: Capture) -> None:
    for text in (
        EXAMPLE.decode(),
        EXAMPLE.decode()[2:],
        signed(EXAMPLE.decode()),
        f"1764608822999000001 {signed(EXAMPLE.decode())}",
    ):
        status, out = inspect(text, capsys)
        assert status == 0
        assert "good: 4 updates" in out
        assert all(value in out for value in EXAMPLE_VALUES)
        assert "2025-12-01 17:07:02.324772939 UTC" in out
        assert ("received 2025-12-01 17:07:02.999000001 UTC" in out) == (" " in text)
    assert inspect(LAYOUT_1, capsys)[0] == 0


def test_unsigned_frame(capsys: Capture) -> None:
    status, out = inspect(UNSIGNED.replace("70000", "7"), capsys)
    assert status == 0
    for text in (
        "2025-12-01 17:04:58.685038908 UTC",
        "0.999875000000000069",
        "3 (after hours)",
        "-0.000000000000000005",
        "update 1",
        "good: 2 updates",
    ):
        assert text in out


def test_fault_in_an_unsigned_frame_is_marked(capsys: Capture) -> None:
    status, out = inspect(UNSIGNED, capsys)
    assert status == 1
    assert re.search(r'>\d+ +"id":70000 +id +70000 +update 1 +\n +<< out_of_range', out)
    *_, excerpt, mark = out.splitlines()
    assert excerpt[mark.index("^") :].startswith("70000")


def test_frame_of_another_type_is_shown_as_such(capsys: Capture) -> None:
    status, out = inspect('{"type":"error","data":"bad token","n":[1]}', capsys)
    assert status == 1
    assert "frame of type error" in out
    assert '"bad token"' in out
    assert "\nnot_data: " in out
    assert "bad: " not in out


def test_escapes_of_a_terminal_never_pass(capsys: Capture) -> None:
    nasty = '{"type":"\\u001b[31m","\x7f\u009b31m":"\u202e"}'
    assert inspect(nasty, capsys)[1].isascii()
    assert "\x7f" not in inspect(nasty, capsys)[1]


def test_binary_payload(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out = from_stdin(EXAMPLE_PAYLOAD, capsys, monkeypatch)
    assert status == 0
    assert out.startswith("binary payload, 147 bytes")
    status, out = from_stdin(EXAMPLE_PAYLOAD[:-1], capsys, monkeypatch)
    assert status == 1
    assert "invalid_length" in out


def test_first_of_several_lines(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"\n" + signed(EXAMPLE.decode()).encode() + b"\n\xff\n{\n"
    status, out = from_stdin(lines, capsys, monkeypatch)
    assert status == 0
    assert out.startswith("the first of 3 lines")


def test_what_is_one_message_of_a_file() -> None:
    frame = signed(EXAMPLE.decode()).encode()
    laid_out = frame.replace(b",", b",\n  ")
    assert split_lines(frame + b"\n") == (frame + b"\n", 1)
    assert split_lines(laid_out) == (laid_out, 1)
    assert split_lines(laid_out[:-1]) == (laid_out[:-1], 1)
    assert split_lines(b"12 " + frame + b"\n\n") == (b"12 " + frame, 1)
    assert split_lines(b"12 " + frame + b"\n13 " + frame) == (b"12 " + frame, 2)
    assert split_lines(frame[:-9] + b"\n" + frame) == (frame[:-9], 2)
    assert split_lines(b"zz\nab\n") == (b"zz", 2)
    assert split_lines(b"\n \n") == (b"\n \n", 0)
    assert split_lines(b"") == (b"", 0)


def test_what_is_binary() -> None:
    assert is_binary(EXAMPLE_PAYLOAD)
    assert is_binary(bytes(75))
    assert not is_binary(b"")
    assert not is_binary(EXAMPLE + b"\r\n")
    assert not is_binary(signed(EXAMPLE.decode()).encode() + b"\xff")
    assert not is_binary('{"type":"é"}'.encode())


# Signatures

MIXED = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
OTHER_MIXED = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"


def words(text: str) -> str:
    return " ".join(text.split())


def inspect_for(
    data: str, capsys: Capture, *signers: str, status: int | None = None
) -> str:
    """The output, its lines joined; with signers to ask for, and a status to expect."""
    argv = [arg for signer in signers for arg in ("--signer", signer)]
    found = main(["inspect", *argv, "--", data])
    out, err = capsys.readouterr()
    assert err == ""
    assert status is None or found == status
    return words(out)


@pytest.mark.parametrize("layout", [1, 2])
def test_signer_is_shown(layout: int, capsys: Capture) -> None:
    data = payload(3, layout=layout)
    digest = codec.keccak256(data[65:]).hex()
    for text in (data.hex(), signed("0x" + data.hex()), f"12 {data.hex()}"):
        shown = inspect_for(text, capsys, status=0)
        assert f"good: 3 updates digest {digest} keccak256 of payload[65:]" in shown
        assert f"signer {MIXED} signature recovers to this signer" in shown
        assert shown.endswith("pass --signer to compare")


def test_signer_of_the_documentation_example(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = "0x3db9E960ECfCcb11969509FAB000c0c96DC51830"
    assert f"signer {signer} " in inspect_for(EXAMPLE.decode(), capsys, status=0)
    status, out = from_stdin(EXAMPLE_PAYLOAD, capsys, monkeypatch)
    assert (status, f"signer     {signer}" in out) == (0, True)


def test_signer_asked_for(capsys: Capture) -> None:
    text = payload().hex()
    for signer in (MIXED, MIXED.lower(), MIXED[2:]):
        shown = inspect_for(text, capsys, signer, status=0)
        assert f"asked for {MIXED} " in shown
        assert shown.endswith("good: by the signer asked for")
    shown = inspect_for(text, capsys, OTHER_MIXED, MIXED, status=0)
    assert f"asked for {OTHER_MIXED} {MIXED} " in shown
    assert shown.endswith("good: by one of the 2 signers asked for")
    shown = inspect_for(text, capsys, OTHER_MIXED, status=1)
    assert (
        f"signer {MIXED} asked for {OTHER_MIXED} signature bad: wrong_signer" in shown
    )
    assert ErrorCode.WRONG_SIGNER.description in shown
    assert "<<" not in shown


@pytest.mark.parametrize(
    ("r", "s", "v", "code", "offset"), BAD.values(), ids=BAD.keys()
)
def test_bad_signature_is_explained(
    r: int, s: int, v: int, code: ErrorCode, offset: int, capsys: Capture
) -> None:
    text = resigned(payload(2), r, s, v).hex()
    for signers, status in ((), 0), ((MIXED,), 1):
        shown = inspect_for(text, capsys, *signers, status=status)
        assert "signer cannot be recovered" in shown
        assert f"signature bad: {code}: {code.description}" in shown
        assert shown.endswith(f"at byte {offset} of the payload")
        assert f">{offset} " in shown and f"<< {code}" in shown


def test_unsigned_messages_have_no_signer(capsys: Capture) -> None:
    text = UNSIGNED.replace("70000", "7")
    assert "signature" not in inspect_for(text, capsys, status=0)
    shown = inspect_for(text, capsys, MIXED, status=1)
    assert f"asked for {MIXED} signature bad: unsigned: the message" in shown


def test_malformed_messages_are_not_judged(capsys: Capture) -> None:
    for text in (payload().hex()[:-1], '{"type":"pong"}', "{"):
        shown = inspect_for(text, capsys, MIXED, status=1)
        assert "asked for" not in shown


@pytest.mark.parametrize(
    ("signer", "why"),
    [
        (MIXED.replace("E", "e"), "the checksum of EIP-55"),
        (MIXED[:-1], "40 hex digits"),
        ("vitalik.eth", "40 hex digits"),
        ("\x1b[31m", "40 hex digits"),
    ],
)
def test_wrong_signer_is_wrong_usage(signer: str, why: str, capsys: Capture) -> None:
    for command in ("inspect", "verify"):
        assert main([command, "ab", "--signer", MIXED, "--signer", signer]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        *_, last = err.splitlines()
        assert last.startswith(f"stork-codec {command}: argument --signer: ")
        assert why in last
        assert "[signer" not in last and "\x1b" not in last


def test_signature_fits_terminals(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = payload().hex()
    for columns in (20, 40, 80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["inspect", text, "--signer", OTHER_MIXED]) == 1
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= max(columns, 40)
        assert columns < 80 or f"signer     {MIXED}" in out
