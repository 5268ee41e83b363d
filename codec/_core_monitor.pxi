# Checks on a stream of batches: what the C loop remembers, and arrays that look at it.

cdef cnp.dtype NOTICES = _dtypes.NOTICE_DTYPE
cdef cnp.ndarray NO_NOTICES = np.empty(0, NOTICES)
NO_NOTICES.setflags(write=False)


cdef cnp.ndarray live_view(object owner, uint64_t *data, size_t n):
    """Numbers of the owner's that go on changing; nobody else can write to them."""
    cdef cnp.ndarray array = view_of(owner, UINT64S, <uint8_t *>data, n)
    cnp.PyArray_CLEARFLAGS(array, cnp.NPY_ARRAY_WRITEABLE)
    return array


cdef class MonitorBase:
    """What a stream has been like so far; codec.monitor.Monitor adds what needs no C.

    period_ns: 0 for none. taxonomy_id: -1 for none in particular.
    """

    cdef codec_monitor *monitor
    cdef codec_buffer notices
    cdef busy_flag busy

    def __cinit__(self, uint64_t period_ns, uint64_t ahead_ns, int taxonomy_id):
        self.monitor = <codec_monitor *>PyMem_Calloc(1, sizeof(codec_monitor))
        if self.monitor == NULL:
            raise MemoryError
        self.monitor.period_ns = period_ns
        self.monitor.ahead_ns = ahead_ns
        self.monitor.has_taxonomy = taxonomy_id >= 0
        self.monitor.taxonomy_id = <uint16_t>taxonomy_id
        busy_leave(&self.busy)

    def __dealloc__(self):
        PyMem_Free(self.monitor)
        codec_buffer_release(&self.notices)

    def observe(self, BatchBase batch not None):
        """Takes the messages of a batch in, and gives what is noticed about them.

        ndarray[NOTICE_DTYPE] in message order, usually empty (and shared then). Raises
        RuntimeError where another thread is observing at the same time, MemoryError
        after as many messages as there was memory for.
        """
        cdef size_t n
        if not busy_enter(&self.busy):
            raise RuntimeError("this Monitor is in the middle of another call")
        try:
            if self.run(&batch._out, &n):
                raise MemoryError
            return self.take(n) if n else NO_NOTICES
        finally:
            busy_leave(&self.busy)

    cdef int run(self, const codec_output *out, size_t *n) noexcept:
        cdef int status
        # Small ones are sooner done than the GIL given away and had again.
        if (out.n_updates + out.n_messages) * sizeof(codec_update) <= BLOCK_LEN:
            return codec_monitor_observe(self.monitor, out, &self.notices, n)
        with nogil:
            status = codec_monitor_observe(self.monitor, out, &self.notices, n)
        return status

    cdef cnp.ndarray take(self, size_t n):
        cdef cnp.ndarray array = np.empty(n, NOTICES)
        memcpy(cnp.PyArray_DATA(array), self.notices.data, n * sizeof(codec_notice))
        if self.notices.capacity >= CODEC_MAP_MIN:
            codec_buffer_release(&self.notices)
        return array

    def reset_clock(self):
        """Forgets the timestamps: the next message is compared with none before it."""
        if not busy_enter(&self.busy):
            raise RuntimeError("this Monitor is in the middle of another call")
        self.monitor.has_clock = False
        busy_leave(&self.busy)

    @property
    def missing(self):
        """How many ticks were missing, in total (at most 2^64 - 1)."""
        return self.monitor.missing

    @property
    def counts(self):
        """How much was noticed, by `NoticeKind`: uint64, shape (6,), live, read-only.

        Repeated assets count beyond those that `observe` lists, too.
        """
        return live_view(self, self.monitor.counts, CODEC_NOTICE_KINDS)

    @property
    def ages(self):
        """Histogram of the messages' ages: uint64, shape (976,), live, read-only.

        Of receive_ns - timestamp_ns, where there is a receive time; a negative age is
        in bucket 0. `codec.monitor.age_bounds` has the greatest age of each bucket.
        """
        return live_view(self, self.monitor.ages, CODEC_AGE_BUCKETS)

    @property
    def last_seen_ns(self):
        """By asset id, when the last message with it came; 0: there was none.

        uint64, shape (65536,), live, read-only: the message's `receive_ns`, or its
        `timestamp_ns` where that is 0.
        """
        return live_view(self, self.monitor.last_seen_ns, 65536)
