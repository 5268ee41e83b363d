# cython: language_level=3, freethreading_compatible=True, embedsignature=False
# cython: boundscheck=False, wraparound=False, binding=True, auto_pickle=False
"""The compiled core: the one place where Python objects meet the C of src_c/.

Everything public stands in codec/__init__.py; the types are in _core.pyi.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

cimport numpy as cnp

import os
from collections.abc import Mapping
from operator import index
from types import GenericAlias

import numpy as np

from codec import dtypes as _dtypes
from codec.errors import DecodeError as _DecodeError

cnp.import_array()


cdef extern from "codec.h" nogil:
    enum:
        CODEC_NO_MEMORY
        CODEC_TEXT
        CODEC_BINARY
        CODEC_ERROR_PYTHON_TYPE
        CODEC_ERROR_INVALID_UTF8

    ctypedef struct codec_value:
        uint64_t lo
        int64_t hi

    ctypedef struct codec_update:
        pass

    ctypedef struct codec_message:
        pass

    ctypedef struct codec_error:
        uint64_t index
        uint64_t offset
        uint16_t code

    ctypedef struct codec_buffer:
        uint8_t *data
        size_t capacity

    ctypedef struct codec_output:
        codec_buffer updates, messages, payloads, errors
        size_t n_updates, n_messages, payloads_len, n_errors
        bint keep_payloads, pinned

    ctypedef struct codec_span:
        const uint8_t *data
        size_t len

    ctypedef struct codec_job:
        pass

    void codec_output_clear(codec_output *)
    void codec_output_release(codec_output *)
    void codec_output_unpin(codec_output *)
    void codec_output_trim(codec_output *)
    int codec_output_copy(codec_output *, const codec_output *)
    int codec_output_expect(codec_output *, size_t, size_t)
    void codec_output_finish(codec_output *)
    int codec_spans_decode(
        codec_output *, const codec_span *, size_t, int, uint64_t, bint)
    int codec_lines_decode(
        codec_output *, const uint8_t *, size_t, bint, uint64_t *)
    size_t codec_line_len(const uint8_t *, size_t)
    codec_job *codec_job_new(codec_output *, bint)
    void codec_job_free(codec_job *)
    int codec_job_lines(codec_job *, const uint8_t *, size_t)
    bint codec_job_enter(codec_job *)
    void codec_job_leave(codec_job *)
    int codec_job_end(codec_job *, bint)
    uint64_t codec_job_claim(codec_job *)
    int codec_job_commit(codec_job *, uint64_t, codec_output *, int, uint64_t)
    bint codec_job_stopped(codec_job *)
    size_t codec_payload_len(size_t, bint)
    void codec_payload_pack(
        uint8_t *, size_t, uint64_t, uint16_t, const uint8_t *, ptrdiff_t,
        const uint8_t *, ptrdiff_t, const uint8_t *, ptrdiff_t)
    void codec_frame_write(uint8_t *, const uint8_t *, size_t)
    void codec_values_to_double(double *, const uint8_t *, size_t, ptrdiff_t)
    void codec_keccak256(uint8_t *, const uint8_t *, size_t)
    const char *codec_isa_name(size_t)
    const char *codec_isa_selected()
    int codec_isa_select(const char *)


cdef extern from "Python.h":
    bint PyBytes_Check(object)
    bint PyUnicode_Check(object)
    bint PyByteArray_Check(object)
    bint PyMemoryView_Check(object)
    const char *PyUnicode_AsUTF8AndSize(object, Py_ssize_t *) except NULL
    bint PyLong_CheckExact(object)
    object PyLong_FromLongLong(long long)
    unsigned long long PyLong_AsUnsignedLongLongMask(object) except? -1
    Py_ssize_t Py_REFCNT(PyObject *)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        PyTypeObject *, cnp.PyArray_Descr *, int, cnp.npy_intp *, cnp.npy_intp *,
        void *, int, PyObject *)


cdef extern from *:
    """
    #include <stdatomic.h>
    #include <stddef.h>
    /* Offsets of the C structs, for the test that compares them with the dtypes. */
    #define OFFSETS(S) static const size_t S##_offsets[]
    OFFSETS(codec_update) = {
        offsetof(codec_update, value), offsetof(codec_update, timestamp_ns),
        offsetof(codec_update, taxonomy_id), offsetof(codec_update, asset_id),
        offsetof(codec_update, market_status), sizeof(codec_update)};
    OFFSETS(codec_message) = {
        offsetof(codec_message, timestamp_ns), offsetof(codec_message, receive_ns),
        offsetof(codec_message, first_update), offsetof(codec_message, payload_offset),
        offsetof(codec_message, payload_len), offsetof(codec_message, update_count),
        offsetof(codec_message, taxonomy_id), offsetof(codec_message, kind),
        offsetof(codec_message, layout), sizeof(codec_message)};
    OFFSETS(codec_error) = {
        offsetof(codec_error, index), offsetof(codec_error, offset),
        offsetof(codec_error, code), sizeof(codec_error)};
    OFFSETS(codec_value) = {
        offsetof(codec_value, lo), offsetof(codec_value, hi), sizeof(codec_value)};
    static inline void object_store(PyObject **place, PyObject *object) {
        PyObject *old = *place;
        Py_INCREF(object);
        *place = object;
        Py_XDECREF(old);
    }
    typedef atomic_flag busy_flag;
    static inline int busy_enter(busy_flag *flag) {
        return !atomic_flag_test_and_set_explicit(flag, memory_order_acquire);
    }
    static inline void busy_leave(busy_flag *flag) {
        atomic_flag_clear_explicit(flag, memory_order_release);
    }
    """
    const size_t codec_update_offsets[6]
    const size_t codec_message_offsets[10]
    const size_t codec_error_offsets[4]
    const size_t codec_value_offsets[3]
    void object_store(PyObject **, object)
    ctypedef struct busy_flag:
        pass
    bint busy_enter(busy_flag *) nogil
    void busy_leave(busy_flag *) nogil


# Work for one worker between two looks at the shared state, in bytes of messages; at
# most SPANS messages, whose places are noted in advance while the GIL is held.
cdef size_t BLOCK_LEN = 256 << 10
cdef size_t SPANS = 4096

cdef const uint8_t *NOTHING = b""
cdef cnp.dtype UPDATES = _dtypes.UPDATE_DTYPE
cdef cnp.dtype MESSAGES = _dtypes.MESSAGE_DTYPE
cdef cnp.dtype ERRORS = _dtypes.ERROR_DTYPE
cdef cnp.dtype VALUES = _dtypes.VALUE_DTYPE
cdef cnp.dtype BYTES = np.dtype(np.uint8)
cdef cnp.dtype UINT16S = np.dtype(np.uint16)


def struct_offsets():
    """Offsets of the C structs' fields and, last, their sizes, by dtype name."""
    return {
        "UPDATE_DTYPE": [codec_update_offsets[i] for i in range(6)],
        "MESSAGE_DTYPE": [codec_message_offsets[i] for i in range(10)],
        "ERROR_DTYPE": [codec_error_offsets[i] for i in range(4)],
        "VALUE_DTYPE": [codec_value_offsets[i] for i in range(3)],
    }


