# Tables of rows that a function takes: those of a batch, or an array of any stride.

cdef extern from "tables.h" nogil:
    enum:
        CODEC_N_ASSETS

    ctypedef struct codec_latest:
        codec_update *rows
        uint64_t n_known, n_late, n_foreign
        bint has_taxonomy
        uint16_t taxonomy_id
        uint8_t *known

    int codec_latest_init(codec_latest *)
    void codec_latest_release(codec_latest *)
    void codec_latest_update(codec_latest *, const uint8_t *, size_t, ptrdiff_t)
    bint codec_latest_read(const codec_latest *, uint16_t, codec_update *)
    int codec_latest_snapshot(const codec_latest *, codec_output *)
    void codec_latest_clear(codec_latest *)

    ctypedef struct codec_gap:
        pass

    int codec_gaps_find(
        const uint8_t *, size_t, ptrdiff_t, uint64_t, uint64_t, codec_buffer *,
        size_t *)

    ctypedef struct codec_bar:
        pass

    ctypedef struct codec_bars:
        uint64_t interval_ns, newest_ns, floor_ns, n_late
        size_t n_bars

    void codec_bars_release(codec_bars *)
    int codec_bars_update(codec_bars *, const uint8_t *, size_t, ptrdiff_t)
    int codec_bars_settle(codec_bars *)
    size_t codec_bars_before(const codec_bars *, uint64_t)
    void codec_bars_take(codec_bars *, codec_bar *, size_t)
    int codec_bars_link(
        const codec_bar *, size_t, uint64_t, codec_buffer *, uint64_t *)
    int codec_bars_fill(
        codec_bar *, const codec_bar *, size_t, uint64_t, const codec_buffer *,
        codec_buffer *)


cdef struct row_span:
    const uint8_t *data
    size_t n
    ptrdiff_t stride


cdef int updates_span(object updates, row_span *span) except -1:
    """The rows of a batch or of a 1-D array of UPDATE_DTYPE, which must stay alive."""
    if isinstance(updates, BatchBase):
        if (<BatchBase>updates)._out.columnar:
            return array_span(updates.updates, UPDATES, "UPDATE_DTYPE", span)
        span.data = (<BatchBase>updates)._out.updates.data
        span.n = (<BatchBase>updates)._out.n_updates
        span.stride = sizeof(codec_update)
        return 0
    return array_span(updates, UPDATES, "UPDATE_DTYPE", span)


cdef int messages_span(object messages, row_span *span) except -1:
    """The same of messages and MESSAGE_DTYPE."""
    if isinstance(messages, BatchBase):
        span.data = (<BatchBase>messages)._out.messages.data
        span.n = (<BatchBase>messages)._out.n_messages
        span.stride = sizeof(codec_message)
        return 0
    return array_span(messages, MESSAGES, "MESSAGE_DTYPE", span)


cdef int array_span(
    object rows, cnp.dtype dtype, str name, row_span *span
) except -1:
    if isinstance(rows, np.ndarray) and not isinstance(rows, np.ma.MaskedArray):
        rows = np.asarray(rows)  # a memmap's memory without its class
    if not is_column(rows, dtype):
        found = type(rows).__name__
        if isinstance(rows, np.ndarray):
            found = f"{found} of {rows.dtype}, {rows.ndim}-D"
        raise TypeError(f"a Batch or a 1-D array of {name} is needed, not {found}")
    span.data = <const uint8_t *>cnp.PyArray_DATA(rows)
    span.n = cnp.PyArray_SIZE(rows)
    span.stride = cnp.PyArray_STRIDE(rows, 0)
    return 0


cdef cnp.ndarray array_from(codec_buffer *buffer, cnp.dtype dtype, size_t n):
    """An array of n rows that stand in the buffer, which is released."""
    cdef cnp.ndarray array = np.empty(n, dtype)
    if n:
        memcpy(cnp.PyArray_DATA(array), buffer.data, n * cnp.PyArray_ITEMSIZE(array))
    codec_buffer_release(buffer)
    return array
