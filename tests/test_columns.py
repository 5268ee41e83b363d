"""Updates as columns: the same numbers as in rows, however they come about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from messages import damaged, payloads, texts
from signature_cases import GOOD, OTHER_KEY, SIGNER, UNSIGNED, payload, state

import codec
from codec import _core, reference

NAMES = ("value", "timestamp_ns", "taxonomy_id", "asset_id", "market_status")
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(columnar: Any, rows: Any) -> None:
    """The same results; those of `columnar` look at columns first."""
    for name in NAMES:
        column = getattr(columnar.columns, name)
        assert column.dtype == rows.updates.dtype[name]
        assert column.tobytes() == rows.updates[name].tobytes()
        assert getattr(rows.columns, name).tobytes() == column.tobytes()
    assert len(columnar) == len(columnar.columns) == len(rows)
    assert state(columnar) == state(rows)


def frames(n: int, n_assets: int) -> list[bytes]:
    rng = np.random.default_rng(n)
    return [
        codec.to_frame(
            codec.encode(
                rng.integers(0, 2**16, n_assets),
                rng.integers(-(2**63), 2**63, n_assets),
                timestamp_ns=int(rng.integers(0, 2**62)),
                taxonomy_id=int(rng.integers(0, 9)),
                key=None,
                market_status=rng.integers(0, 256, n_assets) if i % 3 == 0 else None,
            )
        )
        for i in range(n)
    ]


@shared
@given(st.lists(texts() | damaged(texts().map(str.encode)), max_size=8), st.booleans())
def test_messages(api: Any, messages: Any, keep: bool) -> None:
    options = {"on_error": "skip", "payloads": keep}
    columnar = api.decode(messages, layout="columns", **options)
    same(columnar, reference.decode(messages, **options))


@shared
@given(st.lists(payloads(max_assets=200), max_size=8))
def test_payloads(isa: str, items: list[bytes]) -> None:
    same(
        codec.decode_payloads(items, layout="columns"),
        reference.decode_payloads(items),
    )


@pytest.mark.parametrize("n_assets", [0, 1, 7, 100, 511, 513, 3000])
def test_lines(isa: str, n_assets: int) -> None:
    buffer = b"\n".join(frames(60, n_assets))
    rows = codec.decode_lines(buffer)
    same(codec.decode_lines(buffer, layout="columns"), rows)
    same(codec.decode_lines(buffer, layout="columns", threads=3), rows)


def test_large_results_go_around_the_caches(isa: str) -> None:
    unit = b"\n".join(frames(120, 70)) + b"\n"
    rows = codec.decode_lines(unit)
    columnar = codec.decode_lines(unit * 90, layout="columns")
    for name in NAMES:
        expected = np.tile(rows.updates[name], 90)
        assert (getattr(columnar.columns, name) == expected).all()
    many = codec.decode_lines(unit * 90)
    assert many.updates.nbytes > 16 << 20
    same(many, columnar)


@pytest.mark.parametrize("threads", [1, 2])
def test_lists_by_several_threads(threads: int) -> None:
    messages = frames(3000, 40)
    messages[1234] = b"nothing"
    options: Any = {"on_error": "skip", "threads": threads}
    columnar = codec.decode(messages, layout="columns", **options)
    same(columnar, codec.decode(messages, **options))


@shared
@given(st.lists(payloads(), min_size=1, max_size=6), st.data())
def test_chosen_messages(api: Any, items: Any, data: Any) -> None:
    keep = data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
    columnar = api.decode_payloads(items, layout="columns")
    rows = api.decode_payloads(items)
    same(columnar.select(keep), rows.select(keep))
    same(columnar.copy(), rows)


@pytest.mark.parametrize("policy", ["mark", "drop"])
def test_signatures(policy: Any, api: Any) -> None:
    foreign = payload(2, OTHER_KEY).hex()
    messages = [UNSIGNED, GOOD.hex(), foreign, "{}", payload(3, layout=2).hex()]
    options: Any = {
        "on_error": "skip",
        "signers": SIGNER,
        "on_bad_signature": policy,
    }
    columnar = api.decode(messages, layout="columns", **options)
    same(columnar, api.decode(messages, **options))


def test_a_monitor_sees_the_same() -> None:
    messages = [*frames(50, 30), *frames(20, 30)]
    monitors = codec.Monitor(period_ns=10**7), codec.Monitor(period_ns=10**7)
    notices = [
        monitor.observe(codec.decode(messages, layout=layout)).tobytes()
        for monitor, layout in zip(monitors, ("rows", "columns"), strict=True)
    ]
    assert notices[0] == notices[1]
    assert (monitors[0].last_seen_ns == monitors[1].last_seen_ns).all()


def test_a_decoder_uses_its_columns_again() -> None:
    decoder = codec.Decoder(layout="columns")
    first = decoder.decode(frames(3, 40))
    before = first.columns.value.copy()
    kept, view = first.copy(), first.columns
    owned = first.own_columns()
    second = decoder.decode(frames(4, 40)[1:])
    assert np.shares_memory(view.value, second.columns.value)
    assert (kept.columns.value == before).all()
    assert (owned.value == before).all()
    assert not (view.value == before).all()
    for n in (1, 2000, 5, 4000):  # growth under the views of others
        batch = decoder.decode(frames(n, 20))
        same(batch, codec.decode(frames(n, 20)))
    assert (kept.columns.value == before).all()


@pytest.mark.parametrize("source", [codec, codec.Decoder(layout="columns")])
def test_a_table_keeps_no_payloads(source: Any) -> None:
    options = {"layout": "columns"} if source is codec else {}
    batch = source.decode(frames(300, 40), **options)
    rows = codec.decode(frames(300, 40))
    kept = batch.own_columns()
    assert kept.value.base is not batch.payload_arena.base
    same(batch.select(np.arange(300) % 2 == 0), rows.select(np.arange(300) % 2 == 0))
    same(batch.copy(), rows)
    same(batch, rows)
    del batch
    source.decode(frames(2, 40), **options)
    assert (kept.value == rows.updates["value"]).all()


def test_columns_outlive_their_batch() -> None:
    columns = codec.decode(frames(300, 40), layout="columns").columns
    expected = codec.decode(frames(300, 40)).updates["value"]
    assert (columns.value == expected).all()


def test_of_any_array_of_updates() -> None:
    updates = codec.decode(frames(9, 33)).updates
    for part in (updates, updates[::3], updates[::-1], updates[:0]):
        columns = _core.columns_of(part)
        for name in NAMES:
            assert (getattr(columns, name) == part[name]).all()
    with pytest.raises(TypeError, match="1-D array of UPDATE_DTYPE"):
        _core.columns_of(updates["value"])
    with pytest.raises(TypeError, match="1-D array of UPDATE_DTYPE"):
        _core.columns_of(updates.reshape(3, -1))


def test_of_rows_at_odd_addresses(isa: str) -> None:
    batch = codec.decode(frames(9, 33))
    updates, messages = (
        np.frombuffer(b"-" + rows.tobytes(), rows.dtype, offset=1)
        for rows in (batch.updates, batch.messages)
    )
    assert not updates.flags.aligned and not messages.flags.aligned
    columns = _core.columns_of(updates)
    for name in NAMES:
        assert (getattr(columns, name) == batch.updates[name]).all()
    assert not _core.receive_times(messages, len(updates)).any()


@given(
    st.lists(st.integers(0, 65535)),
    st.integers(1, 3),
)
def test_marks_of_ids(ids: list[int], step: int) -> None:
    marks, column = np.zeros(65536, np.bool_), np.array(ids, np.uint16)[::step]
    marks[7] = True
    _core.mark_ids(marks, column)
    assert np.flatnonzero(marks).tolist() == sorted({7, *column.tolist()})


def test_marks_are_checked() -> None:
    marks, ids = np.zeros(65536, np.bool_), np.zeros(3, np.uint16)
    for wrong in (marks[1:], np.zeros(131072, np.bool_)[::2], marks.astype(np.uint8)):
        with pytest.raises(TypeError, match="bool array of 65,536"):
            _core.mark_ids(wrong, ids)
    for wrong_ids in (ids.astype(np.int64), ids.reshape(3, 1), ids.astype(">u2")):
        with pytest.raises(TypeError, match="1-D array of uint16"):
            _core.mark_ids(marks, wrong_ids)
    marks.flags.writeable = False
    with pytest.raises(TypeError, match="bool array of 65,536"):
        _core.mark_ids(marks, ids)


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_nobody_writes_to_columns(layout: Any) -> None:
    for n in (0, 9):
        columns = codec.decode(frames(n, 33), layout=layout).columns
        for name in NAMES:
            assert not getattr(columns, name).flags.writeable


def test_nothing_at_all() -> None:
    for batch in (codec.decode([], layout="columns"), codec.decode([])):
        assert len(batch.columns) == 0
        assert batch.columns.value.dtype == codec.VALUE_DTYPE
        assert batch.updates.shape == (0,)
    assert repr(batch.columns) == "<Columns: 0 updates>"


def test_arguments_are_checked(api: Any) -> None:
    for call in (api.decode, api.decode_lines, api.decode_payloads):
        with pytest.raises(ValueError, match="layout is 'rows' or 'columns'"):
            call(b"", layout="arrow")
    with pytest.raises(ValueError, match="layout is 'rows' or 'columns'"):
        api.Decoder(layout="columnar")
    with pytest.raises(TypeError, match="come from a Batch"):
        codec.Columns()


def test_tables_of_state_take_columns() -> None:
    messages = frames(50, 30)
    batches = [codec.decode(messages, layout=layout) for layout in ("rows", "columns")]
    bars = [codec.bars(batch, "1h") for batch in batches]
    assert bars[0].tobytes() == bars[1].tobytes()
    tables = [codec.LatestTable(), codec.LatestTable()]
    assert tables[0].update(batches[0]) == tables[1].update(batches[1])
    assert (tables[0].value == tables[1].value).all()
