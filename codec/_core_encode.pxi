# The way back: payloads and frames.

cdef bint is_column(object column, cnp.dtype dtype):
    return (cnp.PyArray_CheckExact(column) and cnp.PyArray_NDIM(column) == 1
            and (<PyObject *>cnp.PyArray_DESCR(column) == <PyObject *>dtype
                 or (<cnp.ndarray>column).dtype == dtype))


cdef int uint_take(object number, uint64_t maximum, uint64_t *value) except -1:
    """1, and the value, for a Python int in 0 .. maximum."""
    cdef int overflow
    if not PyLong_CheckExact(number):
        return 0
    cdef long long small = PyLong_AsLongLongAndOverflow(number, &overflow)
    if overflow == 0:
        value[0] = <uint64_t>small
        return small >= 0 and <uint64_t>small <= maximum
    if overflow < 0 or maximum <= <uint64_t>INT64_MAX or number > maximum:
        return 0
    value[0] = number
    return 1


def payload_pack(asset_ids, values, timestamp_ns, taxonomy_id, statuses):
    """A payload whose 65 signature bytes are zero, or None where the arguments have to
    be checked and converted first: 1-D arrays of one length (uint16, VALUE_DTYPE, and
    uint8 or None), and two ints in range are what it takes."""
    cdef uint64_t time, taxonomy, taxonomy_max
    cdef bint with_status = statuses is not None
    if not (is_column(asset_ids, UINT16S) and is_column(values, VALUES)
            and (not with_status or is_column(statuses, BYTES))):
        return None
    cdef size_t n = cnp.PyArray_SIZE(asset_ids)
    taxonomy_max = 0xFFFF if with_status else 0xFEFF  # 0xFF.. would mark layout 2
    if (<size_t>cnp.PyArray_SIZE(values) != n
            or with_status and <size_t>cnp.PyArray_SIZE(statuses) != n
            or not uint_take(timestamp_ns, UINT64_MAX, &time)
            or not uint_take(taxonomy_id, taxonomy_max, &taxonomy)):
        return None
    cdef bytes payload = PyBytes_FromStringAndSize(
        NULL, codec_payload_len(n, with_status))
    cdef uint8_t *data = <uint8_t *>PyBytes_AS_STRING(payload)
    memset(data, 0, 65)
    codec_payload_pack(
        data, n, time, <uint16_t>taxonomy,
        <const uint8_t *>cnp.PyArray_DATA(asset_ids), cnp.PyArray_STRIDE(asset_ids, 0),
        <const uint8_t *>cnp.PyArray_DATA(values), cnp.PyArray_STRIDE(values, 0),
        <const uint8_t *>cnp.PyArray_DATA(statuses) if with_status else NULL,
        cnp.PyArray_STRIDE(statuses, 0) if with_status else 0)
    return payload


def frame_write(payload):
    """The compact JSON frame of a bytes-like payload."""
    cdef Py_buffer view
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        frame = PyBytes_FromStringAndSize(NULL, 32 + 2 * view.len)
        codec_frame_write(
            <uint8_t *>PyBytes_AS_STRING(frame), <const uint8_t *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return frame
