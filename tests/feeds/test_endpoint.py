"""Where connections go with which header, and that the token stays in there."""

from __future__ import annotations

import asyncio
import functools
import pickle
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import codec
from codec.errors import FeedError
from codec.feeds.endpoint import (
    Endpoint,
    Headers,
    Secret,
    header_endpoint,
    token_endpoint,
)

PACKAGE = str(Path(codec.__file__).parent)
URL = "wss://h/ws?channel=1s"


def endpoint_of(token: Any) -> Callable[[], Awaitable[Endpoint]]:
    return token_endpoint(URL, Secret(token))


SECRET = "c2VjcmV0LXRva2Vu"
# What fits no header, with the secret in it.
UNFIT = {
    "space": f"{SECRET} x",
    "space behind": f"{SECRET} ",
    "line end": f"{SECRET}\n",
    "header": f"{SECRET}\r\nX-Other: 1",
    "tab": f"{SECRET}\t",
    "zero": f"{SECRET}\0",
    "delete": f"{SECRET}\x7f",
    "not ASCII": f"{SECRET}ü",
    "surrogate": f"{SECRET}\ud800",
}


def ask(endpoint: Callable[[], Awaitable[Endpoint]]) -> Endpoint:
    async def main() -> Endpoint:
        return await endpoint()

    return asyncio.run(main())


