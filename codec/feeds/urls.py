"""What a websocket's URL may be."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

__all__ = ["one_or_several", "websocket_parts"]


def websocket_parts(url: str, server: str) -> SplitResult:
    """The parts of a `ws://` or `wss://` URL. server: whose it is, for the texts.

    Raises ValueError for what is none, or has a user's name or password in it.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("a URL is printable ASCII without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not _is_host(parts.netloc):
        raise ValueError(f"a {server} URL is ws://host... or wss://host...")
    if "@" in parts.netloc:
        raise ValueError("a URL carries no credentials: use `token`")
    if parts.fragment:
        raise ValueError("a websocket's URL has no fragment (#...)")
    return parts


def _is_host(netloc: str) -> bool:
    parts = urlsplit(f"//{netloc}")
    try:
        return bool(parts.hostname) and parts.port != 0 and not set(netloc) & set(" \\")
    except ValueError:  # of the port
        return False


def one_or_several(url: str | None, urls: Sequence[str] | None) -> Sequence[str]:
    """The URLs that a feed is given. Raises ValueError for both arguments, or none."""
    if (url is None) == (urls is None) or isinstance(urls, str):
        raise ValueError("either a url or a list of urls is needed")
    if url is not None:
        return [url]
    assert urls is not None
    if not urls:
        raise ValueError("urls is empty")
    return urls
