"""Which failures are tried again, after how long, and how delays grow."""

from __future__ import annotations

import asyncio
import pickle
import random
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import FeedAuthError, FeedClosed, FeedError, FeedProtocolError
from codec.feeds.retry import (
    Backoff,
    ConnectionLost,
    HandshakeRefused,
    Verdict,
    judge,
    retry_after_s,
)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


AUTH, PROTOCOL, PLAIN = FeedAuthError, FeedProtocolError, FeedError
# failure; what becomes of it before valid data has come, and after: what is raised,
# None where it waits.
CASES: list[tuple[Exception, type[FeedError] | None, type[FeedError] | None]] = [
    # The server does not want this client.
    (HandshakeRefused(401), AUTH, AUTH),
    (HandshakeRefused(403, "Forbidden"), AUTH, AUTH),
    (ConnectionLost(3000), AUTH, AUTH),
    (ConnectionLost(3003, "forbidden"), AUTH, AUTH),
    (FeedAuthError("no token"), AUTH, AUTH),
    (ConnectionLost(1010, "permessage-deflate"), PROTOCOL, PROTOCOL),
    # Settings are wrong, unless they have been right before.
    (HandshakeRefused(100), PROTOCOL, None),
    (HandshakeRefused(200), PROTOCOL, None),
    (HandshakeRefused(204), PROTOCOL, None),
    (HandshakeRefused(301), PROTOCOL, None),
    (HandshakeRefused(302), PROTOCOL, None),
    (HandshakeRefused(308), PROTOCOL, None),
    (HandshakeRefused(400), PROTOCOL, None),
    (HandshakeRefused(402), PROTOCOL, None),
    (HandshakeRefused(404), PROTOCOL, None),
    (HandshakeRefused(407), PROTOCOL, None),
    (HandshakeRefused(410), PROTOCOL, None),
    (HandshakeRefused(426), PROTOCOL, None),
    (HandshakeRefused(499), PROTOCOL, None),
    (FeedProtocolError("no websocket"), PROTOCOL, None),
    (FeedError("the token could not be had"), PLAIN, None),
    (untrusted(), PLAIN, None),
    # Time may cure it.
    (HandshakeRefused(408), None, None),
    (HandshakeRefused(425), None, None),
    (HandshakeRefused(429), None, None),
    (HandshakeRefused(500), None, None),
    (HandshakeRefused(502), None, None),
    (HandshakeRefused(503), None, None),
    (HandshakeRefused(504), None, None),
    (HandshakeRefused(599), None, None),
    (ConnectionLost(1000), None, None),
    (ConnectionLost(1001, "going away"), None, None),
    (ConnectionLost(1002), None, None),
    (ConnectionLost(1003), None, None),
    (ConnectionLost(1006), None, None),
    (ConnectionLost(1007), None, None),
    (ConnectionLost(1008, "policy"), None, None),
    (ConnectionLost(1009), None, None),
    (ConnectionLost(1011), None, None),
    (ConnectionLost(1012), None, None),
    (ConnectionLost(1013), None, None),
    (ConnectionLost(1015), None, None),
    (ConnectionLost(3001), None, None),
    (ConnectionLost(4000), None, None),
    (ConnectionLost(4001), None, None),
    (ConnectionLost(1006, "no valid data", ours=True), None, None),
    (ConnectionLost(1010, "ours", ours=True), None, None),
    (ConnectionLost(3000, "ours", ours=True), None, None),
    (ConnectionLost(3003, "ours", ours=True), None, None),
    (ConnectionRefusedError(111, "refused"), None, None),
    (ConnectionResetError(104, "reset"), None, None),
    (BrokenPipeError(32, "broken"), None, None),
    (TimeoutError("no connection in time"), None, None),
    (asyncio.IncompleteReadError(b"", 1), None, None),
    (socket.gaierror(-2, "Name or service not known"), None, None),
    (ssl.SSLError(1, "wrong version number"), None, None),
    (ssl.SSLEOFError(8, "EOF occurred"), None, None),
    (OSError("the proxy: 502"), None, None),
]  # fmt: skip


def name_of(failure: object) -> str:
    return f"{type(failure).__name__} {failure}" if failure else ""


