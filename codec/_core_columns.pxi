# The memory of results, and updates as columns.

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


cdef class Columns:
    """Updates as arrays, a value of each for every update, in order.

    value: VALUE_DTYPE. timestamp_ns: uint64, unix ns. taxonomy_id, asset_id: uint16.
    market_status: uint8, 255 where the message has none. All are read-only: Arrow
    tables, which nobody may write to, look at the same memory.
    """

    cdef readonly cnp.ndarray value, timestamp_ns, taxonomy_id, asset_id, market_status
    # Whether a value may exceed 38 digits, or a timestamp 2^63 - 1.
    cdef readonly bint is_wide

    def __init__(self):
        raise TypeError("Columns come from a Batch")

    def __len__(self):
        return cnp.PyArray_SIZE(self.value)

    def __repr__(self):
        return f"<Columns: {len(self)} updates>"


cdef Columns columns_new(Buffers owner, const codec_output *out):
    """The columns that a columnar output has."""
    cdef Columns columns = Columns.__new__(Columns)
    cdef size_t n = out.n_updates
    cdef cnp.ndarray column
    columns.value = view_of(owner, VALUES, out.columns[CODEC_COLUMN_VALUE].data, n)
    columns.timestamp_ns = view_of(
        owner, UINT64S, out.columns[CODEC_COLUMN_TIMESTAMP].data, n)
    columns.taxonomy_id = view_of(
        owner, UINT16S, out.columns[CODEC_COLUMN_TAXONOMY].data, n)
    columns.asset_id = view_of(owner, UINT16S, out.columns[CODEC_COLUMN_ASSET].data, n)
    columns.market_status = view_of(
        owner, BYTES, out.columns[CODEC_COLUMN_STATUS].data, n)
    columns.is_wide = out.wide
    for column in (columns.value, columns.timestamp_ns, columns.taxonomy_id,
                   columns.asset_id, columns.market_status):
        cnp.PyArray_CLEARFLAGS(column, cnp.NPY_ARRAY_WRITEABLE)
    return columns


def columns_of(cnp.ndarray updates not None):
    """Columns, in memory of their own, of a 1-D array of UPDATE_DTYPE."""
    if not is_column(updates, UPDATES):
        raise TypeError("updates must be a 1-D array of UPDATE_DTYPE")
    cdef cnp.ndarray rows = np.require(updates, requirements="CA")
    cdef const codec_update *data = <const codec_update *>cnp.PyArray_DATA(rows)
    cdef size_t n = cnp.PyArray_SIZE(rows)
    return columns_split(data, n)


cdef Columns columns_split(const codec_update *rows, size_t n):
    cdef Buffers buffers = Buffers.__new__(Buffers)
    cdef int status
    with nogil:
        status = codec_output_split(&buffers.out, rows, n)
    if status:
        raise MemoryError
    return columns_new(buffers, &buffers.out)


def receive_times(cnp.ndarray messages not None, size_t n_updates):
    """receive_ns of messages (MESSAGE_DTYPE), for each of their updates: uint64, shape
    (n_updates,)."""
    if not is_column(messages, MESSAGES):
        raise TypeError("messages must be a 1-D array of MESSAGE_DTYPE")
    cdef cnp.ndarray rows = np.require(messages, requirements="CA")
    cdef cnp.ndarray times = np.empty(n_updates, np.uint64)
    cdef const codec_message *data = <const codec_message *>cnp.PyArray_DATA(rows)
    cdef size_t n = cnp.PyArray_SIZE(rows)
    cdef uint64_t *dst = <uint64_t *>cnp.PyArray_DATA(times)
    with nogil:
        codec_receive_times(dst, n_updates, data, n)
    return times


def mark_ids(cnp.ndarray marks not None, cnp.ndarray ids not None):
    """Makes marks[id] true for each of the ids: of a contiguous bool array of 65,536,
    and a 1-D array of uint16."""
    if not (is_column(marks, BOOLS) and cnp.PyArray_ISCARRAY(marks)
            and cnp.PyArray_SIZE(marks) == CODEC_N_ASSETS):
        raise TypeError("marks must be a contiguous bool array of 65,536")
    if not is_column(ids, UINT16S):
        raise TypeError("ids must be a 1-D array of uint16")
    cdef cnp.ndarray packed = np.require(ids, requirements="CA")
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(marks)
    cdef const uint16_t *data = <const uint16_t *>cnp.PyArray_DATA(packed)
    cdef size_t n = cnp.PyArray_SIZE(packed)
    with nogil:
        codec_marks_set(dst, data, n)
