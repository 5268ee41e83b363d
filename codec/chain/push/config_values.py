"""Single values of a configuration: numbers, names, addresses, URLs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codec.addresses import checksum_address, read_signers
from codec.chain.push.quantities import read_duration
from codec.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "address",
    "feed_url",
    "id_range",
    "integer",
    "node_url",
    "one_of",
    "open_node_url",
    "positive",
    "proxy_url",
]

_INTEGER = re.compile(r"[0-9]{1,20}")
_IDS = re.compile(r"([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?")
_ELSEWHERE = "give it as {env: NAME} or {file: PATH}"
# So many of these without a break are an API key, not a word of a path.
_KEY_LIKE = re.compile(r"[A-Za-z0-9_-]{20,}")


def integer(low: int, high: int) -> Callable[[str], int]:
    """Reads an integer of a range. Raises ValueError."""

    def read(text: str) -> int:
        number = int(text) if _INTEGER.fullmatch(text) else -1
        if not low <= number <= high:
            raise ValueError(
                f"an integer in {low} .. {high} is needed, not {text[:50]!r}"
            )
        return number

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of some words. Raises ValueError."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)} is needed, not {text[:50]!r}")
        return text

    return read


def positive(text: str) -> float:
    """A duration above 0. Raises ValueError."""
    seconds = read_duration(text)
    if not seconds > 0:
        raise ValueError(f"a duration above 0 is needed, not {text!r}")
    return seconds


def address(text: str) -> str:
    """An address with its checksum. Raises ValueError."""
    try:
        (found,) = read_signers(text)
    except SignatureError as error:
        raise ValueError(str(error).removesuffix(" [signer 0]")) from None
    return checksum_address(found)


def id_range(text: str) -> list[int]:
    """The asset ids of a text as 7 or 10-20. Raises ValueError."""
    found = _IDS.fullmatch(text.strip())
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if low > high or high > 65535:
        raise ValueError(f"an id or a range as 10-20 is needed, not {text[:50]!r}")
    return list(range(low, high + 1))


def feed_url(text: str) -> str:
    """A feed's URL. Raises ValueError, that does not show it."""
    _url(text, ("ws", "wss"), "wss://host/ws")
    if "@" in urlsplit(text).netloc or "#" in text:
        raise ValueError("a feed's URL has no user, no password and no fragment (#...)")
    return text


def node_url(text: str) -> str:
    """A node's URL. Raises ValueError, that does not show it."""
    return _url(text, ("http", "https"), "https://host")


def open_node_url(text: str) -> str:
    """The same, of one that everybody may read. Raises ValueError for what looks as if
    there were a key in it."""
    parts = urlsplit(node_url(text))
    if "@" in parts.netloc or parts.query or _KEY_LIKE.search(parts.path):
        raise ValueError(f"there seems to be a key in this URL; {_ELSEWHERE}")
    return text


def proxy_url(text: str) -> str:
    """A proxy's URL, that everybody may read. Raises ValueError, that does not show
    it."""
    _url(text, ("http", "https", "socks4", "socks5", "socks5h"), "http://host:port")
    if "@" in urlsplit(text).netloc:
        raise ValueError(f"there is a password in this URL; {_ELSEWHERE}")
    return text


def _url(text: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in schemes and bool(parts.hostname)
        is_good = is_good and (parts.port is None or parts.port > 0)
    except ValueError:
        is_good = False
    if not is_good or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"a URL as {example} is needed")
    return text
