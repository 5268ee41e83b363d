"""The compiled core held to the reference, on every instruction set of the machine."""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_cases import FAULTS
from hypothesis import given
from hypothesis import strategies as st
from messages import INT128, damaged, payloads, texts

import codec
from codec import _core, reference
from codec.errors import DecodeError, ErrorCode

ISAS = _core.instruction_sets()
FUNCTIONS = {
    "decode": (codec.decode, reference.decode),
    "lines": (codec.decode_lines, reference.decode_lines),
    "payloads": (codec.decode_payloads, reference.decode_payloads),
}


def state(batch: Any) -> tuple[Any, ...]:
    """All that a batch holds, padding included; JSON faults without their offset,
    which the reference may put elsewhere."""
    errors = batch.errors.copy()
    errors["offset"][errors["code"] == ErrorCode.INVALID_JSON] = 0
    arena = batch.payload_arena
    return (
        batch.messages.tobytes(),
        batch.updates.tobytes(),
        errors.tolist(),
        None if arena is None else arena.tobytes(),
        len(batch),
        batch.message_index().tolist(),
    )


def assert_same(kind: str, data: Any, **options: Any) -> None:
    """Core and reference agree on `data`, skipping and raising, on every set."""
    core, plain = FUNCTIONS[kind]
    expected = plain(data, on_error="skip", **options)
    first = None
    if len(expected.errors):
        with pytest.raises(DecodeError) as caught:
            plain(data, **options)
        first = (caught.value.code, caught.value.index)
    for name in ISAS:
        _core.use_instruction_set(name)
        try:
            assert state(core(data, on_error="skip", **options)) == state(expected), (
                name
            )
            if first is None:
                assert state(core(data, **options)) == state(expected), name
                continue
            with pytest.raises(DecodeError) as caught:
                core(data, **options)
            assert (caught.value.code, caught.value.index) == first, name
        finally:
            _core.use_instruction_set(ISAS[0])


@pytest.mark.parametrize(
    ("kind", "data", "code", "offset"),
    [c[1:] for c in FAULTS],
    ids=[c[0] for c in FAULTS],
)
def test_every_fault_has_its_code_and_offset(
    kind: str, data: Any, code: ErrorCode, offset: int, isa: str
) -> None:
    function = FUNCTIONS[kind][0]
    with pytest.raises(DecodeError) as caught:
        function(data)
    error = caught.value
    assert (error.code, error.index, error.offset) == (code, 0, offset)
    assert str(error).endswith(f"[{code}, message 0, byte {offset}]")
    batch = function(data, on_error="skip")
    assert batch.errors.tolist() == [(0, offset, code)]
    assert len(batch) == len(batch.messages) == 0


def test_real_payloads(payload_vectors: list[dict[str, Any]], isa: str) -> None:
    for vector in payload_vectors:
        raw = bytes.fromhex(vector["hex"][2:])
        for message in (vector["hex"], vector["hex"][2:], codec.to_frame(raw)):
            batch = codec.decode(message)
            row = batch.messages[0]
            assert row["timestamp_ns"] == vector["timestamp_ns"]
            assert row["taxonomy_id"] == vector["taxonomy_id"]
            assert row["layout"] == vector["layout"]
            assert bytes(batch.payload(0)) == raw
            updates = vector["updates"]
            assert batch.updates["asset_id"].tolist() == [
                u["asset_id"] for u in updates
            ]
            assert codec.as_int(batch.updates).tolist() == [
                int(u["value"]) for u in updates
            ]
            assert batch.updates["market_status"].tolist() == [
                u.get("market_status", 255) for u in updates
            ]
        assert state(codec.decode_payloads(raw)) == state(
            reference.decode_payloads(raw)
        )


@given(st.lists(texts(), max_size=4), st.booleans())
def test_valid_messages(messages: list[str], keep: bool) -> None:
    assert_same("decode", messages, payloads=keep)
    assert_same("decode", [m.encode() for m in messages], payloads=keep)


@given(st.lists(payloads(), max_size=4))
def test_valid_payloads(items: list[bytes]) -> None:
    assert_same("payloads", items)


@given(st.lists(damaged(texts().map(str.encode)), min_size=1, max_size=3))
def test_damaged_messages(messages: list[bytes]) -> None:
    assert_same("decode", messages)


@given(st.lists(damaged(payloads()), min_size=1, max_size=3))
def test_damaged_payloads(items: list[bytes]) -> None:
    assert_same("payloads", items)


