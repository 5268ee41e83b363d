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
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport (
    INT64_MAX,
    UINT64_MAX,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
)
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

cimport numpy as cnp

import os
from collections.abc import Mapping
from operator import index
from types import GenericAlias

import numpy as np

from codec import dtypes as _dtypes
from codec.errors import BadSignatureError as _BadSignatureError
from codec.errors import DecodeError as _DecodeError
from codec.errors import IntegrityError as _IntegrityError

cnp.import_array()


# libsecp256k1's functions, as codec.h has them in a table
ctypedef int (*signature_parse_function)(
    const void *, void *, const uint8_t *, int) noexcept nogil
ctypedef int (*recover_function)(
    const void *, void *, const void *, const uint8_t *) noexcept nogil
ctypedef int (*key_serialize_function)(
    const void *, uint8_t *, size_t *, const void *, unsigned) noexcept nogil


cdef extern from "codec.h" nogil:
    enum:
        CODEC_NO_MEMORY
        CODEC_TEXT
        CODEC_BINARY
        CODEC_ERROR_EMPTY
        CODEC_ERROR_PYTHON_TYPE
        CODEC_ERROR_INVALID_UTF8
        CODEC_ERROR_WRONG_SIGNER
        CODEC_SECP256K1_SIGNATURE_LEN
        CODEC_SECP256K1_KEY_LEN

    ctypedef struct codec_value:
        uint64_t lo
        int64_t hi

    ctypedef struct codec_update:
        codec_value value
        uint64_t timestamp_ns
        uint16_t taxonomy_id, asset_id
        uint8_t market_status

    ctypedef struct codec_message:
        uint64_t payload_offset
        uint8_t kind

    ctypedef struct codec_error:
        uint64_t index
        uint64_t offset
        uint16_t code

    ctypedef struct codec_buffer:
        uint8_t *data
        size_t capacity

    enum:
        CODEC_COLUMN_VALUE
        CODEC_COLUMN_TIMESTAMP
        CODEC_COLUMN_TAXONOMY
        CODEC_COLUMN_ASSET
        CODEC_COLUMN_STATUS
        CODEC_N_COLUMNS

    ctypedef struct codec_output:
        codec_buffer updates, messages, payloads, errors
        codec_buffer *columns
        size_t n_updates, n_messages, payloads_len, n_errors
        bint keep_payloads, columnar, pinned, wide

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
    int codec_output_split(codec_output *, const codec_update *, size_t)
    void codec_columns_join(codec_update *, const codec_output *)
    void codec_receive_times(uint64_t *, size_t, const codec_message *, size_t)
    void codec_marks_set(uint8_t *, const uint16_t *, size_t)
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
    void codec_keccak256_many(uint8_t *, const codec_span *, size_t)

    ctypedef struct codec_signer:
        uint8_t address[20]
        uint8_t status

    ctypedef struct codec_secp256k1:
        const void *context
        signature_parse_function signature_parse
        recover_function recover
        key_serialize_function key_serialize

    ctypedef struct codec_signed:
        size_t n
        const codec_message *messages
        const uint8_t *arena
        size_t arena_len
        const uint8_t *digests
        const uint8_t *signatures
        ptrdiff_t digest_stride, signature_stride
        uint8_t v_offset

    ctypedef struct codec_points:
        unsigned window, n_rows

    int codec_points_make(codec_points *, codec_buffer *, unsigned, const uint8_t *)
    void codec_points_free(codec_buffer *)

    ctypedef struct codec_known_key:
        const codec_points *g
        const codec_points *q
        uint8_t address[20]

    const void *codec_known_path_at(size_t, const char **)

    ctypedef struct codec_recovery:
        const codec_secp256k1 *lib
        codec_signed items
        codec_signer *signers
        uint8_t *verified
        const uint8_t *addresses
        size_t n_addresses
        const codec_known_key *known
        size_t n_known
        const void *path

    bint codec_recovery_work(codec_recovery *, size_t, void *)
    size_t codec_recovery_workspace_len(const codec_recovery *)
    void codec_recovery_stop(codec_recovery *)
    uint64_t codec_signature_offset(const codec_signed *, size_t, int)
    int codec_output_drop(codec_output *, codec_signer *, uint8_t *)
    int codec_output_select(codec_output *, const codec_output *, const uint8_t *)
    void codec_messages_digest(uint8_t *, const codec_signed *)
    void codec_eip191_digest(uint8_t *, const uint8_t *, ptrdiff_t, size_t)

    enum:
        CODEC_NAME_LEN_MAX

    ctypedef struct codec_symbols:
        uint64_t seed
        size_t n

    void codec_symbols_release(codec_symbols *)
    int codec_symbols_add(codec_symbols *, const uint8_t *, size_t, uint32_t *)
    codec_span codec_symbols_name(const codec_symbols *, size_t)
    void codec_symbols_truncate(codec_symbols *, size_t)

    ctypedef struct codec_aggregator:
        codec_symbols *symbols
        codec_buffer messages, aggregates, aggregate_signatures, publishers
        codec_buffer publisher_signatures, errors, text, scratch
        size_t n_messages, n_aggregates, n_publishers, n_errors, text_len

    void codec_aggregator_release(codec_aggregator *)
    void codec_aggregator_trim(codec_aggregator *)
    int codec_aggregator_spans(
        codec_aggregator *, const codec_span *, size_t, uint64_t, bint)
    int codec_aggregator_lines(codec_aggregator *, const uint8_t *, size_t, bint)
    int codec_aggregator_check(codec_aggregator *)

    ctypedef struct codec_claims:
        const codec_secp256k1 *lib
        const codec_known_key *known
        size_t n_known
        const void *path
        size_t n, n_blocks, n_found
        uint8_t *digests
        uint8_t *signatures
        codec_signer *signers
        uint32_t *blocks

    int codec_claims_gather(
        codec_claims *, const codec_aggregator *, size_t, size_t, size_t)
    void codec_claims_release(codec_claims *)
    bint codec_claims_work(codec_claims *, size_t, void *)
    size_t codec_claims_workspace_len(const codec_claims *)
    void codec_claims_stop(codec_claims *)
    void codec_claims_settle(
        codec_claims *, codec_aggregator *, const uint8_t *, size_t)

    enum:
        CODEC_NOTICE_KINDS
        CODEC_AGE_BUCKETS
        CODEC_MAP_MIN

    ctypedef struct codec_notice:
        pass

    ctypedef struct codec_monitor:
        uint64_t period_ns, ahead_ns, missing
        bint has_clock, has_taxonomy
        uint16_t taxonomy_id
        uint64_t *counts
        uint64_t *ages
        uint64_t *last_seen_ns

    int codec_monitor_observe(
        codec_monitor *, const codec_output *, codec_buffer *, size_t *)
    void codec_buffer_release(codec_buffer *)
    const char *codec_isa_name(size_t)
    const char *codec_isa_selected()
    int codec_isa_select(const char *)


cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t, size_t)


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
    Py_ssize_t PyNumber_AsSsize_t(object, PyObject *) except? -1


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        PyTypeObject *, cnp.PyArray_Descr *, int, cnp.npy_intp *, cnp.npy_intp *,
        void *, int, PyObject *)


cdef extern from *:
    """
    #include <stdatomic.h>
    #include <stddef.h>
    #include "tables.h"
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
    OFFSETS(codec_signer) = {
        offsetof(codec_signer, address), offsetof(codec_signer, status),
        sizeof(codec_signer)};
    OFFSETS(codec_notice) = {
        offsetof(codec_notice, message), offsetof(codec_notice, timestamp_ns),
        offsetof(codec_notice, amount), offsetof(codec_notice, taxonomy_id),
        offsetof(codec_notice, asset_id), offsetof(codec_notice, kind),
        sizeof(codec_notice)};
    OFFSETS(codec_gap) = {
        offsetof(codec_gap, message), offsetof(codec_gap, before_ns),
        offsetof(codec_gap, after_ns), offsetof(codec_gap, missing),
        sizeof(codec_gap)};
    OFFSETS(codec_bar) = {
        offsetof(codec_bar, start_ns), offsetof(codec_bar, taxonomy_id),
        offsetof(codec_bar, asset_id), offsetof(codec_bar, open),
        offsetof(codec_bar, high), offsetof(codec_bar, low),
        offsetof(codec_bar, close), offsetof(codec_bar, last),
        offsetof(codec_bar, count), offsetof(codec_bar, first_ns),
        offsetof(codec_bar, last_ns), sizeof(codec_bar)};
    #define AT(f) offsetof(codec_aggregator_message, f)
    OFFSETS(codec_aggregator_message) = {
        AT(receive_ns), AT(text_offset), AT(text_len), AT(first_aggregate),
        AT(aggregate_count), sizeof(codec_aggregator_message)};
    #undef AT
    #define AT(f) offsetof(codec_aggregate, f)
    OFFSETS(codec_aggregate) = {
        AT(value), AT(timestamp_ns), AT(outer_timestamp_ns), AT(message), AT(symbol),
        AT(first_publisher), AT(publisher_count), AT(signer), AT(trigger),
        AT(signature_type), AT(signature), AT(msg_hash), AT(encoded_asset_id),
        AT(merkle_root), AT(consistency), AT(verified), sizeof(codec_aggregate)};
    #undef AT
    #define AT(f) offsetof(codec_aggregate_signature, f)
    OFFSETS(codec_aggregate_signature) = {
        AT(rsv), AT(rsv) + 32, AT(rsv) + 64, AT(public_key), AT(msg_hash),
        AT(encoded_asset_id), AT(publisher_merkle_root), AT(checksum), AT(digest),
        sizeof(codec_aggregate_signature)};
    #undef AT
    #define AT(f) offsetof(codec_publisher_price, f)
    OFFSETS(codec_publisher_price) = {
        AT(value), AT(timestamp_ns), AT(aggregate), AT(symbol), AT(publisher),
        AT(signature_type), AT(signature), AT(msg_hash), AT(verified),
        sizeof(codec_publisher_price)};
    #undef AT
    #define AT(f) offsetof(codec_publisher_signature, f)
    OFFSETS(codec_publisher_signature) = {
        AT(rsv), AT(rsv) + 32, AT(rsv) + 64, AT(public_key), AT(msg_hash), AT(leaf),
        AT(digest), sizeof(codec_publisher_signature)};
    #undef AT
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
    const size_t codec_signer_offsets[3]
    const size_t codec_notice_offsets[7]
    const size_t codec_gap_offsets[5]
    const size_t codec_bar_offsets[12]
    const size_t codec_aggregator_message_offsets[6]
    const size_t codec_aggregate_offsets[17]
    const size_t codec_aggregate_signature_offsets[10]
    const size_t codec_publisher_price_offsets[10]
    const size_t codec_publisher_signature_offsets[8]
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
cdef cnp.dtype BOOLS = np.dtype(np.bool_)
cdef cnp.dtype UINT16S = np.dtype(np.uint16)
cdef cnp.dtype INT64S = np.dtype(np.int64)
cdef cnp.dtype UINT64S = np.dtype(np.uint64)


def struct_offsets():
    """Offsets of the C structs' fields and, last, their sizes, by dtype name."""
    return {
        "UPDATE_DTYPE": [codec_update_offsets[i] for i in range(6)],
        "MESSAGE_DTYPE": [codec_message_offsets[i] for i in range(10)],
        "ERROR_DTYPE": [codec_error_offsets[i] for i in range(4)],
        "VALUE_DTYPE": [codec_value_offsets[i] for i in range(3)],
        "SIGNER_DTYPE": [codec_signer_offsets[i] for i in range(3)],
        "NOTICE_DTYPE": [codec_notice_offsets[i] for i in range(7)],
        "GAP_DTYPE": [codec_gap_offsets[i] for i in range(5)],
        "BAR_DTYPE": [codec_bar_offsets[i] for i in range(12)],
        "AGGREGATOR_MESSAGE_DTYPE": [
            codec_aggregator_message_offsets[i] for i in range(6)],
        "AGGREGATE_DTYPE": [codec_aggregate_offsets[i] for i in range(17)],
        "AGGREGATE_SIGNATURE_DTYPE": [
            codec_aggregate_signature_offsets[i] for i in range(10)],
        "PUBLISHER_PRICE_DTYPE": [
            codec_publisher_price_offsets[i] for i in range(10)],
        "PUBLISHER_SIGNATURE_DTYPE": [
            codec_publisher_signature_offsets[i] for i in range(8)],
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


include "_core_columns.pxi"
include "_core_batch.pxi"
include "_core_spans.pxi"
include "_core_known.pxi"
include "_core_signatures.pxi"
include "_core_decode.pxi"
include "_core_frames.pxi"
include "_core_encode.pxi"
include "_core_values.pxi"
include "_core_monitor.pxi"
include "_core_table.pxi"
include "_core_latest.pxi"
include "_core_bars.pxi"
include "_core_aggregator.pxi"
