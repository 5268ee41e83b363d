"""Payloads of Shuriken's streams: all fields typed, exact, and none lost."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shuriken_samples import (
    DISCORD,
    EVM_SWAP,
    MESSAGES,
    PAYLOADS,
    SOURCES,
    SVM_SWAP,
    signal,
)

import codec
from codec.feeds.shuriken import (
    STREAMS,
    Misfit,
    Network,
    Payload,
    ShurikenEvent,
    decode_payload,
    payload_type,
    read_payload,
)
from codec.feeds.shuriken.payloads_alpha import (
    CallReference,
    FeedMessage,
    Message,
    OtherMessage,
    OtherSource,
    SignalFeedUpdate,
)
from codec.feeds.shuriken.payloads_shapes import shape_of
from codec.feeds.shuriken.payloads_svm import SvmSwap

SWAPS = "svm.token.swaps"
REQUIRED = {"tokenMint", "signature", "slot", "blockTime", "isBuy", "network"}
REQUIRED |= {"sizeSol", "sizeUsd", "priceUsd", "priceSol"}
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda number: abs(number.adjusted()) <= 1000
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(sorted(SVM_SWAP)), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def swap(**changes: Any) -> str:
    return json.dumps({**SVM_SWAP, **changes})


def snake(name: str) -> str:
    name = re.sub(r"(?<=[a-z])(\d)", r"_\1", name)
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def assert_same(sent: Any, got: Any) -> None:
    """Every field that was sent is there, under its name in Python, and exact."""
    if isinstance(got, Payload):
        for name, value in sent.items():
            assert_same(value, getattr(got, snake(name)))
        assert not got.extra
    elif isinstance(sent, list):
        assert len(sent) == len(got)
        for one, other in zip(sent, got, strict=True):
            assert_same(one, other)
    elif isinstance(got, Decimal):
        assert got == Decimal(sent if isinstance(sent, str) else repr(sent))
    else:
        assert type(sent) is type(got) and sent == got


def test_all_streams_have_a_sample() -> None:
    assert set(PAYLOADS) == set(STREAMS) and len(STREAMS) == 21


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("form", [str, bytes, dict])
def test_every_stream_is_typed(stream: str, form: type) -> None:
    text = json.dumps(PAYLOADS[stream])
    given: dict[type, Any] = {str: text, bytes: text.encode(), dict: PAYLOADS[stream]}
    payload = decode_payload(stream, given[form])
    assert type(payload) is STREAMS[stream] is payload_type(stream)
    assert_same(PAYLOADS[stream], payload)
    assert decode_payload("?", text, schema_id=stream) == payload


@pytest.mark.parametrize("name", ["Global", "Personal", "Profile", "Named"])
def test_both_spellings(name: str) -> None:
    dotted, joined = f"alpha.signalFeed.{name.lower()}", f"alpha.signalFeed{name}"
    text = json.dumps(PAYLOADS[joined])
    assert decode_payload(dotted, text) == decode_payload(joined, text)
    assert payload_type(dotted) is payload_type(joined) is SignalFeedUpdate


def test_what_is_not_there_is_none() -> None:
    short = {name: SVM_SWAP[name] for name in SVM_SWAP if name not in ("maker", "fees")}
    payload = decode_payload(SWAPS, json.dumps(short))
    assert isinstance(payload, SvmSwap)
    assert payload.maker is None and payload.fees is None
    nulls = decode_payload(SWAPS, swap(maker=None, fees=None))
    assert nulls == payload and "maker" not in repr(nulls)


def test_payloads_do_not_change() -> None:
    payload = decode_payload(SWAPS, swap())
    with pytest.raises(AttributeError):
        payload.slot = 1


@pytest.mark.parametrize(
    "text",
    [
        "0.1",
        "1e-7",
        "123456789012345678901234567890",
        "0.10",
        "-0.5",
        "1E+3",
        "0",
        "0." + "123456789" * 5,
        "123456789012345678901234567890.123456789",
        "1e1000",
    ],
)
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("more", ["", ', "unknown": 1'])
def test_numbers_are_exact(text: str, quoted: bool, more: str) -> None:
    sent = f'"{text}"' if quoted else text
    whole = swap().replace(f'"{SVM_SWAP["priceUsd"]}"', sent)[:-1] + more + "}"
    payload = decode_payload(SWAPS, whole)
    assert isinstance(payload, SvmSwap)
    assert payload.price_usd.as_tuple() == Decimal(text).as_tuple()


@given(number=numbers, quoted=st.booleans())
def test_any_number_is_exact(number: Decimal, quoted: bool) -> None:
    text = f'"{number}"' if quoted else str(number)
    whole = swap().replace(f'"{SVM_SWAP["sizeUsd"]}"', text)
    payload = decode_payload(SWAPS, whole)
    assert isinstance(payload, SvmSwap)
    assert payload.size_usd == number
    unknown = decode_payload("?", f'{{"a": [{number}]}}')
    assert unknown["a"][0] == number
    assert type(unknown["a"][0]) in (int, Decimal)


@given(number=st.integers(0, 10**300))
def test_large_integers_stay_integers(number: int) -> None:
    payload = decode_payload(SWAPS, swap(amountIn=number))
    assert isinstance(payload, SvmSwap) and payload.amount_in == number


@given(extra=st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_unknown_fields_are_kept(extra: dict[str, Any]) -> None:
    unknown = {name: value for name, value in extra.items() if name not in SVM_SWAP}
    fees = {name: value for name, value in extra.items() if name.isupper()}
    text = json.dumps({**SVM_SWAP, **unknown, "fees": {**SVM_SWAP["fees"], **fees}})
    payload = decode_payload(SWAPS, text)
    assert isinstance(payload, SvmSwap) and payload.fees is not None
    unknown.pop("blockHash", None)  # known, and not in the sample
    assert payload.extra == unknown and payload.fees.extra == fees
    assert list(payload.extra) == list(unknown)
    again = decode_payload(SWAPS, swap())  # after a closer look the quick one
    assert isinstance(again, SvmSwap) and again == decode_payload(SWAPS, swap())
    assert not again.extra


@pytest.mark.parametrize("name", ["", " ", "extra"])
def test_names_of_ours_are_like_any_other(name: str) -> None:
    payload = decode_payload(SWAPS, swap(**{name: {"a": 1}}))
    assert isinstance(payload, SvmSwap) and payload.extra == {name: {"a": 1}}
    source = {"sourceType": "trade", "source": {**SOURCES["trade"], name: "x"}}
    update = signal("global")
    update["latestSignal"]["source"] = source
    payload = decode_payload("alpha.signalFeedGlobal", json.dumps(update))
    assert isinstance(payload, SignalFeedUpdate) and payload.latest_signal
    assert payload.latest_signal.source.source.extra == {name: "x"}


def test_numbers_of_unknown_fields_are_exact() -> None:
    payload = decode_payload(SWAPS, swap()[:-1] + ', "new": {"x": [0.10, 1e-7]}}')
    assert isinstance(payload, SvmSwap)
    assert str(payload.extra["new"]["x"]) == "[Decimal('0.10'), Decimal('1E-7')]"


def test_unknown_words_are_kept() -> None:
    payload = decode_payload(SWAPS, swap(network="solana2", tradeSource="?"))
    assert isinstance(payload, SvmSwap) and payload.network == "solana2"
    payload = decode_payload(SWAPS, swap())
    assert isinstance(payload, SvmSwap) and payload.network == Network.SOL
    notice = json.dumps({"type": "new", "userId": "u", "regionId": "r"})
    update = decode_payload("automation.updates", notice)
    assert isinstance(update, Payload) and update.extra == {"regionId": "r"}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources_of_signals(kind: str) -> None:
    text = json.dumps(signal("global", kind))
    update = decode_payload("alpha.signalFeedGlobal", text)
    assert isinstance(update, SignalFeedUpdate) and update.latest_signal
    assert_same(signal("global", kind), update)
    assert update.latest_signal.price_native == Decimal("1e-7")
    source = update.latest_signal.source.source
    assert type(source).__name__.lower() == f"{kind}source"


def test_a_source_of_another_kind() -> None:
    sent = signal("global")
    sent["latestSignal"]["source"]["sourceType"] = "smoke"
    update = decode_payload("alpha.signalFeedGlobal", json.dumps(sent))
    assert isinstance(update, SignalFeedUpdate) and update.latest_signal
    source = update.latest_signal.source
    assert source.source_type == "smoke" and isinstance(source.source, OtherSource)
    assert source.source.extra == SOURCES["trade"]


@pytest.mark.parametrize("platform", MESSAGES)
def test_messages(platform: str) -> None:
    sent = {"platform": platform, "data": MESSAGES[platform]}
    payload = decode_payload("alpha.personal", json.dumps(sent))
    assert isinstance(payload, Message)
    assert_same(sent, payload)
    feed = {"type": "feedMessage", "feedId": "f", "message": sent}
    for stream in ("alpha.signalFeedNamed", "alpha.signalFeed.named", "alpha.personal"):
        payload = decode_payload(stream, json.dumps(feed))
        assert isinstance(payload, FeedMessage)
        assert_same(feed, payload)


def test_a_message_of_another_platform() -> None:
    sent = {"platform": "matrix", "data": {"room": 0.5}}
    payload = decode_payload("alpha.personal", json.dumps(sent))
    assert isinstance(payload, Message) and isinstance(payload.data, OtherMessage)
    assert payload.data.extra == {"room": Decimal("0.5")}


def test_call_references() -> None:
    sent = {
        "type": "callReference",
        "address": "a",
        "firstSeenAtMs": 1,
        "lastSeenAtMs": 2,
        "mentionCount": 1,
        "mentions": [{"messageId": "1", "platform": "x", "timestampMs": 1}],
    }
    payload = decode_payload("alpha.personal", json.dumps(sent))
    assert isinstance(payload, CallReference)
    assert_same(sent, payload)


@pytest.mark.parametrize(
    ("stream", "path", "value"),
    [
        (SWAPS, "slot", "1"),
        (SWAPS, "slot", 1.5),
        (SWAPS, "slot", True),
        (SWAPS, "sizeSol", None),
        (SWAPS, "sizeSol", ""),
        (SWAPS, "sizeSol", "one"),
        (SWAPS, "sizeSol", "NaN"),
        (SWAPS, "sizeSol", "sNaN"),
        (SWAPS, "sizeSol", "Infinity"),
        (SWAPS, "priceUsd", "1e999999999"),
        (SWAPS, "priceUsd", "1e-999999999"),
        (SWAPS, "priceUsd", "0e99999"),
        (SWAPS, "priceUsd", "1e99999999999999999999"),
        (SWAPS, "priceUsd", [1]),
        (SWAPS, "maker", 1),
        (SWAPS, "isBuy", "true"),
        (SWAPS, "fees", []),
        (SWAPS, "fees", "none"),
        (SWAPS, "fees.gasLamports", "5000"),
        ("alpha.signalFeedGlobal", "latestSignal.source", 1),
        ("alpha.signalFeedGlobal", "latestSignal.source.sourceType", [1]),
        ("alpha.signalFeedGlobal", "latestSignal.source.source", 1),
        ("alpha.signalFeedGlobal", "latestSignal.source.source.amountUsd", "NaN"),
        ("alpha.signalFeedGlobal", "latestSignal.priceUsd", "x"),
        ("alpha.personal", "data.tokens", {}),
        ("alpha.personal", "data.author.username", 1),
    ],
)
def test_a_field_that_does_not_fit(stream: str, path: str, value: object) -> None:
    sent = copy.deepcopy(PAYLOADS[stream])
    *way, last = path.split(".")
    place: Any = sent
    for name in way:
        place = place[name]
    place[last] = value
    for form in (json.dumps(sent), json.dumps({**sent, "unknown": 1})):
        payload = decode_payload(stream, form)
        assert isinstance(payload, Misfit)
        assert f"`$.{path}" in payload.problem
        assert dict(payload) == json.loads(form, parse_float=Decimal)
    event = ShurikenEvent(stream=stream, data=payload)
    assert event.problem == payload.problem and "problem=" in repr(event)


def test_the_path_has_the_index() -> None:
    sent = {"platform": "discord", "data": {**DISCORD, "tokens": [{"address": "a"}]}}
    payload = decode_payload("alpha.personal", json.dumps(sent))
    assert isinstance(payload, Misfit)
    assert payload.problem.startswith("not a Message: ")
    assert payload.problem.endswith(
        "missing required field `chain` - at `$.data.tokens[0]`"
    )


@pytest.mark.parametrize("name", sorted(SVM_SWAP))
def test_a_field_that_is_missing(name: str) -> None:
    sent = {key: value for key, value in SVM_SWAP.items() if key != name}
    payload = decode_payload(SWAPS, json.dumps(sent))
    is_required = name in REQUIRED
    assert isinstance(payload, Misfit) == is_required
    assert not is_required or f"`{name}`" in payload.problem


def test_what_the_service_describes_is_enough() -> None:
    names = "tokenAddress txHash chainId blockNumber timestamp isBuy amountNative"
    names += " amountUsd priceNative priceUsd tokenDecimals network"
    sent = {name: EVM_SWAP[name] for name in names.split()}
    payload = decode_payload("evm.token.swaps", json.dumps(sent))
    assert_same(sent, payload)


@pytest.mark.parametrize("changes", [{}, {"new": [1]}, {"slot": "1"}])
def test_they_go_to_other_processes(changes: dict[str, Any]) -> None:
    payload = decode_payload(SWAPS, swap(**changes))
    event = ShurikenEvent(stream=SWAPS, data=payload, filter={"a": "b"})
    again = pickle.loads(pickle.dumps(event))
    assert again == event and again.problem == event.problem
    assert type(again.data) is type(payload)


def test_unknown_streams_are_plain() -> None:
    payload = decode_payload("svm.token.moods", '{"a": 0.10, "b": "0.1", "c": 1e400}')
    assert type(payload) is dict
    assert str(payload["a"]) == "0.10" and payload["b"] == "0.1"
    assert payload["c"] == Decimal("1e400")
    assert decode_payload("?", {"a": 0.1, "b": (1, None)}) == {
        "a": Decimal("0.1"),
        "b": [1, None],
    }
    assert ShurikenEvent(stream="?", data=payload).problem is None


BAD = {
    "empty": "",
    "text": "nonsense",
    "array": "[]",
    "string": '"{}"',
    "null": "null",
    "number": "1",
    "cut": swap()[:-5],
    "trailing": swap() + "}",
    "nan": '{"a": NaN}',
    "infinite": '{"a": -Infinity}',
    "huge": '{"a": 1e1001}',
    "tiny": '{"a": 1e-1001}',
    "absurd": '{"a": 1e99999999999999999999}',
    "long": '{"a": ' + "1" * 5000 + "}",
    "deep": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep and open": '{"a":' * 100_000,
    "deep inside": swap()[:-1] + ', "a": ' + "[" * 300 + "]" * 300 + "}",
    "not utf-8": b'{"a": "\xff"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "surrogate": '{"a": "\ud800", "b": }',
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("stream", [SWAPS, "alpha.personal", "?"])
def test_what_is_no_payload(name: str, stream: str) -> None:
    with pytest.raises(codec.PayloadError) as caught:
        decode_payload(stream, BAD[name])
    assert isinstance(caught.value, ValueError) and caught.value.stream == stream
    assert str(caught.value).startswith(f"{stream}: ") and len(str(caught.value)) < 300
    payload = read_payload(stream, BAD[name])
    assert payload == {} and isinstance(payload, Misfit)
    assert payload.problem == caught.value.reason


def test_dicts_have_the_same_bounds() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for value in (deep, {"a": float("nan")}, {"a": Decimal("1e9999")}):
        with pytest.raises(codec.PayloadError):
            decode_payload("?", value)
    while deep:  # or its end would be a recursion
        deep = deep["a"]


def test_depth_does_not_depend_on_the_interpreter() -> None:
    code = (
        "import sys; sys.setrecursionlimit(10**8);"
        "from codec.feeds.shuriken import read_payload as read;"
        "text = '{\"a\":' * 10**6;"
        "[read(name, text) for name in ('svm.token.swaps', 'alpha.personal', '?')];"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "alive\n"


def test_halves_of_surrogates_are_kept() -> None:
    sent = {"platform": "discord", "data": {**DISCORD, "content": "cut \ud83d"}}
    payload = decode_payload("alpha.personal", json.dumps(sent))
    assert isinstance(payload, Message)
    assert payload.data.content == "cut \ud83d"


@given(value=jsons, stream=st.sampled_from([*STREAMS, "?"]))
def test_any_json_is_decoded_or_refused(value: Any, stream: str) -> None:
    try:
        payload = decode_payload(stream, json.dumps(value))
    except codec.PayloadError:
        return
    assert isinstance(payload, dict | Payload)
    assert isinstance(value, dict)


@given(
    stream=st.sampled_from(sorted(STREAMS)),
    data=st.data(),
)
def test_any_change_is_decoded_or_told(stream: str, data: st.DataObject) -> None:
    sent = copy.deepcopy(PAYLOADS[stream])
    place: Any = sent
    while True:
        name = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[name], dict) or data.draw(st.booleans()):
            break
        place = place[name]
    place[name] = data.draw(jsons)
    text = json.dumps(sent)
    try:
        payload = decode_payload(stream, text)
    except codec.PayloadError:
        assert "NaN" in text or "Infinity" in text
        return
    assert isinstance(payload, Payload | Misfit)


@given(text=st.text() | st.binary(), stream=st.sampled_from([SWAPS, "?"]))
def test_any_text_is_decoded_or_refused(text: str | bytes, stream: str) -> None:
    assert isinstance(read_payload(stream, text), dict)


@pytest.mark.parametrize("stream", STREAMS)
def test_the_quick_way_and_the_closer_look_agree(stream: str) -> None:
    shape, text = shape_of(STREAMS[stream]), json.dumps(PAYLOADS[stream])
    exact = json.loads(text, parse_float=Decimal)
    close = shape.fit(exact)  # first, as what came before may have had unknown fields
    quick = shape.decode(text)
    assert isinstance(close, Payload)
    assert quick == close if shape.is_direct else quick is None


def test_the_package_says_which_extra_is_missing() -> None:
    code = (
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'msgspec' else find(name, *a)\n"
        "try: import codec.feeds.shuriken\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "stork-codec[shuriken]" in done.stdout, done.stderr
