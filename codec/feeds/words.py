"""What others say, made fit for logs and terminals."""

from __future__ import annotations

__all__ = ["shown"]


def shown(text: str | bytes, length: int = 200) -> str:
    """The beginning of a text, whatever it holds, in one line of printable characters.

    White space becomes spaces; what else cannot be printed, or is no UTF-8, is escaped.
    """
    if isinstance(text, bytes):
        text = text[: 4 * length].decode("utf-8", "backslashreplace")
    words = " ".join(text[: 4 * length].split())
    printable = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in words
    )
    return printable[:length]
