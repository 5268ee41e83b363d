# Messages of Stork's aggregator: rows, names, and who signed.

cdef cnp.dtype AGGREGATOR_MESSAGES = _dtypes.AGGREGATOR_MESSAGE_DTYPE
cdef cnp.dtype AGGREGATES = _dtypes.AGGREGATE_DTYPE
cdef cnp.dtype AGGREGATE_SIGNATURES = _dtypes.AGGREGATE_SIGNATURE_DTYPE
cdef cnp.dtype PUBLISHER_PRICES = _dtypes.PUBLISHER_PRICE_DTYPE
cdef cnp.dtype PUBLISHER_SIGNATURES = _dtypes.PUBLISHER_SIGNATURE_DTYPE


cdef class SymbolTable:
    """Names by index. Decoding calls add to it, one at a time."""

    cdef codec_symbols table
    cdef readonly list names  # as they stand in `table` between two calls
    cdef dict places  # of the first names, as many as somebody has asked for
    cdef busy_flag busy

    def __cinit__(self):
        self.names = []
        self.places = {}
        self.table.seed = int.from_bytes(os.urandom(8), "little")
        busy_leave(&self.busy)

    def __dealloc__(self):
        codec_symbols_release(&self.table)

    cdef int enter(self) except -1:
        if not busy_enter(&self.busy):
            raise RuntimeError("these Symbols are in the middle of another call")
        return 0

    cdef int leave(self, bint keep) except -1:
        """Ends a call: what it added is kept, or forgotten."""
        cdef codec_span name
        cdef size_t i, first = len(self.names)
        try:
            for i in range(first, self.table.n if keep else 0):
                name = codec_symbols_name(&self.table, i)
                self.names.append((<const char *>name.data)[:name.len].decode())
        finally:
            codec_symbols_truncate(&self.table, len(self.names))
            busy_leave(&self.busy)
        return 0

    def add(self, str name not None):
        """The index of a name, new or not."""
        cdef Py_ssize_t n
        cdef const uint8_t *text = (
            <const uint8_t *>PyUnicode_AsUTF8AndSize(name, &n))
        cdef uint32_t index
        cdef int status
        if n > CODEC_NAME_LEN_MAX:
            raise ValueError(f"a name has at most 1024 bytes of UTF-8, not {n}")
        self.enter()
        status = codec_symbols_add(&self.table, text, n, &index)
        self.leave(status == 0)
        if status == CODEC_NO_MEMORY:
            raise MemoryError
        if status:
            raise ValueError("there is no room for another name")
        return index

    @cython.critical_section
    def find(self, str name not None):
        """The index of a name, None where it is not there."""
        cdef Py_ssize_t i
        for i in range(len(self.places), len(self.names)):
            self.places[self.names[i]] = i
        return self.places.get(name)


cdef class AggregatorRows:
    """Owns the memory of a result; every array that looks at it keeps it alive."""

    cdef codec_aggregator out

    def __dealloc__(self):
        codec_aggregator_release(&self.out)


