"""Tables of frames become tables of updates, the same as one by one."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import damaged, texts
from recorded import BEGIN_NS, KEY, frame_lines

import codec
from codec import Batch, Decoder, ErrorCode, _core, decode_frames, reference
from codec.arrow import schema
from codec.taxonomy import Taxonomy

KINDS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.dictionary(pa.int32(), pa.string()),
]
SIGNER = codec.KnownSigner(codec.encode([], [], timestamp_ns=0, taxonomy_id=1, key=KEY))
OTHER = "0x3db9E960ECfCcb11969509FAB000c0c96DC51830"


def split(lines: bytes) -> tuple[list[int], list[bytes]]:
    pairs = [line.split(b" ", 1) for line in lines.splitlines()]
    return [int(time) for time, _ in pairs], [frame for _, frame in pairs]


def table(frames: list[Any], kind: Any = "binary", **more: Any) -> pa.Table:
    return pa.table({"frame": pa.array(frames, kind), **more})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_column(kind: pa.DataType) -> None:
    lines = frame_lines(50)
    times, frames = split(lines)
    if pa.types.is_dictionary(kind):
        texts = pa.array([frame.decode() for frame in frames]).dictionary_encode()
        given_frames = pa.table({"frame": texts, "receive_ns": times})
    else:
        given_frames = table(frames, kind, receive_ns=times)
    expected = codec.decode_lines(lines).to_arrow()
    for found in (
        decode_frames(given_frames),
        decode_frames(given_frames.to_batches()[0]),
        pa.concat_tables(
            decode_frames(given_frames.slice(at, 7)) for at in range(0, 50, 7)
        ),
        decode_frames(pa.concat_tables([given_frames[:3], given_frames[3:]])),
    ):
        assert found.schema == schema()
        assert found.equals(expected)


def column(frames: list[bytes | None], start: int, end: int) -> tuple[Any, Any, Any]:
    """What Arrow would have of them, as a slice of something longer."""
    texts = [b"" if frame is None else frame for frame in frames]
    ends = np.cumsum([3, *map(len, texts)])
    data = np.frombuffer(b"xyz" + b"".join(texts), np.uint8)
    valid = np.array([frame is not None for frame in frames[start:end]], bool)
    return data, ends[start : end + 1].astype(np.int64), valid


WHOLE = texts().map(str.encode)
FRAMES = st.lists(st.one_of(WHOLE, damaged(WHOLE), st.none()), max_size=12)


@given(FRAMES, st.lists(st.integers(0, 12), max_size=3), st.booleans())
def test_columns_are_decoded_as_the_reference_decodes(
    frames: list[bytes | None], cuts: list[int], payloads: bool
) -> None:
    cuts = [0, *sorted(min(cut, len(frames)) for cut in cuts), len(frames)]
    chunks = tuple(column(frames, a, b) for a, b in pairwise(cuts))
    items = [b"" if frame is None else frame for frame in frames]
    expected = reference.decode(items, on_error="skip", payloads=payloads)
    decoder = _core.DecoderBase(Batch, payloads, 1, True)
    found = _core.column_decode(decoder, chunks, on_error="skip")
    assert found.messages.tobytes() == expected.messages.tobytes()
    assert found.updates.tobytes() == expected.updates.tobytes()
    assert found.errors["code"].tolist() == expected.errors["code"].tolist()
    errors = codec.decode(items, on_error="skip").errors
    assert found.errors.tobytes() == errors.tobytes()
    if len(errors):
        with pytest.raises(codec.DecodeError) as raised:
            _core.column_decode(decoder, chunks)
        first = errors[0]
        assert (raised.value.code, raised.value.index, raised.value.offset) == (
            first["code"],
            first["index"],
            first["offset"],
        )


def test_columns_of_more_rows_than_are_noted_at_once() -> None:
    frames = split(frame_lines(3000))[1] * 3
    expected = codec.decode(frames)
    found = _core.column_decode(
        _core.DecoderBase(Batch, True, 1, True), (column(frames, 0, len(frames)),)
    )
    assert found.updates.tobytes() == expected.updates.tobytes()
    frames[8500] = b"?"
    with pytest.raises(codec.DecodeError) as raised:
        decode_frames(pa.concat_tables([table(frames[:4500]), table(frames[4500:])]))
    assert raised.value.index == 8500


@pytest.mark.parametrize(
    "offsets", [[], [-1, 3], [0, 9], [2, 1], [0, 2**62, 3]], ids=str
)
def test_offsets_outside_of_the_bytes_are_refused(offsets: list[int]) -> None:
    decoder = _core.DecoderBase(Batch, True, 1, True)
    data = np.frombuffer(b"12345678", np.uint8)
    with pytest.raises(ValueError, match="offsets do not fit"):
        _core.column_decode(decoder, ((data, np.array(offsets, np.int64), None),))
    places = np.array([0, 8], np.int64)
    with pytest.raises(ValueError, match="offsets do not fit"):
        _core.column_decode(decoder, ((data, places, np.ones(2, bool)),))


def test_a_decoders_own_result_is_no_input() -> None:
    decoder = Decoder()
    lines = frame_lines(3)
    arena = decoder.decode_lines(lines).payload_arena
    places = np.array([0, 4], np.int64)
    with pytest.raises(ValueError, match="overwrites"):
        _core.column_decode(decoder, ((arena, places, None),))
    with pytest.raises(ValueError, match="on_error"):
        _core.column_decode(decoder, (), on_error="?")  # type: ignore[arg-type]


def test_bad_rows_are_left_out_or_named() -> None:
    times, frames = split(frame_lines(6))
    damaged_frames = [frames[0], None, frames[2], b"{}", *frames[4:]]
    for i in (1, 3):
        times[i] = 7
    given_frames = table(damaged_frames, receive_ns=pa.array(times, pa.uint64()))
    with pytest.raises(codec.DecodeError) as raised:
        decode_frames(given_frames)
    assert (raised.value.code, raised.value.index) == (ErrorCode.EMPTY, 1)
    found = decode_frames(given_frames, on_error="skip")
    rest = [i for i in range(6) if i not in (1, 3)]
    expected = decode_frames(given_frames.take(rest))
    assert found.equals(expected)
    assert found["receive_timestamp"].cast(pa.int64()).to_pylist() == [
        BEGIN_NS + i for i in rest for _ in range(3)
    ]


@pytest.mark.parametrize(
    "kind",
    [pa.int64(), pa.uint64(), pa.timestamp("us"), pa.timestamp("ns", "UTC")],
    ids=str,
)
def test_receive_times_of_every_type(kind: pa.DataType) -> None:
    frames = split(frame_lines(3))[1]
    times: list[Any] = [BEGIN_NS // 1000, None, 0]
    if kind != pa.timestamp("us"):
        times[0] *= 1000
    found = decode_frames(
        table(frames, when=pa.array(times, kind)), receive_column="when"
    )
    ns = found["receive_timestamp"].cast(pa.int64()).to_pylist()
    assert ns[::3] == [BEGIN_NS // 1000 * 1000, None, None]
    assert decode_frames(table(frames))["receive_timestamp"].null_count == 9
    unwanted = decode_frames(table(frames, receive_ns=["?"] * 3), receive_column=None)
    assert unwanted["receive_timestamp"].null_count == 9


def test_signers_a_taxonomy_and_floats() -> None:
    frames = split(frame_lines(4))[1]
    frames[2] = codec.to_frame(
        codec.encode([1], [5], timestamp_ns=1, taxonomy_id=1, key=b"\x09" * 32)
    )
    options: dict[str, Any] = {
        "taxonomy": Taxonomy({(1, 1): "BTCUSD"}),
        "value_float": True,
        "signers": SIGNER,
    }
    with pytest.raises(codec.BadSignatureError) as raised:
        decode_frames(table(frames), **options)
    assert raised.value.index == 2
    marked = decode_frames(table(frames), on_bad_signature="mark", **options)
    assert marked.schema == schema(taxonomy=True, value_float=True, signers=True)
    assert marked["verified"].to_pylist() == [True] * 6 + [False] + [True] * 3
    times = pa.array([1, 2, 3, 4], pa.int64())
    dropped = decode_frames(
        table(frames, receive_ns=times), on_bad_signature="drop", **options
    )
    assert len(dropped) == 9
    assert dropped["receive_timestamp"].cast(pa.int64()).to_pylist()[::3] == [1, 2, 4]
    assert set(dropped["symbol"].to_pylist()) == {"BTCUSD", None}
    with pytest.raises(codec.BadSignatureError):
        decode_frames(table(frames), signers=OTHER)


def test_a_value_that_does_not_fit_is_named_by_its_row() -> None:
    frames = split(frame_lines(4))[1]
    frames[3] = codec.to_frame(
        codec.encode([1, 2], [5, 10**38], timestamp_ns=1, taxonomy_id=1, key=None)
    )
    frames[1] = b"{}"
    with pytest.raises(codec.RangeError, match="row 3 of the frames"):
        decode_frames(table(frames), on_error="skip")


def test_no_rows_have_the_same_schema() -> None:
    for frames in (table([]), pa.table({"frame": pa.chunked_array([], pa.string())})):
        assert decode_frames(frames).equals(schema().empty_table())


def test_what_is_no_table_of_frames() -> None:
    with pytest.raises(ValueError, match="no column 'frame' among 'a', 'b'"):
        decode_frames(pa.table({"a": [1], "b": [2]}))
    with pytest.raises(ValueError, match="several columns 'frame'"):
        decode_frames(pa.table([[b""], [b""]], names=["frame", "frame"]))
    with pytest.raises(TypeError, match="the column 'frame' is int64"):
        decode_frames(pa.table({"frame": [1]}))
    with pytest.raises(ValueError, match="no column 'when'"):
        decode_frames(table([]), receive_column="when")
    with pytest.raises(TypeError, match="'receive_ns' is double"):
        decode_frames(table([b""], receive_ns=[1.0]))
    with pytest.raises(ValueError, match="row 1 of 'receive_ns' is before 1970"):
        decode_frames(table([b"", b""], receive_ns=[1, -1]))
    with pytest.raises(TypeError, match="not list"):
        decode_frames([b"{}"])


def test_a_data_frame_is_taken_by_its_capsule() -> None:
    times, frames = split(frame_lines(3))
    given_frames = table(frames, receive_ns=times)
    assert decode_frames(given_frames.to_pandas()).equals(decode_frames(given_frames))


def test_it_can_be_sent_to_another_process() -> None:
    work = partial(
        decode_frames, taxonomy=Taxonomy({(1, 1): "BTCUSD"}), signers=[SIGNER, OTHER]
    )
    given_frames = table(split(frame_lines(3))[1])
    sent = pickle.loads(pickle.dumps(work))
    assert sent(given_frames).equals(work(given_frames))
    for error in (codec.RangeError(3, "why"), codec.DecodeError(1, 2, 3)):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_results_outlive_their_frames() -> None:
    given_frames = table(split(frame_lines(3))[1])
    found, expected = decode_frames(given_frames), decode_frames(given_frames)
    del given_frames
    gc.collect()
    assert found.equals(expected)
    found.validate(full=True)


def test_pyarrow_is_only_loaded_when_it_is_asked_for() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; import codec\n"
        "try: codec.decode_frames\n"
        "except codec.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "stork-codec[arrow]" in done.stdout
