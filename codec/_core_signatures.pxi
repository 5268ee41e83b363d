# keccak256, and who signed: libsecp256k1's recovery over whole batches.

cdef cnp.dtype SIGNERS = _dtypes.SIGNER_DTYPE

# Blocks of recoveries (a millisecond each) between two looks at signals and errors.
cdef size_t TURN = 32
# Inputs to hash whose buffers are held at a time.
cdef size_t HASHES = 1024


def keccak256(data):
    """keccak256 (32 bytes) of a bytes-like object."""
    cdef Py_buffer view
    cdef bytes digest = PyBytes_FromStringAndSize(NULL, 32)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    codec_keccak256(
        <uint8_t *>PyBytes_AS_STRING(digest), <const uint8_t *>view.buf, view.len)
    PyBuffer_Release(&view)
    return digest


cdef class Views:
    """The buffers of up to HASHES objects, held while they are hashed."""

    cdef codec_span *spans
    cdef Py_buffer *views
    cdef size_t n

    def __cinit__(self):
        self.spans = <codec_span *>PyMem_Malloc(HASHES * sizeof(codec_span))
        self.views = <Py_buffer *>PyMem_Malloc(HASHES * sizeof(Py_buffer))
        if self.spans == NULL or self.views == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.clear()
        PyMem_Free(self.spans)
        PyMem_Free(self.views)

    cdef void clear(self) noexcept:
        while self.n:
            self.n -= 1
            PyBuffer_Release(&self.views[self.n])

    cdef int add(self, object item) except -1:
        cdef Py_buffer *view = &self.views[self.n]
        PyObject_GetBuffer(item, view, PyBUF_SIMPLE)
        self.spans[self.n].data = <const uint8_t *>view.buf
        self.spans[self.n].len = view.len
        self.n += 1
        return 0


def keccak256_batch(tuple items not None):
    """The digests of bytes-like objects: uint8, shape (n, 32)."""
    cdef size_t i, start = 0, n = PyTuple_GET_SIZE(items)
    cdef cnp.ndarray digests = np.empty((n, 32), np.uint8)
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(digests)
    cdef Views views = Views()
    while start < n:
        views.clear()
        for i in range(start, min(start + HASHES, n)):
            views.add(<object>PyTuple_GET_ITEM(items, i))
        with nogil:
            codec_keccak256_many(dst + 32 * start, views.spans, views.n)
        start += views.n
    return digests


cdef bint is_rows(object array, cnp.npy_intp width):
    """Whether it is a uint8 array of rows of so many bytes that lie together."""
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_NDIM(array) == 2
            and (<cnp.ndarray>array).dtype == BYTES
            and (width < 0 or cnp.PyArray_DIM(array, 1) == width)
            and (cnp.PyArray_SIZE(array) == 0 or cnp.PyArray_DIM(array, 1) == 1
                 or cnp.PyArray_STRIDE(array, 1) == 1))


cdef int rows_check(object array, cnp.npy_intp width) except -1:
    if not is_rows(array, width):
        raise TypeError("a 2-D uint8 array of contiguous rows is needed")
    return 0


def keccak256_rows(cnp.ndarray rows not None):
    """The digest of each row of a 2-D uint8 array: uint8, shape (n, 32)."""
    rows_check(rows, -1)
    cdef size_t i, start = 0, n_here, n = cnp.PyArray_DIM(rows, 0)
    cdef size_t row_len = cnp.PyArray_DIM(rows, 1)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(rows, 0)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(rows)
    cdef cnp.ndarray digests = np.empty((n, 32), np.uint8)
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(digests)
    cdef codec_span spans[256]
    with nogil:
        while start < n:
            n_here = min(n - start, <size_t>256)
            for i in range(n_here):
                spans[i].data = src + <ptrdiff_t>(start + i) * stride
                spans[i].len = row_len
            codec_keccak256_many(dst + 32 * start, spans, n_here)
            start += n_here
    return digests


def eip191_digests(cnp.ndarray hashes not None):
    """EIP-191's digests of the rows of a uint8 array of shape (n, 32)."""
    rows_check(hashes, 32)
    cdef size_t n = cnp.PyArray_DIM(hashes, 0)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(hashes, 0)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(hashes)
    cdef cnp.ndarray digests = np.empty((n, 32), np.uint8)
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(digests)
    with nogil:
        codec_eip191_digest(dst, src, stride, n)
    return digests


