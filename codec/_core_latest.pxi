# The newest update of every asset: look-ups for trading code, and arrays.

cdef int asset_id_of(object asset_id) except -1:
    cdef Py_ssize_t i = PyNumber_AsSsize_t(asset_id, <PyObject *>IndexError)
    if not 0 <= i < CODEC_N_ASSETS:
        raise IndexError(f"an asset id is in 0 .. 65535, not {i}")
    return <int>i


cdef object int_of(codec_value value):
    if value.hi == <int64_t>value.lo >> 63:
        return PyLong_FromLongLong(<int64_t>value.lo)
    return PyLong_FromLongLong(value.hi) << 64 | value.lo


cdef double float_of(codec_value value) noexcept nogil:
    cdef double number
    codec_values_to_double(&number, <const uint8_t *>&value, 1, sizeof(value))
    return number


@cython.final
@cython.freelist(16)
cdef class Latest:
    """An asset's newest update, as it was when it was looked up.

    value: the exact integer, scaled by 10^18. price: value / 10^18 as float, correctly
    rounded. market_status: 0 closed, 1 regular, 2 extended, 3 after hours; None: none.
    """

    cdef codec_update _update

    def __init__(self):
        raise TypeError("a Latest comes from a LatestTable")

    @property
    def taxonomy_id(self):
        return self._update.taxonomy_id

    @property
    def asset_id(self):
        return self._update.asset_id

    @property
    def timestamp_ns(self):
        """Unix ns."""
        return self._update.timestamp_ns

    @property
    def value(self):
        """The exact integer, scaled by 10^18."""
        return int_of(self._update.value)

    @property
    def price(self):
        """value / 10^18, correctly rounded."""
        return float_of(self._update.value)

    @property
    def market_status(self):
        """0 closed, 1 regular, 2 extended, 3 after hours; None: none."""
        cdef uint8_t status = self._update.market_status
        return None if status == 255 else status

    cdef tuple fields(self):
        return (self.taxonomy_id, self.asset_id, self.timestamp_ns, self.value,
                self.market_status)

    def __eq__(self, other):
        if not isinstance(other, Latest):
            return NotImplemented
        return self.fields() == (<Latest>other).fields()

    def __hash__(self):
        return hash(self.fields())

    def __reduce__(self):
        return latest_from, ((<char *>&self._update)[:sizeof(codec_update)],)

    def __repr__(self):
        return (
            f"Latest(taxonomy_id={self.taxonomy_id}, asset_id={self.asset_id},"
            f" timestamp_ns={self.timestamp_ns}, value={self.value},"
            f" market_status={self.market_status})"
        )


def latest_from(bytes row not None):
    """The Latest of a pickle."""
    cdef Latest latest = Latest.__new__(Latest)
    if PyBytes_GET_SIZE(row) != sizeof(codec_update):
        raise ValueError("no row of a Latest")
    memcpy(&latest._update, PyBytes_AS_STRING(row), sizeof(codec_update))
    return latest