@pytest.mark.parametrize(("failure", "before", "after"), CASES, ids=name_of)
@pytest.mark.parametrize("established", [False, True])
def test_every_case(
    failure: Exception,
    before: type[FeedError] | None,
    after: type[FeedError] | None,
    established: bool,
) -> None:
    verdict = judge(failure, established=established)
    expected = after if established else before
    assert (None if verdict.error is None else type(verdict.error)) is expected
    assert verdict.wait_s == 0.0


@pytest.mark.parametrize("established", [False, True])
def test_every_status(established: bool) -> None:
    for status in range(100, 600):
        error = judge(HandshakeRefused(status), established=established).error
        if status in (401, 403):
            assert isinstance(error, FeedAuthError)
        elif status >= 500 or status in (408, 425, 429) or established:
            assert error is None
        else:
            assert type(error) is FeedProtocolError
        if error is not None:
            assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("established", [False, True])
@pytest.mark.parametrize("ours", [False, True])
def test_every_close_code(established: bool, ours: bool) -> None:
    fatal = set()
    for code in range(1000, 5000):
        lost = ConnectionLost(code, "reason", ours=ours)
        if judge(lost, established=established).error is not None:
            fatal.add(code)
    assert fatal == (set() if ours else {1010, 3000, 3003})


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (HandshakeRefused(401), "the server refused the token: HTTP 401"),
        (HandshakeRefused(403, "no"), "the server refused the token: HTTP 403: no"),
        (HandshakeRefused(300), "redirects are not followed: HTTP 300"),
        (HandshakeRefused(302), "redirects are not followed: HTTP 302"),
        (HandshakeRefused(399), "redirects are not followed: HTTP 399"),
        (HandshakeRefused(404, "x"), "the server refused the connection: HTTP 404: x"),
        (
            ConnectionLost(3000),
            "the server refused the token: closed with code 3000",
        ),
        (
            ConnectionLost(1010, "deflate"),
            "an extension is missing: closed with code 1010: deflate",
        ),
        (
            untrusted(),
            "the server's certificate is not trusted: self-signed certificate",
        ),
    ],
    ids=name_of,
)
def test_what_is_raised_says_why(failure: Exception, text: str) -> None:
    assert str(judge(failure, established=False).error) == text


def test_a_feeds_own_errors_are_raised_as_they_are() -> None:
    for error in (FeedError("a"), FeedProtocolError("b"), FeedAuthError("c")):
        assert judge(error, established=False).error is error
    closed = FeedClosed("d")
    assert judge(closed, established=False).error is closed


@pytest.mark.parametrize(
    ("asked_s", "wait_s"),
    [(None, 0), (0, 0), (0.5, 0.5), (7, 7), (300, 300), (301, 300), (1e300, 300),
     (float("inf"), 300)],
)  # fmt: skip
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_retry_after_is_obeyed_up_to_five_minutes(
    status: int, asked_s: float | None, wait_s: float
) -> None:
    refused = HandshakeRefused(status, "later", asked_s)
    for established in (False, True):
        assert judge(refused, established=established) == Verdict(None, wait_s)


def test_retry_after_of_what_is_fatal_changes_nothing() -> None:
    assert judge(HandshakeRefused(401, "", 5.0), established=True).error is not None
    assert judge(HandshakeRefused(404, "", 5.0), established=False).error is not None
    assert judge(HandshakeRefused(404, "", 5.0), established=True) == Verdict(None, 5.0)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (HandshakeRefused(503), "HTTP 503"),
        (HandshakeRefused(503, "busy", 3.0), "HTTP 503: busy"),
        (ConnectionLost(1006), "closed with code 1006"),
        (ConnectionLost(1012, "back soon"), "closed with code 1012: back soon"),
        (ConnectionLost(1006, "no valid data", ours=True), "no valid data"),
    ],
    ids=name_of,
)
def test_failures_as_text_and_pickled(failure: Exception, text: str) -> None:
    assert str(failure) == text
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is type(failure)
    assert str(copy) == text and vars(copy) == vars(failure)


# Retry-After


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("1", 1.0),
        ("120", 120.0),
        ("007", 7.0),
        (" 5 ", 5.0),
        ("9" * 5000, float("inf")),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("²", None),
        ("soon", None),
        ("5 seconds", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        ("Wed, 21 Okt 2044 07:28:00 GMT", None),
        ("Wed, 21 Oct 2044 25:61:00 GMT", None),
        ("Wed, 32 Oct 2044 07:28:00 GMT", None),
        ("Wed, 21 Oct 2044 07:28:00 +9999", None),
    ],
)
def test_forms_of_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York"])
def _zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Runs the test in this time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize(
    "form",
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"],
    ids=["IMF-fixdate", "rfc850-date", "asctime-date"],
)
def test_every_form_of_a_date_is_of_universal_time(form: str) -> None:
    """RFC 9110, 5.6.7: all three are UTC, said or not."""
    header = (datetime.now(UTC) + timedelta(hours=1)).strftime(form)
    seconds = retry_after_s(header)
    assert seconds is not None and 3000 < seconds <= 3600