cdef class Claims:
    """Signatures that name their signers, shared by workers that each call `run`."""

    cdef codec_claims job
    cdef tuple owners

    def __dealloc__(self):
        codec_claims_release(&self.job)

    def run(self):
        """One worker's share."""
        cdef bint more = True
        cdef size_t workspace_len = codec_claims_workspace_len(&self.job)
        cdef void *workspace = NULL
        cdef size_t turn = TURN if self.job.n_found == 0 else 4
        if workspace_len:
            workspace = aligned_alloc(64, (workspace_len + 63) & ~<size_t>63)
            if workspace == NULL:
                raise MemoryError
        try:
            while more:
                with nogil:
                    more = codec_claims_work(&self.job, turn, workspace)
                PyErr_CheckSignals()
        finally:
            free(workspace)

    cdef int work(self, size_t threads) except -1:
        cdef size_t n_others = min(threads, self.job.n_blocks)
        if n_others <= 1 or (
            self.job.n_found == self.job.n and self.job.n < CLAIMS_PER_WORKER
        ):
            self.run()
            return 0
        from concurrent.futures import ThreadPoolExecutor

        n_others -= 1  # this thread is a worker too
        executor = ThreadPoolExecutor(n_others)
        try:
            futures = [executor.submit(self.run) for _ in range(n_others)]
            self.run()
        finally:
            codec_claims_stop(&self.job)
            executor.shutdown(wait=True)
        for future in futures:
            future.result()
        return 0

    cdef tuple good(self):
        """Of those whose claims are right, without a known key: addresses, digests and
        signatures."""
        cdef size_t i, n = self.job.n, n_good = 0
        cdef size_t first = self.job.n_found
        if first == n:
            return ()
        rows = [i for i in range(first, n) if self.job.signers[i].status == 0]
        if not rows:
            return ()
        cdef cnp.ndarray addresses = np.empty((len(rows), 20), np.uint8)
        cdef cnp.ndarray digests = np.empty((len(rows), 32), np.uint8)
        cdef cnp.ndarray signatures = np.empty((len(rows), 65), np.uint8)
        cdef uint8_t *address = <uint8_t *>cnp.PyArray_DATA(addresses)
        cdef uint8_t *digest = <uint8_t *>cnp.PyArray_DATA(digests)
        cdef uint8_t *signature = <uint8_t *>cnp.PyArray_DATA(signatures)
        for row in rows:
            i = row
            memcpy(address + 20 * n_good, self.job.signers[i].address, 20)
            memcpy(digest + 32 * n_good, self.job.digests + 32 * i, 32)
            memcpy(signature + 65 * n_good, self.job.signatures + 65 * i, 65)
            n_good += 1
        return addresses, digests, signatures

    cdef int count(self, cnp.ndarray counts) except -1:
        """Adds to the uint64 of each known key how often it was asked for."""
        cdef uint64_t *data = <uint64_t *>cnp.PyArray_DATA(counts)
        cdef const uint32_t *blocks = self.job.blocks
        cdef size_t i
        for i in range(self.job.n_blocks):
            if blocks[2 * i + 1] < self.job.n_known:
                data[blocks[2 * i + 1]] += blocks[2 * i + 2] - blocks[2 * i]
        data[self.job.n_known] += self.job.n_found
        return 0


# Signatures that are judged at once.
cdef size_t FIRST_WAVE = 256
cdef size_t LAST_WAVE = 16384
# Signatures by known keys for which another worker is worth while.
cdef size_t CLAIMS_PER_WORKER = 512


def aggregator_decode(
    messages, bint is_lines, on_error, threads, SymbolTable symbols not None,
    Secp256k1 library not None, bytes trusted, keys,
    bint checks=True
):
    """Decodes messages, or the lines of a buffer, and checks their signatures.

    trusted: addresses, 20 bytes each, sorted, or None for any. keys: `take` gives
    KnownKeys, sorted by address, or None, and uint64 numbers to be added to: how many
    signatures each key was used for, and all of them. `learn` is told addresses,
    digests and signatures of those who are right without a known key. Returns the
    arrays of a batch in their order. checks: False leaves all checks out; then nothing
    is `verified`.
    """
    cdef AggregatorRows rows = AggregatorRows.__new__(AggregatorRows)
    cdef size_t n_workers = worker_count(threads)
    cdef bint keep = False
    cdef codec_error *error
    if on_error != "raise" and on_error != "skip":
        raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}")
    symbols.enter()
    try:
        rows.out.symbols = &symbols.table
        status = aggregator_read(rows, messages, is_lines, on_error == "raise")
        if status == 0:
            if checks:
                aggregator_judge(rows, library, trusted, keys, n_workers)
            keep = True
    finally:
        rows.out.symbols = NULL
        symbols.leave(keep)
    if status:
        error = <codec_error *>rows.out.errors.data
        raise _DecodeError(error.code, error.index, error.offset)
    codec_aggregator_trim(&rows.out)
    return aggregator_arrays(rows)