@given(
    st.lists(st.one_of(texts(), st.text(max_size=20)), max_size=4),
    st.lists(
        st.sampled_from(["", "17 ", "0 ", "01 ", f"{2**64} ", "1\t", " "]), max_size=4
    ),
    st.sampled_from(["", "\n", "\r\n", "\n\n"]),
)
def test_lines(messages: list[str], times: list[str], end: str) -> None:
    lines = [
        (times[i] if i < len(times) else "") + m.replace("\n", " ")
        for i, m in enumerate(messages)
    ]
    assert_same("lines", ("\n".join(lines) + end).encode("utf-8", "surrogatepass"))


@given(damaged(st.lists(texts(), max_size=3).map(lambda m: "\n".join(m).encode())))
def test_damaged_lines(buffer: bytes) -> None:
    assert_same("lines", buffer)


@given(st.binary(max_size=200), st.text(max_size=100))
def test_random_input(data: bytes, text: str) -> None:
    assert_same("decode", [data, text])
    assert_same("lines", data)
    assert_same("payloads", [data])


@given(st.text(alphabet='{}[]:,"\\u0019tfnelasrv.+-eE \t"', max_size=60))
def test_random_json(text: str) -> None:
    assert_same("decode", ['{"type":"signed_ecdsa",' + text, text])


@given(st.lists(INT128, max_size=50), st.data())
def test_as_float_and_as_int(values: list[int], data: st.DataObject) -> None:
    array = _core.values_from_ints(values)
    assert codec.as_int(array).tolist() == values
    assert codec.as_float(array).tolist() == [v / 10**18 for v in values]
    updates = np.zeros(len(values), codec.UPDATE_DTYPE)
    updates["value"] = array
    step = data.draw(st.sampled_from([1, 2, -1]))
    assert codec.as_float(updates[::step]).tolist() == [
        v / 10**18 for v in values[::step]
    ]
    assert codec.as_int(updates[::step]).tolist() == values[::step]


@given(st.integers(0, 2**54), st.integers(-3, 3), st.integers(0, 26), st.booleans())
def test_as_float_at_ties(mantissa: int, off: int, shift: int, negative: bool) -> None:
    # A tie is a quotient of 54 bits: (2 m + 1) * 2^k * 10^18, and its neighbours.
    value = ((2 * mantissa + 1) << shift) * 5**18 + off
    value = -value if negative else value
    if -(2**127) <= value < 2**127:
        array = _core.values_from_ints([value])
        assert codec.as_float(array)[0] == value / 10**18


def test_as_float_keeps_the_shape() -> None:
    updates = np.zeros((2, 3), codec.UPDATE_DTYPE)
    updates["value"]["lo"] = 25 * 10**17
    assert codec.as_float(updates).tolist() == [[2.5] * 3] * 2
    assert codec.as_int(updates).shape == (2, 3)
    with pytest.raises(TypeError, match="UPDATE_DTYPE or VALUE_DTYPE"):
        codec.as_float(np.zeros(3))
    with pytest.raises(TypeError, match="not list"):
        codec.as_int([1, 2])  # type: ignore[arg-type]


def frames(n: int, assets: int = 3) -> list[bytes]:
    return [
        codec.to_frame(
            codec.encode(
                range(assets),
                [10**18 * i + k for k in range(assets)],
                timestamp_ns=i,
                taxonomy_id=1,
                key=None,
            )
        )
        for i in range(n)
    ]


def test_containers_and_message_types() -> None:
    one, two = frames(2)
    expected = state(reference.decode([one, two]))
    objects = np.empty(2, dtype=object)
    objects[:] = [one, two]
    as_types = [bytearray(one), memoryview(two)]
    for messages in (
        [one, two],
        (one, two),
        objects,
        iter([one, two]),
        as_types,
        [one.decode(), two],
    ):
        assert state(codec.decode(messages)) == expected
    assert len(codec.decode([])) == len(codec.decode([]).messages) == 0
    assert codec.decode(one).messages.shape == (1,)
    for wrong in (17, None, {"type": "signed_ecdsa"}):
        with pytest.raises(TypeError, match=f"is needed, not {type(wrong).__name__}"):
            codec.decode(wrong)  # type: ignore[arg-type]