def test_a_date_with_an_offset() -> None:
    date = datetime.now(timezone(timedelta(hours=5, minutes=30))) + timedelta(hours=1)
    seconds = retry_after_s(format_datetime(date))
    assert seconds is not None and 3000 < seconds <= 3600


@pytest.mark.parametrize(
    "header",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99999999999999999999 Jan 2044 00:00:00 GMT",
        "Mon, 01 Jan 2044 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 2044 00:00:00 -99999999999999999999",
        f"Mon, 01 Jan {'9' * 5000} 00:00:00 GMT",
    ],
)
def test_dates_beyond_all_bounds_are_none(header: str) -> None:
    assert retry_after_s(header) in (None, 0.0)


HEADERS = st.text(max_size=60) | st.text("0123456789 :,-+GMTJanSu()", max_size=60)


@given(HEADERS)
def test_no_header_raises(header: str) -> None:
    seconds = retry_after_s(header)
    assert seconds is None or seconds >= 0


# Delays


def steps(backoff: Backoff, n: int) -> list[float]:
    return [backoff.next() for _ in range(n)]


def test_delays_double_up_to_the_last() -> None:
    drawn: list[tuple[float, float]] = []

    def whole(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    assert steps(Backoff(1, 15, whole), 7) == [2, 4, 8, 15, 15, 15, 15]
    assert drawn[:5] == [(1, 2), (2, 4), (4, 8), (7.5, 15), (7.5, 15)]


def test_the_least_delays() -> None:
    assert steps(Backoff(1, 15, lambda low, _: low), 6) == [1, 2, 4, 7.5, 7.5, 7.5]


def test_a_reset_begins_anew() -> None:
    backoff = Backoff(1, 15, lambda _, high: high)
    assert steps(backoff, 5) == [2, 4, 8, 15, 15]
    backoff.reset()
    assert steps(backoff, 2) == [2, 4]
    backoff.reset()
    backoff.reset()
    assert steps(backoff, 1) == [2]


def test_thousands_of_delays_stay_within_bounds() -> None:
    backoff = Backoff(1, 15, random.Random(4).uniform)
    delays = steps(backoff, 20_000)
    assert all(1 <= delay <= 15 for delay in delays)
    assert all(delay >= 7.5 for delay in delays[3:])
    assert len(set(delays)) > 19_000
    mean = sum(delays[3:]) / len(delays[3:])
    assert 11 < mean < 11.5


def test_first_delays_of_many_readers_are_spread() -> None:
    rng = random.Random(5)
    delays = sorted(Backoff(1, 15, rng.uniform).next() for _ in range(5000))
    assert 1 <= delays[0] < 1.01 and 1.99 < delays[-1] <= 2
    assert 1.47 < delays[2500] < 1.53


def test_the_default_is_random() -> None:
    assert len({Backoff(1, 15).next() for _ in range(100)}) > 50


@given(
    bounds=st.tuples(st.floats(1e-3, 1e4), st.floats(1e-3, 1e4)).map(sorted),
    share=st.floats(0, 1),
)
def test_any_bounds_hold(bounds: list[float], share: float) -> None:
    first_s, last_s = bounds
    backoff = Backoff(first_s, last_s, lambda low, high: low + share * (high - low))
    delays = steps(backoff, 60)
    assert all(first_s <= delay <= last_s * (1 + 1e-9) for delay in delays)
    assert all(a <= b * (1 + 1e-9) for a, b in pairwise(delays))
    assert delays[-1] >= last_s / 2


def test_one_delay_for_all() -> None:
    assert steps(Backoff(3, 3), 5) == [3, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("first_s", "last_s"),
    [(2, 1), (0, 1), (-1, 1), (-2, -1), (float("nan"), 1), (1, float("nan"))],
)
def test_bounds_that_are_none(first_s: float, last_s: float) -> None:
    with pytest.raises(ValueError, match="positive and ascend"):
        Backoff(first_s, last_s)
