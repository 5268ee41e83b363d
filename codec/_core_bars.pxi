# Bars of updates, and gaps between messages.

cdef cnp.dtype BARS = _dtypes.BAR_DTYPE
cdef cnp.dtype GAPS = _dtypes.GAP_DTYPE


cdef class BarsBase:
    """Bars in the making; codec.resampling.Bars adds what needs no C."""

    cdef codec_bars *bars
    cdef busy_flag busy

    def __cinit__(self, uint64_t interval_ns):
        busy_leave(&self.busy)
        self.bars = <codec_bars *>PyMem_Calloc(1, sizeof(codec_bars))
        if self.bars == NULL:
            raise MemoryError
        self.bars.interval_ns = interval_ns

    def __dealloc__(self):
        if self.bars != NULL:
            codec_bars_release(self.bars)
            PyMem_Free(self.bars)

    cdef int enter(self) except -1:
        if not busy_enter(&self.busy):
            raise RuntimeError("these Bars are in the middle of another call")
        return 0

    def update(self, updates):
        """Takes updates in: a Batch, or a 1-D array of UPDATE_DTYPE, in any order.

        Raises TypeError for anything else, RuntimeError where another thread is in a
        call at the same time, MemoryError after as many as there was memory for.
        """
        cdef row_span span
        cdef int status
        updates_span(updates, &span)
        self.enter()
        if span.n * sizeof(codec_update) <= BLOCK_LEN:
            status = codec_bars_update(self.bars, span.data, span.n, span.stride)
        else:
            with nogil:
                status = codec_bars_update(self.bars, span.data, span.n, span.stride)
        busy_leave(&self.busy)
        if status:
            raise MemoryError

    def take(self, end_ns):
        """The bars of all intervals that end by then, in order; None: all there are.

        What comes later for those intervals is left out; after None nothing is.
        """
        cdef uint64_t floor_ns = 0, end
        cdef size_t n
        cdef int status
        cdef cnp.ndarray array
        self.enter()
        try:
            if end_ns is not None:
                end = end_ns
                floor_ns = max(self.bars.floor_ns, end - end % self.bars.interval_ns)
            with nogil:
                status = codec_bars_settle(self.bars)
            if status:
                raise MemoryError
            n = self.bars.n_bars
            if end_ns is not None:
                n = codec_bars_before(self.bars, floor_ns)
            array = np.empty(n, BARS)
            with nogil:
                codec_bars_take(
                    self.bars, <codec_bar *>cnp.PyArray_DATA(array), n)
            self.bars.floor_ns = floor_ns
            if end_ns is None:
                codec_bars_release(self.bars)
                self.bars.newest_ns = 0
            return array
        finally:
            busy_leave(&self.busy)

    @property
    def interval_ns(self):
        """How long an interval is."""
        return self.bars.interval_ns

    @property
    def newest_ns(self):
        """The greatest timestamp so far; 0 where there was none."""
        return self.bars.newest_ns

    @property
    def n_late(self):
        """Updates left out because their interval had been closed."""
        return self.bars.n_late


def fill_bars(cnp.ndarray bars not None, uint64_t interval_ns, max_rows):
    """Settled bars with those of the empty intervals between them.

    Raises ValueError where they would be more than `max_rows`.
    """
    assert is_column(bars, BARS) and cnp.PyArray_IS_C_CONTIGUOUS(bars)
    cdef const codec_bar *data = <const codec_bar *>cnp.PyArray_DATA(bars)
    cdef size_t n = cnp.PyArray_SIZE(bars)
    cdef codec_buffer links, memory
    cdef uint64_t n_filled[2]
    cdef cnp.ndarray filled
    cdef codec_bar *to
    cdef int status
    links.data = memory.data = NULL
    links.capacity = memory.capacity = 0
    try:
        with nogil:
            status = codec_bars_link(data, n, interval_ns, &links, n_filled)
        if status:
            raise MemoryError
        n_rows = (<object>n_filled[1] << 64) + n_filled[0]
        if n_rows > max_rows:
            raise ValueError(
                f"fill=True would make {n_rows} bars, more than max_rows={max_rows}:"
                " take a longer interval, leave out updates with wrong timestamps, or"
                " allow more rows")
        filled = np.empty(n_rows, BARS)
        to = <codec_bar *>cnp.PyArray_DATA(filled)
        with nogil:
            status = codec_bars_fill(to, data, n, interval_ns, &links, &memory)
        if status:
            raise MemoryError
        return filled
    finally:
        codec_buffer_release(&links)
        codec_buffer_release(&memory)


def find_gaps(messages, uint64_t period_ns, uint64_t ahead_ns):
    """The gaps of a batch, or of a 1-D array of MESSAGE_DTYPE: ndarray[GAP_DTYPE]."""
    cdef row_span span
    cdef codec_buffer gaps
    cdef size_t n
    cdef int status
    messages_span(messages, &span)
    gaps.data, gaps.capacity = NULL, 0
    with nogil:
        status = codec_gaps_find(
            span.data, span.n, span.stride, period_ns, ahead_ns, &gaps, &n)
    if status:
        codec_buffer_release(&gaps)
        raise MemoryError
    return array_from(&gaps, GAPS, n)
