# Results: the memory that C writes, and the arrays and batches that look at it.

cdef class Buffers:
    """Owns the memory of results; every array that looks at it keeps it alive."""

    cdef codec_output out

    def __dealloc__(self):
        codec_output_release(&self.out)


cdef cnp.ndarray view_of(object owner, cnp.dtype dtype, uint8_t *data, size_t n):
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
    # ndarray[SIGNER_DTYPE] and ndarray[bool], a row per message; None: not verified
    cdef readonly object signers, verified

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

    @property
    def n_messages(self):
        """len(messages), without making the array."""
        return self._out.n_messages

    @property
    def n_errors(self):
        """len(errors), without making the array."""
        return self._out.n_errors

    def __len__(self):
        return self._out.n_updates

    def copy(self):
        """A Batch with memory of its own."""
        cdef Buffers buffers = Buffers.__new__(Buffers)
        if codec_output_copy(&buffers.out, &self._out):
            raise MemoryError
        cdef BatchBase batch = batch_new(type(self), buffers)
        if self.verified is not None:
            batch.signers, batch.verified = self.signers.copy(), self.verified.copy()
        return batch

    def select(self, keep):
        """A Batch with memory of its own that has only the chosen messages.

        keep: bools, one for each message. Updates, payloads, `signers` and `verified`
        go with their messages, in order; `errors` stay as they are. Raises TypeError
        for what are no bools, ValueError for another number of them.
        """
        cdef cnp.ndarray chosen = mask_copy(keep, self._out.n_messages)
        cdef const uint8_t *mask = <const uint8_t *>cnp.PyArray_DATA(chosen)
        cdef Buffers buffers = Buffers.__new__(Buffers)
        cdef int status
        if self._out.n_updates <= BLOCK_LEN // sizeof(codec_update):
            status = codec_output_select(&buffers.out, &self._out, mask)
        else:
            with nogil:
                status = codec_output_select(&buffers.out, &self._out, mask)
        if status:
            raise MemoryError
        cdef BatchBase batch = batch_new(type(self), buffers)
        if self.verified is not None:
            batch.signers = self.signers[chosen]
            batch.verified = self.verified[chosen]
        return batch


cdef cnp.ndarray mask_copy(object keep, size_t n):
    """The n bools, in memory that nobody else knows of."""
    if isinstance(keep, np.ma.MaskedArray):
        raise TypeError("keep must not be a masked array")
    cdef cnp.ndarray mask = np.array(keep, order="C")
    if mask.dtype != BOOLS and cnp.PyArray_SIZE(mask):
        raise TypeError(f"keep must be bools, one for each message, not {mask.dtype}")
    if cnp.PyArray_NDIM(mask) != 1 or cnp.PyArray_SIZE(mask) != <cnp.npy_intp>n:
        shape = tuple([cnp.PyArray_DIM(mask, i) for i in range(cnp.PyArray_NDIM(mask))])
        raise ValueError(
            f"keep must have the shape ({n},), a bool for each message, not {shape}")
    return mask if mask.dtype == BOOLS else mask.astype(BOOLS)


cdef BatchBase batch_new(type batch_type, Buffers buffers):
    cdef BatchBase batch = batch_type.__new__(batch_type)
    batch._buffers = buffers
    batch._out = buffers.out
    return batch
