# Decoding, by one thread or several.

cdef class Job:
    """One input shared by several workers; each calls `run` in a thread of its own."""

    cdef codec_job *job
    cdef Buffers buffers  # kept alive for workers that start late
    cdef object failure  # what a worker raised
    cdef bint stop, binary, keep_payloads
    cdef tuple items
    cdef size_t block  # messages
    cdef codec_buffer own_arena
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
        part.out.columnar = self.buffers.out.columnar
        spans.own_arena = self.own_arena
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
                    codec_output_finish(&part.out)
                status = codec_job_commit(
                    self.job, number, &part.out, status, spans.n)
        if failure is not None:
            raise failure
        return 0


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
    cdef Judge judge
    cdef busy_flag busy

    __class_getitem__ = classmethod(GenericAlias)  # DecoderBase[Batch], to be typed

    def __cinit__(
        self, type batch_type not None, payloads, threads, bint once,
        Judge judge=None, bint columnar=False
    ):
        self.batch_type = batch_type
        self.buffers = Buffers.__new__(Buffers)
        self.buffers.out.keep_payloads = bool(payloads)
        self.buffers.out.columnar = columnar
        self.threads = worker_count(threads)
        self.once = once
        self.judge = judge
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

    cdef object batch(self, int status):
        cdef codec_output *out = &self.buffers.out
        cdef codec_error *error
        codec_output_finish(out)
        if status == CODEC_NO_MEMORY:
            raise MemoryError
        if status:
            error = <codec_error *>out.errors.data
            raise _DecodeError(error.code, error.index, error.offset)
        cdef tuple judged = None
        if self.judge is not None:
            judged = self.judge.judge(self.batch_type, self.buffers, self.threads)
        if self.once:
            codec_output_trim(out)
        cdef BatchBase batch = batch_new(self.batch_type, self.buffers)
        batch.is_owner = self.once
        if judged is not None:
            batch.signers, batch.verified = judged
        return batch

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
                refuse_own(&span, out.payloads)
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
        if out.pinned:
            spans.own_arena = out.payloads
        spans.fill(items, 0, min(n, spans.capacity), binary)
        typical = spans.total_len() // spans.n if n else 0
        status = codec_output_expect(out, typical * n, typical)
        if self.threads > 1 and typical * n > 2 * BLOCK_LEN:
            spans.clear()
            return self.decode_job(
                items, binary, stop, BLOCK_LEN // typical, spans.own_arena)
        while status == 0 and start < n:
            with nogil:
                status = codec_spans_decode(
                    out, spans.spans, spans.n, form, start, stop)
            start += spans.n
            if status == 0 and start < n:
                spans.fill(items, start, min(start + spans.capacity, n), binary)
        return status

    cdef int decode_job(
        self, tuple items, bint binary, bint stop, size_t block, codec_buffer own_arena
    ) except? -2:
        cdef Job job = Job(self.buffers, stop)
        job.own_arena = own_arena
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