cdef class Secp256k1:
    """libsecp256k1's functions by their addresses, and what keeps them there.

    context, signature_parse, recover, key_serialize: the context and the functions
    `secp256k1_ecdsa_recoverable_signature_parse_compact`, `secp256k1_ecdsa_recover` and
    `secp256k1_ec_pubkey_serialize`. sizes: of the library's signature and key structs.
    owners: objects that live as long as this one.
    """

    cdef codec_secp256k1 table
    cdef readonly object owners

    def __cinit__(
        self, size_t context, size_t signature_parse, size_t recover,
        size_t key_serialize, *, tuple sizes not None, owners
    ):
        if sizes != (CODEC_SECP256K1_SIGNATURE_LEN, CODEC_SECP256K1_KEY_LEN):
            raise _IntegrityError(
                f"libsecp256k1's signature and key have {sizes} bytes, not"
                f" {(CODEC_SECP256K1_SIGNATURE_LEN, CODEC_SECP256K1_KEY_LEN)}"
            )
        self.table.context = <void *>context
        self.table.signature_parse = <signature_parse_function>signature_parse
        self.table.recover = <recover_function>recover
        self.table.key_serialize = <key_serialize_function>key_serialize
        self.owners = owners


cdef class Recovery:
    """Signatures shared by several workers; each calls `run` in a thread of its own.

    It keeps alive all that the workers read and write.
    """

    cdef codec_recovery job
    cdef tuple owners

    def run(self):
        """One worker's share."""
        cdef bint more = True
        cdef size_t workspace_len = codec_recovery_workspace_len(&self.job)
        cdef void *workspace = NULL
        # A block with a known key's is longer: where it is asked who signed what is
        # bad, each of its signatures may need a recovery.
        cdef size_t turn = TURN if self.job.n_known == 0 else 4
        if workspace_len:
            workspace = aligned_alloc(64, (workspace_len + 63) & ~<size_t>63)
            if workspace == NULL:
                raise MemoryError
        try:
            while more:
                with nogil:
                    more = codec_recovery_work(&self.job, turn, workspace)
                PyErr_CheckSignals()
        finally:
            free(workspace)

    cdef int work(self, size_t threads) except -1:
        cdef size_t least = 2048 if self.job.n_known else 64
        cdef size_t n_others = min(threads, (self.job.items.n + least - 1) // least)
        if n_others <= 1:
            self.run()
            return 0
        from concurrent.futures import ThreadPoolExecutor

        n_others -= 1  # this thread is a worker too
        executor = ThreadPoolExecutor(n_others)
        try:
            futures = [executor.submit(self.run) for _ in range(n_others)]
            self.run()
        finally:
            # Where Ctrl-C ends this early, the others do too, within a millisecond.
            codec_recovery_stop(&self.job)
            executor.shutdown(wait=True)
        for future in futures:
            future.result()
        return 0


cdef Recovery recovery_new(
    Secp256k1 library, bytes addresses, KnownKeys known
):
    cdef Recovery recovery = Recovery.__new__(Recovery)
    if known is not None:
        recovery.job.known = known.keys
        recovery.job.n_known = known.n
        recovery.job.path = known.path
    recovery.job.lib = &library.table
    if addresses is not None:
        recovery.job.addresses = <const uint8_t *>PyBytes_AS_STRING(addresses)
        recovery.job.n_addresses = PyBytes_GET_SIZE(addresses) // 20
    return recovery


cdef int output_sign(codec_signed *items, const codec_output *out) except -1:
    """The messages of a result, as things with a signature."""
    cdef const codec_message *messages = <const codec_message *>out.messages.data
    cdef size_t i
    items.n = out.n_messages
    items.messages = messages
    if out.keep_payloads:
        items.arena = out.payloads.data
        items.arena_len = out.payloads_len
        return 0
    for i in range(out.n_messages):
        if messages[i].kind:
            raise ValueError("the batch was decoded with payloads=False")
    return 0


def batch_digests(BatchBase batch not None):
    """What each message's signature signs: uint8, shape (m, 32); zeros for none."""
    cdef codec_signed items
    memset(&items, 0, sizeof(items))
    output_sign(&items, &batch._out)
    cdef cnp.ndarray digests = np.empty((items.n, 32), np.uint8)
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(digests)
    with nogil:
        codec_messages_digest(dst, &items)
    return digests


def recover_batch(BatchBase batch not None, Secp256k1 library not None, threads):
    """Who signed each message: SIGNER_DTYPE, shape (m,)."""
    cdef Recovery recovery = recovery_new(library, None, None)
    output_sign(&recovery.job.items, &batch._out)
    cdef cnp.ndarray signers = np.empty(recovery.job.items.n, SIGNERS)
    recovery.job.signers = <codec_signer *>cnp.PyArray_DATA(signers)
    recovery.owners = batch, library, signers
    recovery.work(worker_count(threads))
    return signers


def verify_batch(
    BatchBase batch not None, bytes addresses not None, Secp256k1 library not None,
    threads, KnownKeys known=None
):
    """Whether one of the sorted addresses signed each message: bool, shape (m,)."""
    cdef Recovery recovery = recovery_new(library, addresses, known)
    output_sign(&recovery.job.items, &batch._out)
    cdef cnp.ndarray verified = np.empty(recovery.job.items.n, BOOLS)
    recovery.job.verified = <uint8_t *>cnp.PyArray_DATA(verified)
    recovery.owners = batch, library, addresses, verified, known
    recovery.work(worker_count(threads))
    return verified


cdef Recovery recovery_of_digests(
    cnp.ndarray digests, cnp.ndarray signatures, uint8_t v_offset, Secp256k1 library,
    bytes addresses, KnownKeys known
):
    rows_check(digests, 32)
    rows_check(signatures, 65)
    if cnp.PyArray_DIM(digests, 0) != cnp.PyArray_DIM(signatures, 0):
        raise ValueError("as many digests as signatures are needed")
    cdef Recovery recovery = recovery_new(library, addresses, known)
    cdef codec_signed *items = &recovery.job.items
    items.n = cnp.PyArray_DIM(digests, 0)
    items.digests = <const uint8_t *>cnp.PyArray_DATA(digests)
    items.digest_stride = cnp.PyArray_STRIDE(digests, 0)
    items.signatures = <const uint8_t *>cnp.PyArray_DATA(signatures)
    items.signature_stride = cnp.PyArray_STRIDE(signatures, 0)
    items.v_offset = v_offset
    return recovery


def recover_digests(
    cnp.ndarray digests not None, cnp.ndarray signatures not None, uint8_t v_offset,
    Secp256k1 library not None, threads
):
    """Who signed each digest: SIGNER_DTYPE, shape (n,)."""
    cdef Recovery recovery = recovery_of_digests(
        digests, signatures, v_offset, library, None, None)
    cdef cnp.ndarray signers = np.empty(recovery.job.items.n, SIGNERS)
    recovery.job.signers = <codec_signer *>cnp.PyArray_DATA(signers)
    recovery.owners = digests, signatures, library, signers
    recovery.work(worker_count(threads))
    return signers


def verify_digests(
    cnp.ndarray digests not None, cnp.ndarray signatures not None, uint8_t v_offset,
    bytes addresses not None, Secp256k1 library not None, threads,
    KnownKeys known=None
):
    """Whether one of the sorted addresses signed each digest: bool, shape (n,)."""
    cdef Recovery recovery = recovery_of_digests(
        digests, signatures, v_offset, library, addresses, known)
    cdef cnp.ndarray verified = np.empty(recovery.job.items.n, BOOLS)
    recovery.job.verified = <uint8_t *>cnp.PyArray_DATA(verified)
    recovery.owners = digests, signatures, library, addresses, verified, known
    recovery.work(worker_count(threads))
    return verified


cdef class Judge:
    """What a decoder does with signatures: whose are good, and what becomes of others.

    addresses: 20 bytes each, sorted. choose: called with a batch, gives KnownKeys or
    None. is_raising, is_dropping: what becomes of others; neither: they are marked.
    """

    cdef Secp256k1 library
    cdef bytes addresses
    cdef object choose
    cdef bint is_raising, is_dropping

    def __cinit__(
        self, Secp256k1 library not None, bytes addresses not None, choose,
        bint is_raising, bint is_dropping
    ):
        self.library = library
        self.addresses = addresses
        self.choose = choose
        self.is_raising = is_raising
        self.is_dropping = is_dropping

    cdef tuple judge(self, type batch_type, Buffers buffers, size_t threads):
        """The signers and verdicts of a complete result, dropped messages gone."""
        cdef codec_output *out = &buffers.out
        cdef KnownKeys known = None
        if out.n_messages:
            known = self.choose(batch_new(batch_type, buffers))
        cdef Recovery recovery = recovery_new(self.library, self.addresses, known)
        output_sign(&recovery.job.items, out)
        cdef cnp.ndarray signers = np.empty(out.n_messages, SIGNERS)
        cdef cnp.ndarray verified = np.empty(out.n_messages, BOOLS)
        recovery.job.signers = <codec_signer *>cnp.PyArray_DATA(signers)
        recovery.job.verified = <uint8_t *>cnp.PyArray_DATA(verified)
        recovery.owners = (
            buffers, self.library, self.addresses, signers, verified, known)
        recovery.work(threads)
        if self.is_raising:
            self.raise_first(
                out, &recovery.job.items, recovery.job.signers, recovery.job.verified)
        if self.is_dropping:
            if codec_output_drop(out, recovery.job.signers, recovery.job.verified):
                raise MemoryError
            if out.n_messages != <size_t>cnp.PyArray_DIM(verified, 0):
                signers = signers[:out.n_messages].copy()
                verified = verified[:out.n_messages].copy()
        return signers, verified

    cdef int raise_first(
        self, codec_output *out, codec_signed *items, codec_signer *signers,
        uint8_t *verified
    ) except -1:
        cdef const codec_error *errors = <const codec_error *>out.errors.data
        cdef size_t row, i
        cdef uint64_t index
        cdef int code
        for row in range(out.n_messages):
            if verified[row]:
                continue
            code = signers[row].status or CODEC_ERROR_WRONG_SIGNER
            index = row
            for i in range(out.n_errors):
                if errors[i].index > index:
                    break
                index += 1
            offset = codec_signature_offset(items, row, code)
            raise _BadSignatureError(code, index, offset)
        return 0
