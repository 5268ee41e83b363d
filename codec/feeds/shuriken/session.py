"""Sessions without a socket: what is asked of the API, and what its answers say."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from codec import jsontext
from codec.errors import FeedError
from codec.feeds import pusher_words
from codec.feeds.words import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Asked",
    "FilterInfo",
    "Resolved",
    "Session",
    "SessionError",
    "StreamInfo",
    "error_words",
    "read_auth",
    "read_catalogue",
    "read_session",
    "resolve",
]

Asked: TypeAlias = tuple[str, Mapping[str, str]]  # a stream and its filter

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
_NAME_LEN = 1000
_TEXT_LEN = 64 << 10
_LONGEST_DELAY_S = 300.0
_SHORTEST_DELAY_S = 0.001
_MOST_DELAYS = 32
_MOST_STREAMS = 10_000


class SessionError(FeedError):
    """The API gave no usable answer.

    status: HTTP's, 0 where none came. code, request_id: the API's, empty where it told
    none. is_lasting: another attempt would fail as well. retry_after_s: how long the
    API wants to be left alone.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        is_lasting: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.request_id = request_id
        self.is_lasting = is_lasting
        self.retry_after_s = retry_after_s
        super().__init__(reason)

    @property
    def is_refusal(self) -> bool:
        """The API has understood, and does not want what was asked for: it says so in
        its own words, or by 400 or 422. Other answers are of other servers."""
        is_told = bool(self.code) or self.status in (400, 422)
        return self.is_lasting and 400 <= self.status < 500 and is_told


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a subscription's events are to be had. is_private: by authorisation."""

    stream: str
    channel: str
    event: str
    is_private: bool
    schema_id: str
    schema_url: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What a bootstrap gave.

    auth_endpoint: as it was given, empty where there was none. delays_s: recommended
    before the first, second ... reconnection, empty where none were. resolved: of each
    subscription that was asked for, in that order; a text says why one was not.
    """

    app_key: str
    ws_host: str
    ws_port: int
    force_tls: bool
    auth_endpoint: str
    delays_s: tuple[float, ...]
    resolved: tuple[Resolved | str, ...]

    def url(self, *, client: str, version: str, tls: bool = False) -> str:
        """The socket's. tls: even where the session does not ask for it."""
        return pusher_words.connection_url(
            self.ws_host,
            self.ws_port,
            self.app_key,
            tls=tls or self.force_tls,
            client=client,
            version=version,
        )


@dataclass(frozen=True, slots=True)
class FilterInfo:
    """A field of a stream's filter."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """An entry of the catalogue of streams. visibility: public or presence."""

    id: str
    visibility: str
    filters: tuple[FilterInfo, ...]
    event: str
    payload_format: str
    payload_schema_id: str


def read_session(body: bytes, asked: Sequence[Asked]) -> Session:
    """The bootstrap's answer, bare or in `{"data": ...}`.

    Raises SessionError for what is none.
    """
    fields = _unwrapped(body)
    connection = _mapping(fields, "connection")
    tls = connection.get("forceTls", True)
    if not isinstance(tls, bool):
        raise _bad("forceTls is no boolean")
    session = fields.get("session")
    delays = session.get("recommendedReconnectBackoffMs") if _is_map(session) else None
    return Session(
        app_key=_text(connection, "appKey"),
        ws_host=_host(connection),
        ws_port=_port(connection, tls=tls),
        force_tls=tls,
        auth_endpoint=_text(connection, "authEndpoint", default=""),
        delays_s=_delays_s(delays),
        resolved=resolve(asked, fields.get("subscriptions")),
    )


def resolve(asked: Sequence[Asked], entries: object) -> tuple[Resolved | str, ...]:
    """What each subscription became, in the order in which they were asked for.

    Several may name one stream with different filters, and entries have no filter: the
    n-th belongs to the n-th that was asked for, by its stream's name in whichever
    spelling. Entries that do have filters are found by them, and never belong to what
    was asked for with another. Where the answer has another order, or leaves some out,
    they are found by name if no stream stands twice on either side. Whatever else does
    not fit raises SessionError: an event must never be taken for another token's.
    """
    if not isinstance(entries, list) or len(entries) > _MOST_STREAMS:
        raise _bad("it has no list of subscriptions")
    found = [entry if _is_map(entry) else {} for entry in entries]
    names = [_spelled(entry.get("stream")) for entry in found]
    wanted = [_spelled(stream) for stream, _ in asked]
    if found and all(_is_map(entry.get("filter")) for entry in found):
        by_filter = {
            (name, _filter_key(entry["filter"])): entry
            for name, entry in zip(names, found, strict=True)
        }
        keys = [
            (name, _filter_key(given))
            for name, (_, given) in zip(wanted, asked, strict=True)
        ]
        if len(by_filter) == len(found) and set(by_filter) <= set(keys):
            return tuple(_resolved(by_filter.get(key)) for key in keys)
    if names == wanted:
        for entry, (_, given) in zip(found, asked, strict=True):
            if _is_map(entry.get("filter")) and _is_another(entry["filter"], given):
                raise _bad("its filters are others than those that were asked for")
        return tuple(_resolved(entry) for entry in found)
    by_name = dict(zip(names, found, strict=True))
    is_each_once = len(by_name) == len(names) and len(set(wanted)) == len(wanted)
    if is_each_once and set(names) <= set(wanted):
        return tuple(_resolved(by_name.get(name)) for name in wanted)
    raise _bad(
        f"it resolves {len(names)} subscriptions, and not those {len(wanted)} that were"
        " asked for in their order"
    )


def read_auth(body: bytes) -> tuple[str, str | None]:
    """`auth` and `channel_data` of an authorisation. Raises SessionError."""
    fields = _unwrapped(body, key="auth")
    auth, data = fields.get("auth"), fields.get("channel_data")
    if not (isinstance(auth, str) and 0 < len(auth) <= _TEXT_LEN):
        raise _bad("it has no auth")
    if data is not None and not (isinstance(data, str) and len(data) <= _TEXT_LEN):
        raise _bad("its channel_data is no text")
    try:
        (auth + (data or "")).encode()
    except UnicodeEncodeError:
        raise _bad("its text is no Unicode") from None
    return auth, data


def read_catalogue(body: bytes) -> list[StreamInfo]:
    """The catalogue's streams. Raises SessionError for what is no catalogue."""
    streams = _unwrapped(body, key="streams").get("streams")
    if not isinstance(streams, list) or len(streams) > _MOST_STREAMS:
        raise _bad("it has no list of streams")
    return [_stream(entry) for entry in streams if _is_map(entry)]