def shown(error: BaseException) -> str:
    """What a crash report could tell, of our frames: the user's are his own."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = [repr(error), str(error), repr(error.args), repr(pickle.dumps(error))]
    parts += traceback.format_exception(error)
    reports: list[traceback.TracebackException | None] = [report]
    while reports:
        one = reports.pop()
        if one is None:
            continue
        parts.append(str(one))
        for frame in one.stack:
            if frame.filename.startswith(PACKAGE):
                parts += [f"{name} = {text}" for name, text in frame.locals.items()]
        reports.append(one.__cause__)
        if not one.__suppress_context__:
            reports.append(one.__context__)
    return "\n".join(parts)


def tokens() -> dict[str, Any]:
    """Every way to give a token."""

    async def later() -> str:
        await asyncio.sleep(0)
        return SECRET

    class Rotation:
        def __call__(self) -> str:
            return SECRET

    def future() -> asyncio.Future[str]:
        result = asyncio.get_running_loop().create_future()
        result.set_result(SECRET)
        return result

    return {
        "str": SECRET,
        "function": lambda: SECRET,
        "partial": functools.partial(str, SECRET),
        "object": Rotation(),
        "coroutine function": later,
        "function of a coroutine": lambda: later(),
        "function of a future": future,
        "iterator": iter([SECRET] * 9).__next__,
    }


@pytest.mark.parametrize("token", tokens().values(), ids=tokens().keys())
def test_ways_to_give_a_token(token: Any) -> None:
    endpoint = endpoint_of(token)
    for _ in range(3):
        url, headers = ask(endpoint)
        assert url == URL
        assert dict(headers) == {"Authorization": f"Basic {SECRET}"}


def test_a_callable_is_asked_each_time() -> None:
    given = iter("abc")
    endpoint = endpoint_of(lambda: next(given))
    answers = [ask(endpoint) for _ in range(3)]
    assert [answer.headers["Authorization"] for answer in answers] == [
        "Basic a",
        "Basic b",
        "Basic c",
    ]
    assert answers[0] != answers[1]


def test_a_callable_is_not_asked_before_it_is_needed() -> None:
    asked: list[int] = []

    def token() -> str:
        asked.append(1)
        return SECRET

    endpoint = endpoint_of(token)
    assert asked == []
    ask(endpoint)
    assert asked == [1]


def test_equal_answers_are_equal() -> None:
    """So is noticed whether a refused token has been renewed."""
    one, two = (ask(endpoint_of(SECRET)) for _ in range(2))
    assert one == two
    assert one != ask(endpoint_of(SECRET + "2"))
    assert one != ask(token_endpoint(URL + "2", Secret(SECRET)))


@pytest.mark.parametrize(
    "token", ["x", "a" * 10_000, "~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./", "YQ=="]
)
def test_any_printable_text_is_a_token(token: str) -> None:
    answer = ask(endpoint_of(token))
    assert answer.headers["Authorization"] == f"Basic {token}"


# Headers


def test_headers_are_a_mapping() -> None:
    headers = Headers({"Authorization": "Basic x", "Other": "y"})
    assert dict(headers) == {"Authorization": "Basic x", "Other": "y"}
    assert len(headers) == 2 and list(headers) == ["Authorization", "Other"]
    assert headers["Other"] == "y" and headers.get("Nothing") is None
    with pytest.raises(KeyError):
        headers["Nothing"]
    assert {**headers, "More": "z"}.keys() == {"Authorization", "Other", "More"}


def test_headers_do_not_change_with_what_they_are_made_of() -> None:
    source = {"A": "1"}
    headers = Headers(source)
    source["A"] = "2"
    source["B"] = "3"
    assert dict(headers) == {"A": "1"}


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format])
def test_no_text_of_an_answer_has_the_token(show: Callable[[object], str]) -> None:
    answer = ask(endpoint_of(SECRET))
    headers = answer.headers
    for thing in (headers, answer, [answer], {"a": headers}):
        assert SECRET not in show(thing) and "Authorization" in show(thing)
    for view in (headers.keys(), headers.values(), headers.items()):
        assert SECRET not in show(view)


def test_the_endpoint_itself_shows_nothing() -> None:
    endpoint = endpoint_of(SECRET)
    assert SECRET not in repr(endpoint)
    waiting = endpoint()
    assert SECRET not in repr(waiting)
    asyncio.run(asyncio.wait_for(waiting, 5))


# Tokens that are none


@pytest.mark.parametrize("token", ["", *UNFIT.values()], ids=["empty", *UNFIT])
def test_a_token_that_fits_no_header(token: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII without spaces") as raised:
        endpoint_of(token)
    assert SECRET not in f"{raised.value!r}{raised.value}"


@pytest.mark.parametrize("token", UNFIT.values(), ids=UNFIT.keys())
def test_the_report_of_an_unfit_token_does_not_show_it(token: str) -> None:
    with pytest.raises(ValueError, match="printable") as raised:
        endpoint_of(token)
    assert SECRET not in shown(raised.value)


@pytest.mark.parametrize("token", [None, 5, SECRET.encode(), [SECRET], {"t": SECRET}])
def test_a_token_of_another_type(token: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(token).__name__}") as raised:
        endpoint_of(token)
    assert SECRET not in f"{raised.value!r}{raised.value}"


@pytest.mark.parametrize("token", [SECRET.encode(), [SECRET], {"t": SECRET}])
def test_the_report_of_another_type_does_not_show_it(token: Any) -> None:
    with pytest.raises(TypeError) as raised:
        endpoint_of(token)
    assert SECRET not in shown(raised.value)


def failing(token: Any) -> FeedError:
    """What comes of a callable that gives this, or raises it."""

    def given() -> Any:
        if isinstance(token, BaseException):
            raise token
        return token

    with pytest.raises(FeedError) as raised:
        ask(endpoint_of(given))
    return raised.value


def failing_later(token: Any) -> FeedError:
    """The same with an awaitable."""

    async def given() -> Any:
        await asyncio.sleep(0)
        if isinstance(token, BaseException):
            raise token
        return token

    with pytest.raises(FeedError) as raised:
        ask(endpoint_of(given))
    return raised.value


class Rude(Exception):
    """An exception that tells whatever it is asked for."""

    def __str__(self) -> str:
        return f"the vault says {SECRET}"

    __repr__ = __str__


RAISED: list[Exception] = [
    ValueError(f"cannot read {SECRET}"),
    KeyError(SECRET),
    OSError(5, SECRET, SECRET),
    FeedError(f"of ours: {SECRET}"),
    TimeoutError(),
    Rude(),
]


@pytest.mark.parametrize("fail", [failing, failing_later])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_what_a_callable_raises_is_named_and_not_told(
    fail: Callable[[object], FeedError], error: Exception
) -> None:
    failure = fail(error)
    assert type(failure) is FeedError
    assert str(failure) == f"the token could not be had: {type(error).__name__}"
    assert failure.__cause__ is None
    assert SECRET not in shown(failure)


@pytest.mark.parametrize("fail", [failing, failing_later])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_what_a_callable_raises_is_not_kept(
    fail: Callable[[object], FeedError], error: Exception
) -> None:
    """A reporter that follows `__context__` would tell it."""
    assert fail(error).__context__ is None


@pytest.mark.parametrize("fail", [failing, failing_later])
@pytest.mark.parametrize(
    "token", [None, 5, SECRET.encode(), "", *UNFIT.values()], ids=repr
)
def test_what_a_callable_gives_is_checked(
    fail: Callable[[object], FeedError], token: Any
) -> None:
    reason = "printable ASCII" if isinstance(token, str) else "a token is a str, not"
    assert reason in str(fail(token))


@pytest.mark.parametrize("fail", [failing, failing_later])
@pytest.mark.parametrize("token", [SECRET.encode(), *UNFIT.values()], ids=repr)
def test_the_report_of_what_a_callable_gave_does_not_show_it(
    fail: Callable[[object], FeedError], token: Any
) -> None:
    assert SECRET not in shown(fail(token))


def test_a_callable_that_needs_arguments() -> None:
    with pytest.raises(FeedError, match="could not be had: TypeError"):
        ask(endpoint_of(lambda x: SECRET))  # type: ignore[arg-type, misc]


def test_an_exhausted_iterator() -> None:
    endpoint = endpoint_of(iter([SECRET]).__next__)
    ask(endpoint)
    with pytest.raises(FeedError, match="could not be had: StopIteration"):
        ask(endpoint)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(error: type[BaseException]) -> None:
    def token() -> str:
        raise error

    with pytest.raises(error):
        ask(endpoint_of(token))


def test_waiting_for_a_token_can_be_cancelled() -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return SECRET

    async def main() -> None:
        task = asyncio.ensure_future(endpoint_of(never)())
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# Headers made anew for each connection.


def test_made_headers_with_a_token() -> None:
    endpoint = header_endpoint(URL, Secret("abc"), lambda: {"X-Signature": SECRET})
    url, headers = ask(endpoint)
    assert url == URL
    assert dict(headers) == {"X-Signature": SECRET, "Authorization": "Basic abc"}
    assert dict(ask(header_endpoint(URL, None, None)).headers) == {}


def test_made_headers_are_not_shown_where_the_token_cannot_be_had() -> None:
    def token() -> str:
        raise OSError("nothing there")

    endpoint = header_endpoint(URL, Secret(token), lambda: {"X-Signature": SECRET})
    with pytest.raises(FeedError) as caught:
        ask(endpoint)
    assert SECRET not in shown(caught.value)
