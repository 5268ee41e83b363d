# Columns: messages that lie one behind the other, as Arrow keeps them.

cdef int column_check(
    const uint8_t *data, size_t n_bytes, const int64_t *offsets, size_t n
) noexcept nogil:
    """Whether all messages lie within the bytes."""
    cdef size_t i
    if offsets[0] < 0 or offsets[n] > <int64_t>n_bytes:
        return False
    for i in range(n):
        if offsets[i] > offsets[i + 1]:
            return False
    return True


cdef int column_run(
    codec_output *out, codec_span *spans, const uint8_t *data, const int64_t *offsets,
    const uint8_t *valid, size_t n, uint64_t first_index, bint stop
) noexcept nogil:
    cdef size_t start = 0, end, i
    cdef int status = 0
    while status == 0 and start < n:
        end = min(start + SPANS, n)
        for i in range(start, end):
            spans[i - start].data = data + offsets[i]
            spans[i - start].len = offsets[i + 1] - offsets[i]
            if valid != NULL and not valid[i]:
                spans[i - start].data = NULL
                spans[i - start].len = CODEC_ERROR_EMPTY
        status = codec_spans_decode(
            out, spans, end - start, CODEC_TEXT, first_index + start, stop)
        start = end
    return status


def column_decode(DecoderBase decoder not None, tuple chunks, *, on_error="raise"):
    """Decodes text messages that lie in columns, chunk after chunk.

    A chunk is (bytes, offsets, valid): ndarray[uint8]; ndarray[int64] of one more than
    there are messages, message i from offsets[i] to offsets[i + 1]; ndarray[bool] or
    None, where False stands for no message (EMPTY). Errors count over all chunks.
    """
    cdef Spans spans = Spans(SPANS)
    cdef codec_span whole
    cdef cnp.ndarray data, offsets, valid
    cdef list columns = []
    cdef const uint8_t *mask
    cdef size_t n, n_bytes = 0, n_messages = 0, first_index = 0
    cdef bint stop
    cdef int status = 0
    for data, offsets, valid in chunks:
        data = np.ascontiguousarray(data, BYTES)
        offsets = np.ascontiguousarray(offsets, INT64S)
        valid = None if valid is None else np.ascontiguousarray(valid, BOOLS)
        n = cnp.PyArray_SIZE(offsets) - 1
        if (cnp.PyArray_SIZE(offsets) == 0
                or (valid is not None and cnp.PyArray_SIZE(valid) != <cnp.npy_intp>n)
                or not column_check(
                    <const uint8_t *>cnp.PyArray_DATA(data), cnp.PyArray_SIZE(data),
                    <const int64_t *>cnp.PyArray_DATA(offsets), n)):
            raise ValueError("the column's offsets do not fit its bytes")
        columns.append((data, offsets, valid))
        n_messages += n
        n_bytes += (<const int64_t *>cnp.PyArray_DATA(offsets))[n] - (
            <const int64_t *>cnp.PyArray_DATA(offsets))[0]
    cdef codec_output *out = decoder.enter(on_error, &stop)
    try:
        if out.pinned:
            for data, _, _ in columns:
                whole.data = <const uint8_t *>cnp.PyArray_DATA(data)
                refuse_own(&whole, out.payloads)
        status = codec_output_expect(
            out, n_bytes, n_bytes // n_messages if n_messages else 0)
        for data, offsets, valid in columns:
            n = cnp.PyArray_SIZE(offsets) - 1
            mask = NULL
            if valid is not None:
                mask = <const uint8_t *>cnp.PyArray_DATA(valid)
            if status == 0:
                with nogil:
                    status = column_run(
                        out, spans.spans, <const uint8_t *>cnp.PyArray_DATA(data),
                        <const int64_t *>cnp.PyArray_DATA(offsets), mask, n,
                        first_index, stop)
            first_index += n
        return decoder.batch(status)
    finally:
        busy_leave(&decoder.busy)