def test_line_buffers(tmp_path: Path) -> None:
    text = b"\n".join(frames(5)) + b"\n"
    expected = state(reference.decode_lines(text))
    path = tmp_path / "lines"
    path.write_bytes(text)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    released = memoryview(text)
    released.release()
    array = np.frombuffer(text, np.uint8)
    for buffer in (text, bytearray(text), memoryview(text), array, mapped):
        assert state(codec.decode_lines(buffer)) == expected
    mapped.close()  # raises BufferError if an export were still held
    for closed in (mapped, released):
        for module in (codec, reference):
            with pytest.raises(TypeError, match="open"):
                module.decode_lines(closed)
    for wrong in ("text", 17, [text], array[::2], np.zeros(4, np.uint16), None):
        with pytest.raises(TypeError, match="one contiguous buffer of single bytes"):
            codec.decode_lines(wrong)  # type: ignore[arg-type]


def test_a_buffer_cannot_shrink_while_it_is_read() -> None:
    messages = [bytearray(frame) for frame in frames(3)]
    codec.decode(messages)
    for message in messages:
        message.clear()  # every export was given back
    lines = bytearray(b"\n".join(frames(20_000, 20)))
    refused = []
    done = threading.Event()

    def shrink() -> None:
        while not done.is_set():
            try:
                lines.append(10)
                lines.pop()
            except BufferError:
                refused.append(True)
                return

    thread = threading.Thread(target=shrink)
    thread.start()
    for _ in range(50):
        batch = codec.decode_lines(lines, on_error="skip")
        if refused:
            break
    done.set()
    thread.join()
    assert len(batch.messages) == 20_000
    assert refused


def test_input_that_changes_under_way() -> None:
    """Another thread writes into the buffer: any result, but no crash."""
    lines = bytearray(
        b"\n".join(frames(3000, 5) + [b'{"type":"unsigned","x":[1]}'] * 50)
    )
    clean = bytes(lines)
    done = threading.Event()

    def scribble() -> None:
        rng = np.random.default_rng(1)
        view = np.frombuffer(lines, np.uint8)
        places = rng.integers(0, len(view), 4096)
        values = rng.choice(np.frombuffer(b'"{}[]\\0f\n', np.uint8), 4096)
        while not done.is_set():
            view[places] = values
            view[places] = np.frombuffer(clean, np.uint8)[places]

    thread = threading.Thread(target=scribble)
    thread.start()
    for _ in range(60):
        batch = codec.decode_lines(lines, on_error="skip")
        assert batch.messages["update_count"].sum() == len(batch)
        assert batch.messages["payload_len"].sum() == len(batch.payload_arena)
    done.set()
    thread.join()


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
@pytest.mark.parametrize("keep", [True, False])
def test_threads_give_the_same(threads: int, keep: bool, isa: str) -> None:
    messages = frames(3000, 12) + frames(500, 0)
    messages += [
        json.dumps({"type": "unsigned", "tax": 1, "ts": i, "a": []}).encode()
        for i in range(500)
    ]
    bad = [*messages[:2500], b"no hex", *messages[2500:], b"", None]
    expected = state(codec.decode(bad, on_error="skip", payloads=keep))
    got = codec.decode(bad, on_error="skip", payloads=keep, threads=threads)
    assert state(got) == expected
    assert got.errors["index"].tolist() == [2500, 4001, 4002]
    lines = b"\n".join(m for m in bad if m is not None)
    expected = state(codec.decode_lines(lines, on_error="skip", payloads=keep))
    assert (
        state(
            codec.decode_lines(lines, on_error="skip", payloads=keep, threads=threads)
        )
        == expected
    )
    for function, data in ((codec.decode, bad), (codec.decode_lines, lines)):
        with pytest.raises(DecodeError) as caught:
            function(data, threads=threads)
        assert (caught.value.index, caught.value.code) == (2500, ErrorCode.INVALID_HEX)
    raws = [bytes.fromhex(m[30:-2].decode()) for m in messages[:3000]]
    assert state(codec.decode_payloads(raws, threads=threads)) == state(
        reference.decode_payloads(raws)
    )


def test_large_results_take_the_way_around_the_caches(isa: str) -> None:
    """Above 16 MiB rows are written with non-temporal stores, payloads by a stage."""
    messages = frames(40, 5000) + frames(7, 1) + frames(9, 0) + frames(3, 2001)
    odd = codec.to_frame(
        codec.encode(
            [1] * 33,
            [-5] * 33,
            timestamp_ns=1,
            taxonomy_id=1,
            key=None,
            market_status=[1] * 33,
        )
    )
    messages = [odd, *messages, odd, odd] * 4
    messages.insert(20, b"no hex")
    data = b"\n".join(messages)
    batch = codec.decode_lines(data, on_error="skip")
    small = [codec.decode(m, on_error="skip") for m in messages]
    assert batch.updates.tobytes() == b"".join(b.updates.tobytes() for b in small)
    assert batch.payload_arena.tobytes() == b"".join(
        b.payload_arena.tobytes() for b in small
    )
    assert batch.errors["index"].tolist() == [20]
    again = codec.decode(messages, on_error="skip", threads=2)
    assert state(again) == state(batch)


