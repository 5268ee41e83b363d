# Batches: what a decoding call gives.

cdef class BatchBase:
    """The arrays of one decoding call; codec.batch.Batch adds what needs no C."""

    cdef Buffers _buffers
    cdef codec_output _out  # pointers and counts as they were at the end of the call
    cdef cnp.ndarray _updates, _messages, _errors, _payload_arena
    cdef Columns _columns
    cdef Buffers _column_memory  # once it is apart from the rest of the batch's own
    # Whether the memory is the batch's own, and not a Decoder's that it uses again.
    cdef readonly bint is_owner
    # ndarray[SIGNER_DTYPE] and ndarray[bool], a row per message; None: not verified
    cdef readonly object signers, verified

    def __init__(self):
        raise TypeError("a Batch comes from decode, decode_lines or decode_payloads")

    @property
    @cython.critical_section  # without the GIL two threads may meet here
    def updates(self):
        """ndarray[UPDATE_DTYPE], shape (n,): one row per asset and message."""
        if self._updates is None and self._out.columnar:
            self._updates = self.join()
        elif self._updates is None:
            self._updates = view_of(
                self._buffers, UPDATES, self._out.updates.data, self._out.n_updates)
        return self._updates

    cdef cnp.ndarray join(self):
        cdef cnp.ndarray rows = np.empty(self._out.n_updates, UPDATES)
        cdef codec_update *data = <codec_update *>cnp.PyArray_DATA(rows)
        with nogil:
            codec_columns_join(data, &self._out)
        return rows

    @property
    @cython.critical_section
    def columns(self):
        """The updates as `Columns`."""
        if self._columns is None and self._out.columnar:
            self._columns = columns_new(self.column_memory(), &self._out)
        elif self._columns is None:
            self._columns = columns_split(
                <const codec_update *>self._out.updates.data, self._out.n_updates)
        return self._columns

    cdef Buffers column_memory(self):
        """The columns' owner: who keeps them, in a table, keeps no payloads then."""
        if self._column_memory is None and self.is_owner:
            self._column_memory = Buffers.__new__(Buffers)
            for i in range(CODEC_N_COLUMNS):
                self._column_memory.out.columns[i] = self._buffers.out.columns[i]
                self._buffers.out.columns[i] = codec_buffer(NULL, 0)
        return self._column_memory if self.is_owner else self._buffers

    def own_columns(self):
        """The updates as `Columns` that no other call overwrites."""
        if not self._out.columnar:
            return columns_split(
                <const codec_update *>self._out.updates.data, self._out.n_updates)
        if self.is_owner:
            return self.columns
        cdef Buffers buffers = Buffers.__new__(Buffers)
        cdef codec_output updates = self._out
        cdef int status
        updates.n_messages = updates.payloads_len = updates.n_errors = 0
        with nogil:
            status = codec_output_copy(&buffers.out, &updates)
        if status:
            raise MemoryError
        return columns_new(buffers, &buffers.out)

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
    batch.is_owner = True
    return batch
