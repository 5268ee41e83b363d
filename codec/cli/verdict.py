"""The verdict on one message, and on its signature, in words."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from rich.text import Text

from codec.cli.terminal import BAD, GOOD, NOTE, mark_style, table
from codec.cli.text import printable
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from codec.cli.message import Message
    from codec.cli.signature import Signature

__all__ = ["message_verdict", "signature_table"]

_EXCERPT_LEN = 64


def message_verdict(message: Message) -> list[Text]:
    """What the core says of a message, and the text around a fault."""
    fault = message.fault
    if fault is None:
        n = 0 if message.batch is None else len(message.batch)
        return [Text(f"good: {n:,} update{'' if n == 1 else 's'}", GOOD)]
    word, style = "bad: ", BAD
    if fault.code == ErrorCode.NOT_DATA:  # a good message, but none with prices
        word, style = "", NOTE
    place = f"at byte {fault.offset:,} of the message"
    if fault.payload_offset is not None and not message.is_binary:
        place += f", byte {fault.payload_offset:,} of its payload"
    lines = [
        Text(f"{word}{fault.code}: {fault.code.description}", style),
        Text(place),
    ]
    if message.is_binary:
        return lines
    return lines + _excerpt(message.data, fault.offset, mark_style(fault.code))


def signature_table(signature: Signature) -> Table:
    """What was signed, by whom, and whether that is good."""
    result = table("", "")
    result.show_header = False
    if signature.digest is not None:
        result.add_row("digest", signature.digest)
        result.add_row("", Text("keccak256 of payload[65:], which was signed", "dim"))
        result.add_row("signer", signature.signer or "cannot be recovered")
    for i, signer in enumerate(signature.asked):
        result.add_row("" if i else "asked for", signer)
    for i, line in enumerate(_signature_lines(signature)):
        result.add_row("" if i else "signature", line)
    return result


def _signature_lines(signature: Signature) -> Iterator[Text]:
    fault, n_asked = signature.fault, len(signature.asked)
    if fault is not None:
        yield Text(f"bad: {fault.code}: {fault.code.description}", BAD)
        if fault.code not in (ErrorCode.UNSIGNED, ErrorCode.WRONG_SIGNER):
            yield Text(f"at byte {fault.offset} of the payload")
    elif n_asked:
        whose = "the signer" if n_asked == 1 else f"one of the {n_asked} signers"
        yield Text(f"good: by {whose} asked for", GOOD)
    else:
        yield Text("recovers to this signer, judged as the chain does", GOOD)
        yield Text("pass --signer to compare", "dim")


def _excerpt(data: bytes, at: int, style: str) -> list[Text]:
    """The text around a byte, and a mark below it."""
    half = _EXCERPT_LEN // 2
    before = _fitting([printable(bytes([b])) for b in data[:at][-half:]][::-1], half)
    after = _fitting([printable(bytes([b])) for b in data[at + 1 :][:half]], half)
    bad = printable(data[at : at + 1]) or " "
    lead = "".join(before[::-1])
    line = Text.assemble("  ", lead, (bad, style), "".join(after), no_wrap=True)
    return [line, Text(" " * (2 + len(lead)) + "^" * len(bad), "bold")]


def _fitting(pieces: list[str], width: int) -> list[str]:
    """The first pieces that fit into so many characters."""
    ends = accumulate(len(piece) for piece in pieces)
    return [piece for piece, end in zip(pieces, ends, strict=True) if end <= width]