def test_decoder_reuses_its_buffers() -> None:
    decoder = codec.Decoder()
    first = decoder.decode(frames(10))
    kept = first.copy()
    address = first.updates.ctypes.data
    second = decoder.decode_lines(b"\n".join(frames(4)))
    assert second.updates.ctypes.data == address
    assert state(second) == state(reference.decode(frames(4)))
    assert state(kept) == state(reference.decode(frames(10)))
    with pytest.raises(DecodeError):
        decoder.decode(b"zz")
    assert len(decoder.decode([])) == 0
    raw = bytes(kept.payload(3))
    assert bytes(decoder.decode_payloads([raw]).payload(0)) == raw
    assert codec.Decoder(payloads=False).decode(frames(1)).payload_arena is None


def test_old_views_of_a_decoder_outlive_growth() -> None:
    decoder = codec.Decoder()
    views = []
    for n in (1, 50, 3000, 20, 9000):
        batch = decoder.decode(frames(n, 6))
        assert state(batch) == state(codec.decode(frames(n, 6)))
        views.append((batch.updates, batch.messages, batch.payload_arena))
    for arrays in views:  # overwritten or not, but theirs to read
        assert [int(a.view(np.uint8).sum()) >= 0 for a in arrays] == [True] * 3
    del views, batch
    assert len(decoder.decode(frames(2))) == 6


def test_a_decoder_refuses_its_own_last_result() -> None:
    decoder = codec.Decoder()
    batch = decoder.decode(frames(4))
    own = [batch.payload(i) for i in (3, 2, 1, 0)]
    for again in (own, own[0], [bytes(own[0])] * 9000 + own):
        with pytest.raises(ValueError, match="own last result"):
            decoder.decode_payloads(again)
    threaded = codec.Decoder(threads=2)
    batch = threaded.decode(frames(4))
    late = [bytes(own[0])] * 20_000 + [batch.payload(2)]
    with pytest.raises(ValueError, match="own last result"):
        threaded.decode_payloads(late)
    decoder = codec.Decoder()
    kept = decoder.decode(frames(4)).copy()
    again = decoder.decode_payloads([kept.payload(i) for i in (3, 2, 1, 0)])
    assert again.messages["timestamp_ns"].tolist() == [3, 2, 1, 0]


INTERRUPT = """
import os, random, signal, sys, threading, time
import codec
frame = codec.to_frame(
    codec.encode(range(100), [1] * 100, timestamp_ns=1, taxonomy_id=1, key=None))
lines, messages = b"\\n".join([frame] * 9000), [bytearray(frame) for _ in range(9000)]
interrupts = 0
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
end = time.monotonic() + 4
while time.monotonic() < end:
    try:
        timer = threading.Timer(random.uniform(0, 0.004), interrupt)
        timer.start()
        try:
            codec.decode_lines(lines, threads=2)
            codec.decode(messages, threads=3)
        except KeyboardInterrupt:
            interrupts += 1
        messages[0] += b"x"  # BufferError if a worker still held it
        del messages[0][-1]
        timer.join()
        time.sleep(0.001)
    except KeyboardInterrupt:
        timer.join()
print(interrupts)
"""