def instruction_sets():
    """Names of the instruction sets that this machine can use, best first."""
    names = []
    while codec_isa_name(len(names)) != NULL:
        names.append(codec_isa_name(len(names)).decode())
    return tuple(names)


def instruction_set():
    """The name of the instruction set in use."""
    return codec_isa_selected().decode()


def use_instruction_set(str name not None):
    """Uses this set from now on, in the whole process. Not while a call decodes."""
    if codec_isa_select(name.encode()) != 0:
        raise ValueError(
            f"this machine has no instruction set {name!r}: it has"
            f" {', '.join(instruction_sets())}"
        )


try:
    use_instruction_set(os.environ.get("STORK_CODEC_ISA") or instruction_sets()[0])
except ValueError as error:
    raise ImportError(f"STORK_CODEC_ISA: {error}") from None


def keccak256(data):
    """keccak256 (32 bytes) of a bytes-like object."""
    cdef Py_buffer view
    cdef bytes digest = PyBytes_FromStringAndSize(NULL, 32)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    codec_keccak256(
        <uint8_t *>PyBytes_AS_STRING(digest), <const uint8_t *>view.buf, view.len)
    PyBuffer_Release(&view)
    return digest


cdef class Buffers:
    """Owns the memory of results; every array that looks at it keeps it alive."""

    cdef codec_output out

    def __dealloc__(self):
        codec_output_release(&self.out)


