"""Every fault of the aggregator's messages, and inputs that mean harm."""

from __future__ import annotations

import resource
import time
from typing import Any

import pytest
from aggregated import aggregate, state, text
from aggregator_fault_cases import FAULTS, data, entry, frame, publisher

from codec import _core, aggregator
from codec.errors import DecodeError, ErrorCode
from codec.reference import aggregator as reference

E = ErrorCode
MIB = 1 << 20


@pytest.fixture(params=_core.instruction_sets())
def isa(request: pytest.FixtureRequest) -> Any:
    """Each instruction set of this machine in turn."""
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(_core.instruction_sets()[0])


def test_the_cases_have_names_of_their_own() -> None:
    names = [case[0] for case in FAULTS]
    assert len(names) == len(set(names)) > 300


@pytest.mark.parametrize(
    ("message", "code", "offset", "is_entry"),
    [case[1:] for case in FAULTS],
    ids=[case[0] for case in FAULTS],
)
def test_every_fault_has_its_code_and_offset(
    message: str, code: ErrorCode, offset: int, is_entry: bool
) -> None:
    with pytest.raises(DecodeError) as caught:
        aggregator.decode(message)
    assert (caught.value.code, caught.value.offset) == (code, offset)
    items = [message, message.encode()]
    found = aggregator.decode(items, on_error="skip")
    assert found.errors.tolist() == [(0, offset, code), (1, offset, code)]
    assert len(found.messages) == (2 if is_entry else 0)
    assert state(found) == state(reference.decode(items, on_error="skip"))


@pytest.mark.usefixtures("isa")
def test_faults_on_every_instruction_set() -> None:
    items = [case[1] for case in FAULTS] + [data(entry())]
    found = aggregator.decode(items, on_error="skip")
    wanted = [(i, c[3], c[2]) for i, c in enumerate(FAULTS)]
    assert found.errors.tolist() == wanted
    assert len(found.messages) == sum(case[4] for case in FAULTS) + 1