def test_ctrl_c_while_threads_work() -> None:
    """The interrupt comes through, and nobody touches the buffers afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT.replace("\\\\", "\\")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


def test_misuse_of_internals_is_no_crash() -> None:
    empty = codec.Batch.__new__(codec.Batch)
    assert len(empty.updates) == len(empty.messages) == len(empty.errors) == 0
    for arguments in ((17, False), (None, False)):
        with pytest.raises(TypeError):
            _core.Job(*arguments)  # type: ignore[arg-type]


def test_batch_outlives_its_decoder() -> None:
    updates = codec.Decoder().decode(frames(1000, 30)).updates
    copies = [codec.Decoder().decode(frames(1000, 30)).copy() for _ in range(3)]
    assert all(updates.tobytes() == c.updates.tobytes() for c in copies)


def test_a_decoder_serves_one_thread_at_a_time() -> None:
    decoder = codec.Decoder()
    lines = b"\n".join(frames(200, 100)) * 20
    seen = []

    def work() -> None:
        for _ in range(20):
            try:
                decoder.decode_lines(lines, on_error="skip")
            except RuntimeError as error:
                seen.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen
    assert "in the middle of another call" in seen[0]


def test_batch_face() -> None:
    batch = codec.decode([*frames(2, 3), b"?"], on_error="skip")
    assert repr(batch) == "<Batch: 2 messages, 6 updates, 1 errors>"
    assert len(batch) == 6
    assert batch.message_index().tolist() == [0, 0, 0, 1, 1, 1]
    assert batch.message_index().dtype == np.int64
    assert batch.payload(-1) == batch.payload(1)
    assert batch.payload(0).readonly
    assert batch.updates is batch.updates
    with pytest.raises(IndexError):
        batch.payload(2)
    unsigned = codec.decode('{"type":"unsigned","tax":1,"ts":2,"a":[]}')
    assert bytes(unsigned.payload(0)) == b""
    with pytest.raises(ValueError, match="payloads=False"):
        codec.decode(frames(1), payloads=False).payload(0)
    with pytest.raises(TypeError, match="comes from decode"):
        codec.Batch()


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="'raise' or 'skip', not 'ignore'"):
        codec.decode([], on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads must be 0"):
        codec.decode([], threads=-1)
    with pytest.raises(TypeError):
        codec.decode([], threads=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no instruction set 'mmx'"):
        _core.use_instruction_set("mmx")


def test_huge_messages(isa: str) -> None:
    """A message of 100 MiB, good or bad, and nesting 100,000 deep."""
    n = (50 << 20) // 18
    payload = bytes(65) + b"\x00\x01" + bytes(8) + bytes(18 * n)
    frame = codec.to_frame(payload)
    batch = codec.decode(frame)
    assert len(batch) == n
    assert not batch.updates["value"]["lo"].any()
    bad = frame[:-3] + b'g"}'
    with pytest.raises(DecodeError) as caught:
        codec.decode_lines(bad + b"\n" + frame[:400])
    assert (caught.value.code, caught.value.offset) == (
        ErrorCode.INVALID_HEX,
        len(bad) - 3,
    )
    deep = b'{"type":"signed_ecdsa","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(DecodeError) as caught:
        codec.decode(deep)
    assert (caught.value.code, caught.value.offset) == (ErrorCode.TOO_DEEP, 27 + 63)


def test_many_errors_keep_their_indices() -> None:
    lines = b"\n" * 100_000
    for threads in (1, 2):
        errors = codec.decode_lines(lines, on_error="skip", threads=threads).errors
        assert errors["index"].tolist() == list(range(100_000))
        assert set(errors["code"].tolist()) == {ErrorCode.EMPTY}


def test_decode_lines_makes_no_object_per_message() -> None:
    lines = b"\n".join(frames(20_000, 1))
    codec.decode_lines(lines[:1000], on_error="skip")
    before = sys.getallocatedblocks()
    batch = codec.decode_lines(lines)
    assert sys.getallocatedblocks() - before < 100
    assert len(batch.messages) == 20_000


PEAK_RSS = """
import mmap, sys
import codec
with open(sys.argv[1], "rb") as file:
    lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
before = peak()
batch = codec.decode_lines(lines)
output = batch.updates.nbytes + batch.messages.nbytes + batch.payload_arena.nbytes
print(peak() - before - len(lines) - output)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize("assets", [1, 100])
def test_memory_is_input_and_output(tmp_path: Path, assets: int) -> None:
    """Beside the mapped input and the result: less than 64 MiB."""
    path = tmp_path / "lines"
    block = b"\n".join(frames(500, assets)) + b"\n"
    path.write_bytes(block * ((192 << 20) // len(block)))
    done = subprocess.run(
        [sys.executable, "-c", PEAK_RSS, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 64 << 20


if sysconfig.get_config_var("Py_GIL_DISABLED"):

    def test_the_gil_stays_off() -> None:
        assert not sys._is_gil_enabled()


def test_text_longer_than_a_payload_may_be() -> None:
    view = memoryview(mmap.mmap(-1, 2**32))  # untouched pages cost nothing
    with pytest.raises(DecodeError) as caught:
        codec.decode_payloads([view])
    assert (caught.value.code, caught.value.offset) == (ErrorCode.TOO_LARGE, 0)