cdef cnp.ndarray view_of(Buffers owner, cnp.dtype dtype, uint8_t *data, size_t n):
    """n items of the owner's memory, which the array keeps alive."""
    cdef cnp.npy_intp shape = n
    if n == 0:
        return np.empty(0, dtype)
    # The call takes over a reference to the dtype; so does the base to the owner.
    cnp.Py_INCREF(dtype)
    cdef cnp.ndarray array = PyArray_NewFromDescr(
        <PyTypeObject *>cnp.ndarray, <cnp.PyArray_Descr *>dtype, 1, &shape, NULL,
        data, cnp.NPY_ARRAY_DEFAULT, NULL)
    cnp.set_array_base(array, owner)
    return array


cdef class BatchBase:
    """The arrays of one decoding call; codec.batch.Batch adds what needs no C."""

    cdef Buffers _buffers
    cdef codec_output _out  # pointers and counts as they were at the end of the call
    cdef cnp.ndarray _updates, _messages, _errors, _payload_arena

    def __init__(self):
        raise TypeError("a Batch comes from decode, decode_lines or decode_payloads")

    @property
    @cython.critical_section  # without the GIL two threads may meet here
    def updates(self):
        """ndarray[UPDATE_DTYPE], shape (n,): one row per asset and message."""
        if self._updates is None:
            self._updates = view_of(
                self._buffers, UPDATES, self._out.updates.data, self._out.n_updates)
        return self._updates

    @property
    @cython.critical_section
    def messages(self):
        """ndarray[MESSAGE_DTYPE], shape (m,): one row per decoded message."""
        if self._messages is None:
            self._messages = view_of(
                self._buffers, MESSAGES, self._out.messages.data, self._out.n_messages)
        return self._messages

    @property
    @cython.critical_section
    def errors(self):
        """ndarray[ERROR_DTYPE]: one row per message that could not be decoded."""
        if self._errors is None:
            self._errors = view_of(
                self._buffers, ERRORS, self._out.errors.data, self._out.n_errors)
        return self._errors

    @property
    @cython.critical_section
    def payload_arena(self):
        """ndarray[uint8] of all signed payloads, or None with `payloads=False`."""
        if not self._out.keep_payloads:
            return None
        if self._payload_arena is None:
            self._payload_arena = view_of(
                self._buffers, BYTES, self._out.payloads.data, self._out.payloads_len)
        return self._payload_arena

    def __len__(self):
        return self._out.n_updates

    def copy(self):
        """A Batch with memory of its own."""
        cdef Buffers buffers = Buffers.__new__(Buffers)
        if codec_output_copy(&buffers.out, &self._out):
            raise MemoryError
        return batch_new(type(self), buffers)


cdef BatchBase batch_new(type batch_type, Buffers buffers):
    cdef BatchBase batch = batch_type.__new__(batch_type)
    batch._buffers = buffers
    batch._out = buffers.out
    return batch


