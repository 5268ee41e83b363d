"""What a token has to be, so that it fits a header."""

from __future__ import annotations

__all__ = ["unfit"]


def unfit(token: object) -> str:
    """Why a token fits no header, or an empty text; never a word of the token."""
    if not isinstance(token, str):
        return f"a token is a str, not {type(token).__name__}"
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        return "a token is printable ASCII without spaces"
    return ""