cdef int aggregator_read(
    AggregatorRows rows, object messages, bint is_lines, bint stop
) except -1:
    """Reads all texts; the code of the fault that ends the call, or 0."""
    cdef codec_aggregator *out = &rows.out
    cdef int status
    cdef Py_buffer view
    if not is_lines:
        status = aggregator_read_items(
            out, (messages,) if is_one(messages) else messages_tuple(messages), stop)
    else:
        if not bytes_take(messages, &view):
            raise TypeError(
                "decode_lines takes one contiguous buffer of single bytes (bytes, an"
                f" open mmap, a uint8 array), not this {type(messages).__name__}"
            )
        if view.len <= <Py_ssize_t>BLOCK_LEN:
            status = codec_aggregator_lines(
                out, <const uint8_t *>view.buf, view.len, stop)
        else:
            with nogil:
                status = codec_aggregator_lines(
                    out, <const uint8_t *>view.buf, view.len, stop)
        PyBuffer_Release(&view)
    if status == CODEC_NO_MEMORY:
        raise MemoryError
    return status


cdef int aggregator_read_items(
    codec_aggregator *out, tuple items, bint stop
) except? -2:
    cdef size_t n = PyTuple_GET_SIZE(items), start = 0
    cdef Spans spans = Spans(max(min(n, SPANS), <size_t>1))
    cdef int status = 0
    while status == 0 and start < n:
        spans.fill(items, start, min(start + spans.capacity, n), False)
        if spans.total_len() <= BLOCK_LEN:
            status = codec_aggregator_spans(out, spans.spans, spans.n, start, stop)
        else:
            with nogil:
                status = codec_aggregator_spans(
                    out, spans.spans, spans.n, start, stop)
        start += spans.n
    return status


cdef int aggregator_judge(
    AggregatorRows rows, Secp256k1 library, bytes trusted, object keys,
    size_t n_workers
) except -1:
    """Signatures in waves, so that the first ones of many teach the keys of others."""
    cdef codec_aggregator *out = &rows.out
    cdef size_t n = out.n_aggregates + out.n_publishers
    cdef size_t start = 0, wave = FIRST_WAVE
    cdef int status
    with nogil:
        status = codec_aggregator_check(out)
    if status:
        raise MemoryError
    while start < n:
        aggregator_judge_wave(
            rows, library, trusted, keys, n_workers, start, min(wave, n - start))
        start += min(wave, n - start)
        wave = min(4 * wave, LAST_WAVE)
    return 0


cdef int aggregator_judge_wave(
    AggregatorRows rows, Secp256k1 library, bytes trusted, object keys,
    size_t n_workers, size_t start, size_t n
) except -1:
    cdef Claims claims = Claims.__new__(Claims)
    cdef codec_claims *job = &claims.job
    cdef KnownKeys known
    cdef cnp.ndarray counts
    cdef const uint8_t *signers = NULL
    cdef int status
    known, counts = keys.take()
    job.lib = &library.table
    if known is not None:
        if <size_t>cnp.PyArray_SIZE(counts) <= known.n or counts.dtype != UINT64S:
            raise ValueError("a count for each key, and one for all, are needed")
        job.known = known.keys
        job.n_known = known.n
        job.path = known.path
    claims.owners = library, known, rows
    if trusted is not None:
        signers = <const uint8_t *>PyBytes_AS_STRING(trusted)
    with nogil:
        status = codec_claims_gather(job, &rows.out, start, n, n_workers)
    if status:
        raise MemoryError
    if job.n == 0:
        return 0
    claims.work(n_workers)
    codec_claims_settle(
        job, &rows.out, signers, PyBytes_GET_SIZE(trusted) // 20 if signers else 0)
    if job.n_found:
        claims.count(counts)
    good = claims.good()
    if good:
        keys.learn(*good)
    return 0


cdef tuple aggregator_arrays(AggregatorRows rows):
    cdef codec_aggregator *out = &rows.out
    return (
        view_of(rows, AGGREGATOR_MESSAGES, out.messages.data, out.n_messages),
        view_of(rows, AGGREGATES, out.aggregates.data, out.n_aggregates),
        view_of(rows, AGGREGATE_SIGNATURES, out.aggregate_signatures.data,
                out.n_aggregates),
        view_of(rows, PUBLISHER_PRICES, out.publishers.data, out.n_publishers),
        view_of(rows, PUBLISHER_SIGNATURES, out.publisher_signatures.data,
                out.n_publishers),
        view_of(rows, ERRORS, out.errors.data, out.n_errors),
        view_of(rows, BYTES, out.text.data, out.text_len),
    )