cdef bint bytes_take(object item, Py_buffer *view) except -1:
    """Takes the buffer of contiguous single bytes that an object gives, if it does."""
    try:
        PyObject_GetBuffer(item, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    except (BufferError, TypeError, ValueError):  # none, a strided or a released one
        return False
    if view.itemsize == 1 and (view.format == NULL or view.format[0] in b"Bbc"):
        return True
    PyBuffer_Release(view)
    return False


cdef int span_take(
    object item, bint binary, codec_span *span, Py_buffer *view
) except -1:
    """Notes where a message lies; 1 where `view` must be released afterwards."""
    cdef Py_ssize_t n
    if PyBytes_Check(item):
        span.data = <const uint8_t *>PyBytes_AS_STRING(item)
        span.len = PyBytes_GET_SIZE(item)
        return 0
    if PyUnicode_Check(item) and not binary:
        try:
            span.data = <const uint8_t *>PyUnicode_AsUTF8AndSize(item, &n)
            span.len = n
        except UnicodeEncodeError as error:
            span.data = NULL
            n = len(str.__getitem__(item, slice(error.start)).encode())
            span.len = <size_t>n << 8 | CODEC_ERROR_INVALID_UTF8
        return 0
    span.data = NULL
    span.len = CODEC_ERROR_PYTHON_TYPE
    if not PyByteArray_Check(item) and not PyMemoryView_Check(item):
        return 0
    if not bytes_take(item, view):
        return 0
    span.data = <const uint8_t *>view.buf if view.buf != NULL else NOTHING
    span.len = view.len
    return 1


cdef class Spans:
    """The places of up to `capacity` messages, whose buffers it holds."""

    cdef codec_span *spans
    cdef Py_buffer *views
    cdef size_t capacity, n, n_views

    def __cinit__(self, size_t capacity):
        self.spans = <codec_span *>PyMem_Malloc(capacity * sizeof(codec_span))
        self.capacity = capacity
        if self.spans == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.clear()
        PyMem_Free(self.spans)
        PyMem_Free(self.views)

    cdef void clear(self) noexcept:
        while self.n_views:
            self.n_views -= 1
            PyBuffer_Release(&self.views[self.n_views])
        self.n = 0

    cdef int fill(self, tuple items, size_t start, size_t stop, bint binary) except -1:
        cdef size_t i
        cdef Py_buffer view
        self.clear()
        for i in range(start, stop):
            if span_take(<object>PyTuple_GET_ITEM(items, i), binary,
                         &self.spans[self.n], &view):
                if self.views == NULL:
                    self.views = <Py_buffer *>PyMem_Malloc(
                        self.capacity * sizeof(Py_buffer))
                    if self.views == NULL:
                        PyBuffer_Release(&view)
                        raise MemoryError
                self.views[self.n_views] = view
                self.n_views += 1
            self.n += 1
        return 0

    cdef size_t total_len(self):
        cdef size_t i, total = 0
        for i in range(self.n):
            if self.spans[i].data != NULL:
                total += self.spans[i].len
        return total


cdef class Job:
    """One input shared by several workers; each calls `run` in a thread of its own."""

    cdef codec_job *job
    cdef Buffers buffers  # kept alive for workers that start late
    cdef object failure  # what a worker raised
    cdef bint stop, binary, keep_payloads
    cdef tuple items
    cdef size_t block  # messages
    cdef const uint8_t *text
    cdef size_t text_len

    def __cinit__(self, Buffers buffers not None, bint stop):
        self.buffers = buffers
        self.stop = stop
        self.keep_payloads = buffers.out.keep_payloads
        self.job = codec_job_new(&buffers.out, stop)
        if self.job == NULL:
            raise MemoryError

    def __dealloc__(self):
        codec_job_free(self.job)

    def run(self):
        """One worker's share. Its failure, if any, is found in `failure`."""
        if not codec_job_enter(self.job):
            return
        try:
            if self.items is not None:
                self.run_items()
            else:
                with nogil:
                    codec_job_lines(self.job, self.text, self.text_len)
        except BaseException as error:
            self.failure = error
        finally:
            codec_job_leave(self.job)

    cdef int run_items(self) except -1:
        cdef Buffers part = Buffers.__new__(Buffers)
        cdef Spans spans = Spans(self.block)
        cdef size_t n_items = PyTuple_GET_SIZE(self.items)
        cdef int form = CODEC_BINARY if self.binary else CODEC_TEXT
        cdef int status = 0
        cdef uint64_t number
        cdef size_t start
        cdef object failure = None
        part.out.keep_payloads = self.keep_payloads
        while status == 0 and not codec_job_stopped(self.job):
            number = codec_job_claim(self.job)
            start = number * self.block
            if start >= n_items:
                break
            # From here on the block must be committed, come what may: later ones wait.
            codec_output_clear(&part.out)
            try:
                spans.fill(
                    self.items, start, min(start + self.block, n_items), self.binary)
            except BaseException as error:
                failure = error
                status = CODEC_NO_MEMORY
            with nogil:
                if status == 0:
                    status = codec_spans_decode(
                        &part.out, spans.spans, spans.n, form, 0, self.stop)
                status = codec_job_commit(
                    self.job, number, &part.out, status, spans.n)
        if failure is not None:
            raise failure
        return 0


cdef bint is_one(object messages):
    return (PyBytes_Check(messages) or PyUnicode_Check(messages)
            or PyByteArray_Check(messages) or PyMemoryView_Check(messages))


cdef tuple messages_tuple(object messages):
    """All of an iterable, held so that nobody can take a message away."""
    if isinstance(messages, Mapping) or not hasattr(messages, "__iter__"):
        raise TypeError(
            "one message (bytes, bytearray, memoryview or str) or an iterable of them"
            f" is needed, not {type(messages).__name__}"
        )
    return tuple(messages)


cdef size_t worker_count(object threads) except? 0:
    cdef Py_ssize_t n = index(threads)
    if n < 0:
        raise ValueError(f"threads must be 0 (all cores) or more, not {n}")
    if n:
        return n
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


cdef int span_decode(
    codec_output *out, codec_span *span, size_t n, int form, bint stop
) noexcept nogil:
    if codec_output_expect(out, n, n):
        return CODEC_NO_MEMORY
    return codec_spans_decode(out, span, 1, form, 0, stop)


cdef class DecoderBase:
    """Decodes into buffers that it keeps; with `once`, into those of a single Batch."""

    cdef type batch_type
    cdef Buffers buffers
    cdef bint once
    cdef size_t threads
    cdef busy_flag busy

    __class_getitem__ = classmethod(GenericAlias)  # DecoderBase[Batch], to be typed

    def __cinit__(self, type batch_type not None, payloads, threads, bint once):
        self.batch_type = batch_type
        self.buffers = Buffers.__new__(Buffers)
        self.buffers.out.keep_payloads = bool(payloads)
        self.threads = worker_count(threads)
        self.once = once
        busy_leave(&self.busy)

    cdef codec_output *enter(self, object on_error, bint *stop) except NULL:
        """Empties the buffers for a new call, which `leave` must end."""
        if on_error != "raise" and on_error != "skip":
            raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}")
        stop[0] = on_error == "raise"
        if not busy_enter(&self.busy):
            raise RuntimeError("this Decoder is in the middle of another call")
        cdef codec_output *out = &self.buffers.out
        # One reference is ours; more are batches and arrays that look at the memory.
        if Py_REFCNT(<PyObject *>self.buffers) == 1:
            codec_output_unpin(out)
        else:
            out.pinned = True
        codec_output_clear(out)
        return out

    cdef int refuse_own(self, const codec_span *spans, size_t n) except -1:
        """Payloads out of this Decoder's own last result would be overwritten."""
        cdef codec_buffer arena = self.buffers.out.payloads
        cdef size_t i
        for i in range(n):
            if arena.data <= spans[i].data < arena.data + arena.capacity:
                raise ValueError(
                    "the input is a view of this Decoder's own last result, which this"
                    " call overwrites: copy() the batch first"
                )
        return 0

    cdef object batch(self, int status):
        cdef codec_output *out = &self.buffers.out
        cdef codec_error *error
        codec_output_finish(out)
        if status == CODEC_NO_MEMORY:
            raise MemoryError
        if status:
            error = <codec_error *>out.errors.data
            raise _DecodeError(error.code, error.index, error.offset)
        if self.once:
            codec_output_trim(out)
        return batch_new(self.batch_type, self.buffers)

    def decode(self, messages, *, on_error="raise"):
        """Decodes one text message or all of an iterable, as `codec.decode` does."""
        return self.decode_items(messages, False, on_error)

    def decode_payloads(self, payloads, *, on_error="raise"):
        """Decodes raw binary payloads, as `codec.decode_payloads` does."""
        return self.decode_items(payloads, True, on_error)

    cdef object decode_items(self, object messages, bint binary, object on_error):
        cdef bint stop
        cdef codec_output *out = self.enter(on_error, &stop)
        try:
            if is_one(messages):
                return self.batch(self.decode_one(out, messages, binary, stop))
            return self.batch(
                self.decode_tuple(out, messages_tuple(messages), binary, stop))
        finally:
            busy_leave(&self.busy)

    cdef int decode_one(
        self, codec_output *out, object message, bint binary, bint stop
    ) except? -2:
        cdef codec_span span
        cdef Py_buffer view
        cdef bint held = span_take(message, binary, &span, &view)
        cdef int form = CODEC_BINARY if binary else CODEC_TEXT
        cdef int status = 0
        cdef size_t n = span.len if span.data != NULL else 0
        if held and out.pinned:
            try:
                self.refuse_own(&span, 1)
            except ValueError:
                PyBuffer_Release(&view)
                raise
        if n <= BLOCK_LEN:  # sooner done than the GIL given away and had again
            status = span_decode(out, &span, n, form, stop)
        else:
            with nogil:
                status = span_decode(out, &span, n, form, stop)
        if held:
            PyBuffer_Release(&view)
        return status

    cdef int decode_tuple(
        self, codec_output *out, tuple items, bint binary, bint stop
    ) except? -2:
        cdef size_t n = PyTuple_GET_SIZE(items)
        cdef Spans spans = Spans(max(min(n, SPANS), <size_t>1))
        cdef int form = CODEC_BINARY if binary else CODEC_TEXT
        cdef int status = 0
        cdef size_t start = 0, typical
        spans.fill(items, 0, min(n, spans.capacity), binary)
        if spans.n_views and out.pinned:
            self.refuse_own(spans.spans, spans.n)
        typical = spans.total_len() // spans.n if n else 0
        status = codec_output_expect(out, typical * n, typical)
        if self.threads > 1 and typical * n > 2 * BLOCK_LEN:
            spans.clear()
            return self.decode_job(items, binary, stop, BLOCK_LEN // typical)
        while status == 0 and start < n:
            with nogil:
                status = codec_spans_decode(
                    out, spans.spans, spans.n, form, start, stop)
            start += spans.n
            if status == 0 and start < n:
                spans.fill(items, start, min(start + spans.capacity, n), binary)
                if spans.n_views and out.pinned:
                    self.refuse_own(spans.spans, spans.n)
        return status

    cdef int decode_job(
        self, tuple items, bint binary, bint stop, size_t block
    ) except? -2:
        cdef Job job = Job(self.buffers, stop)
        job.items = items
        job.binary = binary
        job.block = min(max(block, <size_t>1), SPANS)
        return self.work(job, PyTuple_GET_SIZE(items) // job.block)

    cdef int work(self, Job job, size_t n_blocks) except? -2:
        from concurrent.futures import ThreadPoolExecutor

        cdef size_t n_others = max(min(self.threads, n_blocks), <size_t>2) - 1
        cdef int status = CODEC_NO_MEMORY
        cdef bint early = True
        executor = ThreadPoolExecutor(n_others)
        try:
            for _ in range(n_others):
                executor.submit(job.run)
            job.run()  # this thread is a worker too
            early = False
        finally:
            # Whatever is raised here, Ctrl-C among it: nobody works on the buffers when
            # we leave.
            with nogil:
                status = codec_job_end(job.job, early)
            executor.shutdown(wait=False)
        if job.failure is not None:
            raise job.failure
        return status

    def decode_lines(self, buffer, *, on_error="raise"):
        """Decodes the lines of one buffer, as `codec.decode_lines` does."""
        cdef bint stop
        cdef Py_buffer view
        cdef codec_output *out
        if not bytes_take(buffer, &view):
            raise TypeError(
                "decode_lines takes one contiguous buffer of single bytes (bytes, an"
                " open mmap, a uint8 array; for a file: mmap.mmap(file.fileno(), 0,"
                f" access=mmap.ACCESS_READ)), not this {type(buffer).__name__}"
            )
        try:
            out = self.enter(on_error, &stop)
            try:
                return self.batch(
                    self.decode_text(out, <const uint8_t *>view.buf, view.len, stop))
            finally:
                busy_leave(&self.busy)
        finally:
            PyBuffer_Release(&view)

    cdef int decode_text(
        self, codec_output *out, const uint8_t *text, size_t n, bint stop
    ) except? -2:
        cdef int status
        cdef uint64_t n_lines
        cdef Job job
        with nogil:
            status = codec_output_expect(out, n, min(n, codec_line_len(text, n) + 1))
        if status:
            return status
        if self.threads > 1 and n > 2 * BLOCK_LEN:
            job = Job(self.buffers, stop)
            job.text = text
            job.text_len = n
            return self.work(job, n // BLOCK_LEN)
        with nogil:
            status = codec_lines_decode(out, text, n, stop, &n_lines)
        return status


cdef bint is_column(object column, cnp.dtype dtype):
    return (cnp.PyArray_CheckExact(column) and cnp.PyArray_NDIM(column) == 1
            and (<PyObject *>cnp.PyArray_DESCR(column) == <PyObject *>dtype
                 or (<cnp.ndarray>column).dtype == dtype))


cdef int uint_take(object number, uint64_t maximum, uint64_t *value) except -1:
    """1, and the value, for a Python int in 0 .. maximum."""
    cdef int overflow
    if not PyLong_CheckExact(number):
        return 0
    cdef long long small = PyLong_AsLongLongAndOverflow(number, &overflow)
    if overflow == 0:
        value[0] = <uint64_t>small
        return small >= 0 and <uint64_t>small <= maximum
    if overflow < 0 or maximum <= <uint64_t>INT64_MAX or number > maximum:
        return 0
    value[0] = number
    return 1


def payload_pack(asset_ids, values, timestamp_ns, taxonomy_id, statuses):
    """A payload whose 65 signature bytes are zero, or None where the arguments have to
    be checked and converted first: 1-D arrays of one length (uint16, VALUE_DTYPE, and
    uint8 or None), and two ints in range are what it takes."""
    cdef uint64_t time, taxonomy, taxonomy_max
    cdef bint with_status = statuses is not None
    if not (is_column(asset_ids, UINT16S) and is_column(values, VALUES)
            and (not with_status or is_column(statuses, BYTES))):
        return None
    cdef size_t n = cnp.PyArray_SIZE(asset_ids)
    taxonomy_max = 0xFFFF if with_status else 0xFEFF  # 0xFF.. would mark layout 2
    if (<size_t>cnp.PyArray_SIZE(values) != n
            or with_status and <size_t>cnp.PyArray_SIZE(statuses) != n
            or not uint_take(timestamp_ns, UINT64_MAX, &time)
            or not uint_take(taxonomy_id, taxonomy_max, &taxonomy)):
        return None
    cdef bytes payload = PyBytes_FromStringAndSize(
        NULL, codec_payload_len(n, with_status))
    cdef uint8_t *data = <uint8_t *>PyBytes_AS_STRING(payload)
    memset(data, 0, 65)
    codec_payload_pack(
        data, n, time, <uint16_t>taxonomy,
        <const uint8_t *>cnp.PyArray_DATA(asset_ids), cnp.PyArray_STRIDE(asset_ids, 0),
        <const uint8_t *>cnp.PyArray_DATA(values), cnp.PyArray_STRIDE(values, 0),
        <const uint8_t *>cnp.PyArray_DATA(statuses) if with_status else NULL,
        cnp.PyArray_STRIDE(statuses, 0) if with_status else 0)
    return payload


def frame_write(payload):
    """The compact JSON frame of a bytes-like payload."""
    cdef Py_buffer view
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        frame = PyBytes_FromStringAndSize(NULL, 32 + 2 * view.len)
        codec_frame_write(
            <uint8_t *>PyBytes_AS_STRING(frame), <const uint8_t *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return frame


def values_to_float(cnp.ndarray values not None):
    """Correctly rounded value / 10^18 of a 1-D array of VALUE_DTYPE, as float64."""
    if not is_column(values, VALUES):
        raise TypeError("values must be a 1-D array of VALUE_DTYPE")
    cdef size_t n = cnp.PyArray_SIZE(values)
    cdef cnp.ndarray result = np.empty(n)
    cdef double *dst = <double *>cnp.PyArray_DATA(result)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    with nogil:
        codec_values_to_double(dst, src, n, stride)
    return result


def values_to_int(cnp.ndarray values not None):
    """Exact Python ints of a 1-D array of VALUE_DTYPE, in an object array."""
    if not is_column(values, VALUES):
        raise TypeError("values must be a 1-D array of VALUE_DTYPE")
    cdef size_t i, n = cnp.PyArray_SIZE(values)
    cdef cnp.ndarray result = np.empty(n, dtype=object)
    cdef PyObject **dst = <PyObject **>cnp.PyArray_DATA(result)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    cdef codec_value value
    for i in range(n):
        memcpy(&value, src + <ptrdiff_t>i * stride, sizeof(value))
        if value.hi == <int64_t>value.lo >> 63:
            number = PyLong_FromLongLong(<int64_t>value.lo)
        else:
            number = PyLong_FromLongLong(value.hi) << 64 | value.lo
        object_store(&dst[i], number)
    return result


cdef object index_at(object number, size_t i):
    try:
        return index(number)
    except TypeError:
        raise TypeError(i, number) from None


def values_from_ints(values):
    """A sequence of ints as an array of VALUE_DTYPE.

    Raises OverflowError with the index of the first beyond int128, TypeError with that
    of the first that is no integer."""
    cdef list items = list(values)
    cdef size_t i, n = len(items)
    cdef cnp.ndarray result = np.empty(n, VALUES)
    cdef codec_value *dst = <codec_value *>cnp.PyArray_DATA(result)
    cdef int overflow
    cdef long long small
    for i in range(n):
        number = items[i]
        if not PyLong_CheckExact(number):
            number = index_at(number, i)
        small = PyLong_AsLongLongAndOverflow(number, &overflow)
        if overflow == 0:
            dst[i].lo = <uint64_t>small
            dst[i].hi = small >> 63
            continue
        dst[i].lo = PyLong_AsUnsignedLongLongMask(number)
        dst[i].hi = PyLong_AsLongLongAndOverflow(number >> 64, &overflow)
        if overflow:
            raise OverflowError(i, number)
    return result


def uints_from_ints(values, cnp.dtype dtype not None):
    """A sequence of ints as an array of uint16 or uint8.

    Raises OverflowError with the index of the first that does not fit, TypeError with
    that of the first that is no integer."""
    cdef list items = list(values)
    cdef size_t i, n = len(items)
    cdef cnp.ndarray result = np.empty(n, dtype)
    cdef bint wide = cnp.PyArray_ITEMSIZE(result) == 2
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(result)
    cdef uint64_t value
    for i in range(n):
        number = items[i]
        if not PyLong_CheckExact(number):
            number = index_at(number, i)
        if not uint_take(number, 0xFFFF if wide else 0xFF, &value):
            raise OverflowError(i, number)
        if wide:
            (<uint16_t *>dst)[i] = <uint16_t>value
        else:
            dst[i] = <uint8_t>value
    return result