@pytest.mark.parametrize(
    "data", [b"\xff", b'{"a":"\xc3"}', b"{}\xed\xa0\x80", b" \x80"]
)
def test_text_that_is_no_utf8(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as wanted:
        data.decode()
    with pytest.raises(DecodeError) as caught:
        aggregator.decode(data)
    assert (caught.value.code, caught.value.offset) == (
        E.INVALID_UTF8,
        wanted.value.start,
    )


def test_receive_times() -> None:
    good = data(entry()).encode()
    lines = b"\n".join([b"01 " + good, b"18446744073709551616 " + good, b"7 " + good])
    found = aggregator.decode_lines(lines, on_error="skip")
    code = E.INVALID_RECEIVE_TIME
    assert found.errors.tolist() == [(0, 0, code), (1, 0, code)]
    assert found.messages["receive_ns"].tolist() == [7]
    assert state(found) == state(reference.decode_lines(lines, on_error="skip"))
    with pytest.raises(DecodeError) as caught:
        aggregator.decode_lines(b"7 {}")
    assert (caught.value.code, caught.value.offset) == (E.NOT_DATA, 0)


def bad_entries(n: int, n_good: int = 1) -> str:
    """A message with n entries at fault and some good ones around them."""
    good = [f'"G{i}":{entry()}' for i in range(n_good)]
    bad = [f'"B{i}":{{}}' for i in range(n)]
    return frame("{" + ",".join(good + bad + [f'"Z":{entry()}']) + "}")


@pytest.mark.parametrize("n", [0, 1, 15, 16])
def test_entries_at_fault_are_left_out(n: int) -> None:
    message = bad_entries(n)
    found = aggregator.decode(message, on_error="skip")
    assert found.errors["code"].tolist() == [E.MISSING_FIELD] * n
    assert [found.symbol(i) for i in range(len(found))] == ["G0", "Z"]
    assert state(found) == state(reference.decode(message, on_error="skip"))


@pytest.mark.parametrize("n", [17, 18, 500])
def test_too_many_entries_at_fault_refuse_the_message(n: int) -> None:
    message = bad_entries(n)
    offset = message.index("{}")
    found = aggregator.decode([message, data(entry())], on_error="skip")
    assert found.errors.tolist() == [(0, offset, E.MISSING_FIELD)]
    assert list(found.symbols) == ["A"] and len(found) == 1
    many = entry(signed_prices="[" + ",".join([publisher(), *["{}"] * n]) + "]")
    message = data(many)
    found = aggregator.decode([message], on_error="skip")
    assert found.errors.tolist() == [(0, message.index("{}"), E.MISSING_FIELD)]
    assert len(found.messages) == 0


def test_publishers_of_an_entry_at_fault_do_not_count() -> None:
    publishers = "[" + ",".join(["{}"] * 40) + "]"
    bad = entry(signed_prices=publishers)[:-1] + ',"price":1}'
    message = frame(f'{{"A":{entry()},"B":{bad},"C":{entry(signed_prices="[1]")}}}')
    found = aggregator.decode(message, on_error="skip")
    assert found.errors["code"].tolist() == [E.DUPLICATE_KEY, E.WRONG_TYPE]
    assert state(found) == state(reference.decode(message, on_error="skip"))


def test_names_of_entries_at_fault_stay_but_not_those_inside() -> None:
    inside = publisher(external_asset_id='"X"')
    bad = entry(signed_prices=f"[{inside}]", price='"x"')
    kept = entry(signed_prices=f"[{inside}]".replace('"X"', '"Y"'))
    message = frame(f'{{"A":{bad},"B":{kept}}}')
    found = aggregator.decode(message, on_error="skip")
    assert list(found.symbols) == ["A", "B", "Y"]
    twice = frame(f'{{"A":{bad},"A":{kept}}}')
    found = aggregator.decode(twice, on_error="skip")
    assert found.errors["code"].tolist() == [E.INVALID_NUMBER, E.DUPLICATE_KEY]
    assert list(found.symbols) == ["A"] and len(found) == 0


def test_faults_among_good_messages() -> None:
    good = text(aggregate("A"))
    items = [good, "{", good, bad_entries(2), "", good]
    found = aggregator.decode(items, on_error="skip")
    assert found.errors["index"].tolist() == [1, 3, 3, 4]
    assert len(found.messages) == 4
    with pytest.raises(DecodeError) as caught:
        aggregator.decode(items)
    assert (caught.value.code, caught.value.index) == (E.INVALID_JSON, 1)
    with pytest.raises(ValueError, match="on_error"):
        aggregator.decode(good, on_error="pass")  # type: ignore[arg-type]


def peak() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def is_watched() -> bool:
    """Whether a sanitizer makes time and memory mean nothing."""
    import os

    return "CODEC_SANITIZE" in os.environ


LARGE: dict[str, tuple[Any, ErrorCode]] = {
    "publishers": (
        lambda: data(entry(signed_prices="[" + "{}," * (5 * MIB) + "1]")),
        E.MISSING_FIELD,
    ),
    "entries": (lambda: frame("{" + '"":{},' * (2 * MIB) + '"":1}'), E.MISSING_FIELD),
    "numbers": (lambda: frame("{" + '"a":1,' * (2 * MIB) + '"a":1}'), E.WRONG_TYPE),
    "depth": (lambda: frame("{}", x="[" * (16 * MIB)), E.TOO_DEEP),
    "depth-of-entries": (lambda: data('{"a":' * (3 * MIB)), E.TOO_DEEP),
    "name": (lambda: frame('{"' + "n" * (16 * MIB) + '":1}'), E.TOO_LARGE),
    "escaped-name": (lambda: frame('{"' + "\\n" * (8 * MIB) + '":1}'), E.TOO_LARGE),
    "key": (
        lambda: frame('{"A":{"' + "\\u0070" * (2 * MIB) + '":1}}'),
        E.MISSING_FIELD,
    ),
    "digits": (lambda: data(entry(timestamp="1" * (16 * MIB))), E.OUT_OF_RANGE),
    "price": (lambda: data(entry(price='"' + "1" * (16 * MIB) + '"')), E.OUT_OF_RANGE),
    "hex": (
        lambda: data(
            entry(stork_signed_price='{"public_key":"' + "a" * (16 * MIB) + '"}')
        ),
        E.MISSING_FIELD,
    ),
    "space": (lambda: " " * (16 * MIB), E.EMPTY),
    "nothing": (lambda: "\x00" * (16 * MIB), E.INVALID_JSON),
    "keys": (
        lambda: frame("{}", type='"x"')[:-1] + ',"type":1' * (2 * MIB) + "}",
        E.DUPLICATE_KEY,
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_sixteen_mebibytes_of_harm(name: str) -> None:
    make, code = LARGE[name]
    message = make().encode()
    before, start = peak(), time.perf_counter()
    found = aggregator.decode(message, on_error="skip")
    took, more = time.perf_counter() - start, peak() - before
    assert found.errors["code"].tolist() == [code]
    if not is_watched():
        assert took < 3 and more < 5 * len(message) + 64 * MIB


def test_a_hundred_thousand_entries() -> None:
    small = '{"timestamp":1,"asset_id":"","signature_type":"","price":"0"}'
    names = ",".join(f'"{i}":{small}' for i in range(65_000))
    message = frame("{" + names + "}")
    start = time.perf_counter()
    found = aggregator.decode(message)
    assert len(found) == len(found.symbols) == 65_000
    assert (found.aggregates["signature"] == E.UNSIGNED).all()
    more = frame(
        "{" + names + "," + ",".join(f'"n{i}":{small}' for i in range(35_000)) + "}"
    )
    refused = aggregator.decode(more, on_error="skip")
    assert refused.errors["code"].tolist() == [E.TOO_LARGE]
    assert len(refused.symbols) == 0
    assert is_watched() or time.perf_counter() - start < 3


def test_the_smallest_publishers_cost_a_small_multiple() -> None:
    stamp = '{"signature":{},"timestamp":0}'
    price = publisher(
        publisher_key='""', signature_type='""', timestamped_signature=stamp
    )
    message = data(entry(signed_prices="[" + ",".join([price] * 100_000) + "]"))
    before = peak()
    found = aggregator.decode(message)
    assert len(found.publishers) == 100_000
    assert is_watched() or peak() - before < 12 * len(message) + 64 * MIB


def test_a_level_less_is_not_too_deep() -> None:
    assert len(aggregator.decode(frame("{}", x="[" * 63 + "]" * 63)).messages) == 1
    good = aggregator.decode(data(entry(x="[" * 61 + "]" * 61)))
    assert len(good) == 1
    lenient = entry(
        signature_type='"stark"',
        signed_prices="["
        + publisher(publisher_key="[" * 59 + "]" * 59, signature_type='"stark"')
        + "]",
    )
    assert len(aggregator.decode(data(lenient)).publishers) == 1