cdef class LatestBase:
    """The newest updates; codec.latest.LatestTable adds what needs no C.

    taxonomy_id: -1 for that of the first update.
    """

    cdef codec_latest *latest
    cdef int _wanted
    cdef busy_flag busy

    def __cinit__(self, int taxonomy_id):
        busy_leave(&self.busy)
        self._wanted = taxonomy_id
        self.latest = <codec_latest *>PyMem_Calloc(1, sizeof(codec_latest))
        if self.latest == NULL or codec_latest_init(self.latest):
            raise MemoryError
        self.expect(taxonomy_id)

    def __dealloc__(self):
        if self.latest != NULL:
            codec_latest_release(self.latest)
            PyMem_Free(self.latest)

    cdef int expect(self, int taxonomy_id) noexcept:
        self.latest.has_taxonomy = taxonomy_id >= 0
        self.latest.taxonomy_id = <uint16_t>taxonomy_id

    cdef int enter(self) except -1:
        if not busy_enter(&self.busy):
            raise RuntimeError("this LatestTable is in the middle of another call")
        return 0

    def update(self, updates):
        """Takes updates in; returns how many became their asset's row.

        updates: a Batch, or a 1-D array of UPDATE_DTYPE. In order, each becomes the row
        of its asset, unless its timestamp is before the row's (counted in `n_late`), or
        its taxonomy is not the table's (`n_foreign`). Raises RuntimeError where another
        thread is writing at the same time, TypeError for anything else.
        """
        cdef row_span span
        updates_span(updates, &span)
        self.enter()
        cdef uint64_t left_out = self.latest.n_late + self.latest.n_foreign
        # Small ones are sooner done than the GIL given away and had again.
        if span.n * sizeof(codec_update) <= BLOCK_LEN:
            codec_latest_update(self.latest, span.data, span.n, span.stride)
        else:
            with nogil:
                codec_latest_update(self.latest, span.data, span.n, span.stride)
        left_out = self.latest.n_late + self.latest.n_foreign - left_out
        busy_leave(&self.busy)
        return span.n - left_out

    def __getitem__(self, asset_id):
        cdef Latest found = Latest.__new__(Latest)
        if codec_latest_read(self.latest, asset_id_of(asset_id), &found._update):
            return found
        return None

    def price(self, asset_id):
        """value / 10^18 as float, correctly rounded; None for an unknown asset."""
        cdef codec_update update
        if codec_latest_read(self.latest, asset_id_of(asset_id), &update):
            return float_of(update.value)
        return None

    def exact(self, asset_id):
        """The exact value, scaled by 10^18; None for an unknown asset."""
        cdef codec_update update
        if codec_latest_read(self.latest, asset_id_of(asset_id), &update):
            return int_of(update.value)
        return None

    def __contains__(self, asset_id):
        cdef Py_ssize_t i = PyNumber_AsSsize_t(asset_id, NULL)  # clips
        return 0 <= i < CODEC_N_ASSETS and self.latest.known[i] != 0

    def __iter__(self):
        return iter(np.flatnonzero(self.known).tolist())

    def __len__(self):
        return self.latest.n_known

    @property
    def taxonomy_id(self):
        """The one whose assets these are; None: that of the first update to come."""
        return self.latest.taxonomy_id if self.latest.has_taxonomy else None

    @property
    def n_late(self):
        """Updates left out because their asset had a later timestamp already."""
        return self.latest.n_late

    @property
    def n_foreign(self):
        """Updates left out because they were of another taxonomy."""
        return self.latest.n_foreign

    cdef cnp.ndarray rows(self):
        cdef cnp.ndarray array = view_of(
            self, UPDATES, <uint8_t *>self.latest.rows, CODEC_N_ASSETS)
        cnp.PyArray_CLEARFLAGS(array, cnp.NPY_ARRAY_WRITEABLE)
        return array

    @property
    def value(self):
        """By asset id: VALUE_DTYPE, shape (65536,), live, read-only; 0: none yet."""
        return self.rows()["value"]

    @property
    def timestamp_ns(self):
        """By asset id: uint64, shape (65536,), live, read-only; 0 where none yet."""
        return self.rows()["timestamp_ns"]

    @property
    def market_status(self):
        """By asset id: uint8, shape (65536,), live, read-only; 255: none."""
        return self.rows()["market_status"]

    @property
    def known(self):
        """By asset id, whether there was an update: bool, (65536,), live, read-only."""
        cdef cnp.ndarray array = view_of(
            self, BOOLS, self.latest.known, CODEC_N_ASSETS)
        cnp.PyArray_CLEARFLAGS(array, cnp.NPY_ARRAY_WRITEABLE)
        return array

    def clear(self):
        """Forgets all updates and counts, and the taxonomy unless it was given."""
        self.enter()
        codec_latest_clear(self.latest)
        self.expect(self._wanted)
        busy_leave(&self.busy)

    def snapshot_as(self, type batch_type not None):
        """The rows as a batch of this type (LatestTable.snapshot)."""
        cdef Buffers buffers = Buffers.__new__(Buffers)
        buffers.out.keep_payloads = True  # there are none, and none is missing
        if codec_latest_snapshot(self.latest, &buffers.out):
            raise MemoryError
        return batch_new(batch_type, buffers)

    @property
    def wanted(self):
        """The taxonomy that was given, or None."""
        return self._wanted if self._wanted >= 0 else None

    def restore(self, updates, taxonomy_id, uint64_t n_late, uint64_t n_foreign):
        """Makes a new table what another one was; copies and pickles call it."""
        if taxonomy_id is not None:
            self.expect(taxonomy_id)
        self.update(updates)
        self.latest.n_late, self.latest.n_foreign = n_late, n_foreign
