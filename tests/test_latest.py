"""The newest update of every asset: each rule, and the core against the reference."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from updates import MAX, STRIDES, Row, make_updates, strided, update_tables

import codec
from codec import _core, reference
from codec.dtypes import MESSAGE_DTYPE, UPDATE_DTYPE, VALUE_DTYPE

T = 1_764_608_822_000_000_000
ONE = 10**18


def row(
    timestamp_ns: int,
    asset_id: int,
    value: int,
    taxonomy_id: int = 1,
    status: int = 255,
) -> Row:
    return timestamp_ns, taxonomy_id, asset_id, value, status


def updated(api: Any, *rows: Row, taxonomy_id: int | None = None) -> Any:
    table = api.LatestTable(taxonomy_id)
    table.update(make_updates([*rows]))
    return table


def test_the_later_wins(api: Any) -> None:
    table = updated(api, row(5, 7, 50), row(6, 7, 60), row(4, 7, 40))
    assert table.exact(7) == 60
    assert table.n_late == 1
    assert (
        table.update(make_updates([row(6, 7, 61), row(5, 7, 51), row(6, 7, 62)])) == 2
    )
    assert (table.exact(7), table.n_late, len(table)) == (62, 2, 1)


def test_a_timestamp_of_zero_is_known(api: Any) -> None:
    table = updated(api, row(0, 0, 0), row(0, 65535, -1))
    assert [*table] == [0, 65535]
    assert 0 in table and 1 not in table
    assert table.exact(0) == 0 and table.exact(1) is None
    assert table.known.sum() == 2
    assert table.update(make_updates([row(0, 0, 3)])) == 1
    assert table.exact(0) == 3


def test_lookups(api: Any) -> None:
    table = updated(
        api,
        row(T, 3, 3 * ONE // 2, status=1),
        row(MAX, 4, -(2**127)),
        row(T, 5, 2**127 - 1),
    )
    latest = table[3]
    assert latest is not None
    assert (latest.taxonomy_id, latest.asset_id, latest.timestamp_ns) == (1, 3, T)
    assert (latest.value, latest.price, latest.market_status) == (3 * ONE // 2, 1.5, 1)
    assert table[4].market_status is None
    assert table[4].timestamp_ns == MAX
    assert table.price(3) == 1.5
    assert table.exact(4) == -(2**127) == table[4].value
    assert table.price(4) == table[4].price == -(2**127) / ONE
    assert table.exact(5) == 2**127 - 1
    assert table[np.uint16(3)].asset_id == 3
    assert table[6] is None and table.price(6) is None and table.exact(6) is None


def test_what_is_no_asset_id(api: Any) -> None:
    table = updated(api, row(T, 65535, 1))
    for bad in (-1, 65536, 2**70, -(2**70)):
        assert bad not in table
        for look_up in (table.__getitem__, table.price, table.exact):
            with pytest.raises(IndexError, match=r"65535|index-sized"):
                look_up(bad)
    for look_up in (table.__getitem__, table.price, table.exact, table.__contains__):
        with pytest.raises(TypeError):
            look_up("7")
        with pytest.raises(TypeError):
            look_up(1.0)


def test_a_latest_is_of_its_moment() -> None:
    table = updated(codec, row(5, 7, 50))
    before, same = table[7], table[7]
    table.update(make_updates([row(6, 7, 60)]))
    assert before is not None and before.value == 50
    assert before == same and hash(before) == hash(same)
    assert before != table[7] and before != (1, 7, 5, 50, None)
    assert repr(before) == (
        "Latest(taxonomy_id=1, asset_id=7, timestamp_ns=5, value=50,"
        " market_status=None)"
    )
    for again in (pickle.loads(pickle.dumps(before)), copy.deepcopy(before)):
        assert again == before
    with pytest.raises(ValueError, match="no row"):
        _core.latest_from(b"short")
    with pytest.raises(TypeError, match="LatestTable"):
        codec.Latest()
    with pytest.raises(AttributeError):
        before.value = 3  # type: ignore[misc]


def test_one_taxonomy(api: Any) -> None:
    table = updated(api, row(5, 7, 50, taxonomy_id=9), row(6, 7, 60, taxonomy_id=1))
    assert (table.taxonomy_id, table.exact(7), table.n_foreign) == (9, 50, 1)
    table = updated(api, row(5, 7, 50, taxonomy_id=9), taxonomy_id=1)
    assert (table.taxonomy_id, len(table), table.n_foreign) == (1, 0, 1)
    assert api.LatestTable().taxonomy_id is None
    assert updated(api).taxonomy_id is None
    for taxonomy_id in (0, 65535):
        table = updated(api, row(5, 7, 1, taxonomy_id), row(6, 7, 2, 256))
        assert (table.taxonomy_id, table.exact(7)) == (taxonomy_id, 1)


def test_clear(api: Any) -> None:
    table = updated(api, row(5, 7, 50), row(4, 7, 40), row(6, 7, 60, taxonomy_id=2))
    table.clear()
    assert (len(table), table.n_late, table.n_foreign, table.taxonomy_id) == (
        0,
        0,
        0,
        None,
    )
    same(table, reference.LatestTable())
    table.update(make_updates([row(1, 7, 10, taxonomy_id=2)]))
    assert table.exact(7) == 10
    table = updated(api, row(5, 7, 50), taxonomy_id=1)
    table.clear()
    assert table.taxonomy_id == 1


def test_snapshot(api: Any) -> None:
    table = updated(
        api, row(5, 9, 90), row(6, 2, 20), row(5, 300, 3), row(6, 3, 30, status=2)
    )
    batch = table.snapshot()
    assert batch.updates["asset_id"].tolist() == [2, 3, 9, 300]
    assert batch.messages["timestamp_ns"].tolist() == [6, 5]
    assert batch.messages["update_count"].tolist() == [2, 2]
    assert batch.messages["first_update"].tolist() == [0, 2]
    assert batch.message_index().tolist() == [0, 0, 1, 1]
    assert len(batch.errors) == 0
    assert bytes(batch.payload(1)) == b""
    chosen = batch.select([False, True])
    assert chosen.updates["asset_id"].tolist() == [9, 300]
    assert chosen.messages["first_update"].tolist() == [0]
    assert batch.copy().updates.tobytes() == batch.updates.tobytes()
    table.update(make_updates([row(9, 9, 1)]))
    assert batch.updates["value"]["lo"].tolist() == [20, 30, 90, 3]


def test_snapshot_is_a_batch() -> None:
    batch = updated(codec, row(5, 9, 90), row(6, 2, 20)).snapshot()
    assert isinstance(batch, codec.Batch)
    arrow = batch.to_arrow()
    assert arrow["asset_id"].to_pylist() == [2, 9]
    assert arrow["receive_timestamp"].null_count == 2
    assert batch.updates.flags.writeable
    empty = codec.LatestTable().snapshot()
    assert (len(empty), len(empty.messages), empty.to_arrow().num_rows) == (0, 0, 0)


def test_snapshot_of_one_message_is_that_message() -> None:
    payload = codec.encode(
        [1, 5, 70], [10, -5, 2**90], timestamp_ns=T, taxonomy_id=3, key=None
    )
    batch = codec.decode_payloads([payload])
    table = codec.LatestTable()
    assert table.update(batch) == 3
    found = table.snapshot()
    assert found.updates.tobytes() == batch.updates.tobytes()
    ours, theirs = found.messages[0], batch.messages[0]
    for name in ("timestamp_ns", "first_update", "update_count", "taxonomy_id"):
        assert ours[name] == theirs[name]


def test_arrays_are_live_and_read_only() -> None:
    table = codec.LatestTable()
    arrays = (table.value, table.timestamp_ns, table.market_status, table.known)
    value, timestamp_ns, market_status, known = arrays
    assert value.dtype == VALUE_DTYPE and timestamp_ns.dtype == np.uint64
    assert market_status.dtype == np.uint8 and known.dtype == np.bool_
    assert {array.shape for array in arrays} == {(65536,)}
    assert not known.any() and (market_status == 255).all()
    table.update(make_updates([row(T, 7, -1, status=1)]))
    del table
    gc.collect()
    assert known[7] and known.sum() == 1
    assert int(timestamp_ns[7]) == T and market_status[7] == 1
    assert codec.as_int(value)[7] == -1
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_copies_and_pickles() -> None:
    table = updated(codec, row(5, 7, 50), row(4, 7, 40), row(5, 8, 1, taxonomy_id=2))
    empty = codec.LatestTable(4)
    for make in (
        codec.LatestTable.copy,
        copy.copy,
        copy.deepcopy,
        lambda table: pickle.loads(pickle.dumps(table)),
    ):
        other: codec.LatestTable = make(table)
        same(other, table)
        other.update(make_updates([row(9, 7, 90)]))
        assert (other.exact(7), table.exact(7)) == (90, 50)
        assert make(empty).taxonomy_id == 4
        other.clear()
        assert other.taxonomy_id is None
    assert repr(table) == "<LatestTable: 1 assets of taxonomy 1>"
    assert repr(codec.LatestTable()) == "<LatestTable: 0 assets>"


@pytest.mark.parametrize("bad", [-1, 65536])
def test_bad_taxonomies(api: Any, bad: int) -> None:
    with pytest.raises(ValueError, match="taxonomy_id must be"):
        api.LatestTable(bad)
    with pytest.raises(TypeError):
        api.LatestTable(1.0)


def test_what_are_no_updates() -> None:
    table = codec.LatestTable()
    good = make_updates([row(1, 1, 1)])
    for bad in (
        None,
        good.tolist(),
        good.reshape(1, 1),
        good["value"],
        np.zeros(2, MESSAGE_DTYPE),
        good.astype(UPDATE_DTYPE.newbyteorder(">")),
        np.ma.MaskedArray(good),
    ):
        with pytest.raises(TypeError, match="UPDATE_DTYPE is needed, not"):
            table.update(bad)
    assert len(table) == 0


def test_a_batch_of_a_decoder() -> None:
    decoder = codec.Decoder()
    table = codec.LatestTable()
    for value in (1, 2):
        frame = f'{{"type":"unsigned","tax":1,"ts":{value},"a":[{{"id":1,"v":"5"}}]}}'
        table.update(decoder.decode(frame))
    assert table.timestamp_ns[1] == 2


def same(table: Any, oracle: Any) -> None:
    """All that can be seen of both is the same."""
    assert table.taxonomy_id == oracle.taxonomy_id
    assert (table.n_late, table.n_foreign) == (oracle.n_late, oracle.n_foreign)
    assert len(table) == len(oracle)
    assert [*table] == [*oracle]
    for name in ("value", "timestamp_ns", "market_status", "known"):
        ours, theirs = getattr(table, name), getattr(oracle, name)
        assert ours.tobytes() == theirs.tobytes(), name
    for asset_id in (*oracle, 1, 77):
        ours, theirs = table[asset_id], oracle[asset_id]
        assert (ours is None) == (theirs is None)
        for name in ("taxonomy_id", "timestamp_ns", "value", "price", "market_status"):
            assert getattr(ours, name, None) == getattr(theirs, name, None)
        assert table.price(asset_id) == oracle.price(asset_id)
        assert table.exact(asset_id) == oracle.exact(asset_id)
    ours, theirs = table.snapshot(), oracle.snapshot()
    assert ours.updates.tobytes() == theirs.updates.tobytes()
    assert ours.messages.tobytes() == theirs.messages.tobytes()


@given(
    st.lists(st.tuples(update_tables(), STRIDES), max_size=3),
    st.sampled_from([None, None, 1, 2, 65535]),
)
def test_core_equals_reference(
    parts: list[tuple[Any, int]], taxonomy_id: int | None
) -> None:
    table, oracle = codec.LatestTable(taxonomy_id), reference.LatestTable(taxonomy_id)
    for updates, stride in parts:
        assert table.update(strided(updates, stride)) == oracle.update(updates)
    same(table, oracle)
    same(pickle.loads(pickle.dumps(table)), oracle)


@given(update_tables(), st.integers(0, 40))
def test_where_batches_end_does_not_matter(updates: Any, cut: int) -> None:
    whole, parts = codec.LatestTable(), codec.LatestTable()
    whole.update(updates)
    parts.update(updates[:cut])
    parts.update(updates[cut:])
    same(parts, whole)


def test_every_asset() -> None:
    """Large enough to go without the GIL."""
    ids = np.arange(65536)
    updates = np.zeros(3 * 65536, UPDATE_DTYPE)
    updates["asset_id"] = np.tile(ids[::-1], 3)
    updates["timestamp_ns"] = np.repeat([5, 7, 6], 65536)
    updates["value"]["lo"] = np.arange(3 * 65536)
    table = codec.LatestTable()
    assert table.update(updates) == 2 * 65536
    assert (len(table), table.n_late) == (65536, 65536)
    batch = table.snapshot()
    assert len(batch.messages) == 1 and batch.messages["update_count"][0] == 65536
    assert batch.updates["value"]["lo"].tolist() == (2 * 65536 - 1 - ids).tolist()
    updates["timestamp_ns"] = 8 + np.arange(3 * 65536)
    table.update(updates)
    assert len(table.snapshot().messages) == 65536


def test_readers_see_whole_rows() -> None:
    """Each row's parts are the same number; a look-up never mixes two of them."""
    n = 40_000
    updates = np.zeros(n, UPDATE_DTYPE)
    updates["asset_id"] = np.arange(n) % 3
    updates["timestamp_ns"] = updates["value"]["lo"] = np.arange(n)
    updates["value"]["hi"] = np.arange(n)
    table = codec.LatestTable()
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            table.update(updates)
            updates["timestamp_ns"] += np.uint64(n)
            updates["value"]["lo"] += np.uint64(n)
            updates["value"]["hi"] += n

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for i in range(30_000):
            latest = table[i % 3]
            if latest is not None:
                number = latest.timestamp_ns
                assert latest.value == (number << 64) + number
        rows = table.snapshot().updates
        assert rows["timestamp_ns"].tolist() == rows["value"]["hi"].tolist()
    finally:
        done.set()
        thread.join()


def test_a_snapshot_misses_no_asset() -> None:
    """What was known before is there, however many others become known meanwhile."""
    updates = np.zeros(65536, UPDATE_DTYPE)
    updates["asset_id"] = np.arange(65536)[::-1]  # the last ids are known first
    for _ in range(5):
        table = codec.LatestTable()
        table.update(updates[:100])
        thread = threading.Thread(target=table.update, args=(updates,))
        thread.start()
        while thread.is_alive():
            found = table.snapshot().updates["asset_id"]
            assert found[-100:].tolist() == list(range(65436, 65536))
        thread.join()
        assert len(table.snapshot()) == 65536


def test_one_writer_at_a_time() -> None:
    updates = np.broadcast_to(make_updates([row(1, 1, 1)]), (20_000_000,))
    table = codec.LatestTable()
    errors = []
    begin = threading.Barrier(2)

    def write() -> None:
        begin.wait()
        try:
            table.update(updates)
        except RuntimeError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(errors) <= {"this LatestTable is in the middle of another call"}
    assert len(table) == 1
    assert table.update(updates[:1]) == 1