def error_words(body: bytes) -> tuple[str, str, str]:
    """Code, message and request id of a refusal; empty where there are none."""
    fields = _object(body) or {}
    error = fields.get("error")
    code = message = ""
    if _is_map(error):
        code, message = _word(error.get("code")), _word(error.get("message"))
    elif isinstance(error, str):
        message = shown(error)
    return code, message, _word(fields.get("requestId"))


def _stream(entry: Mapping[str, Any]) -> StreamInfo:
    given = entry.get("filters")
    filters = [
        FilterInfo(
            _word(each.get("name")),
            each.get("required") is True,
            _word(each.get("description")),
        )
        for each in (given if isinstance(given, list) else [])[:100]
        if _is_map(each)
    ]
    names = ("event", "payloadFormat", "payloadSchemaId")
    event, payload_format, schema_id = (_word(entry.get(name)) for name in names)
    return StreamInfo(
        _word(entry.get("id")),
        _word(entry.get("visibility")),
        tuple(filters),
        event,
        payload_format,
        schema_id,
    )


def _resolved(entry: Mapping[str, Any] | None) -> Resolved | str:
    if entry is None:
        return "the session does not resolve it"
    channel, event = entry.get("channel"), entry.get("event")
    if not _is_name(channel) or not _is_name(event):
        return "the session names no channel or event for it"
    payload_format = entry.get("payloadFormat", "json")
    if payload_format != "json":
        return f"its payloads are not JSON but {shown(str(payload_format))}"
    url = entry.get("payloadSchemaUrl")
    return Resolved(
        stream=_word(entry.get("stream")),
        channel=channel,
        event=event,
        is_private=entry.get("visibility", "public") != "public",
        schema_id=_word(entry.get("payloadSchemaId")),
        schema_url=shown(url, _NAME_LEN) if isinstance(url, str) else None,
    )


def _spelled(stream: object) -> str:
    """A stream's id so that both spellings of it are the same."""
    return stream.replace(".", "").lower() if isinstance(stream, str) else ""


def _filter_key(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in given.items()))


def _is_another(filter_: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    """Whether a filter speaks against being the one that was asked for; a server may
    spell addresses in other letters, and fill in what was left out."""
    return any(
        name in given and str(value).lower() != given[name].lower()
        for name, value in filter_.items()
    )


def _unwrapped(body: bytes, key: str = "connection") -> Mapping[str, Any]:
    fields = _object(body)
    if fields is None:
        raise _bad(f"it is no JSON object: {shown(body)}")
    inner = fields.get("data")
    return inner if key not in fields and _is_map(inner) else fields


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        fields = jsontext.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _is_map(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_name(value: object) -> TypeGuard[str]:
    is_short = isinstance(value, str) and 0 < len(value) <= _NAME_LEN
    return is_short and str(value).isprintable()


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise _bad(f"it has no {name}")
    return value


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not _is_name(value):
        raise _bad(f"its {name} is no text")
    return value


def _host(connection: Mapping[str, Any]) -> str:
    host = _text(connection, "wsHost").removeprefix("[").removesuffix("]")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _bad("its wsHost is no host") from None
    if not _HOST.fullmatch(host):
        raise _bad("its wsHost is no host")
    return host


def _port(connection: Mapping[str, Any], *, tls: bool) -> int:
    port = connection.get("wsPort", 443 if tls else 80)
    if type(port) is not int or not 0 < port < 1 << 16:
        raise _bad("its wsPort is no port")
    return port


def _delays_s(delays_ms: object) -> tuple[float, ...]:
    """Those that make sense, none longer than five minutes."""
    return tuple(
        min(max(ms / 1e3, _SHORTEST_DELAY_S), _LONGEST_DELAY_S)
        for ms in (delays_ms if isinstance(delays_ms, list) else [])[:_MOST_DELAYS]
        if isinstance(ms, int | float) and abs(ms) < math.inf and ms < 1e12
    )


def _word(value: object) -> str:
    return shown(value) if isinstance(value, str) else ""


def _bad(reason: str) -> SessionError:
    return SessionError(f"an answer that makes no sense: {reason}", is_lasting=True)
