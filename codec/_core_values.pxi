# int128 values as Python's and numpy's numbers, and back.

def values_to_float(cnp.ndarray values not None):
    """Correctly rounded value / 10^18 of a 1-D array of VALUE_DTYPE, as float64."""
    if not is_column(values, VALUES):
        raise TypeError("values must be a 1-D array of VALUE_DTYPE")
    cdef size_t n = cnp.PyArray_SIZE(values)
    cdef cnp.ndarray result = np.empty(n)
    cdef double *dst = <double *>cnp.PyArray_DATA(result)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    with nogil:
        codec_values_to_double(dst, src, n, stride)
    return result


def values_to_int(cnp.ndarray values not None):
    """Exact Python ints of a 1-D array of VALUE_DTYPE, in an object array."""
    if not is_column(values, VALUES):
        raise TypeError("values must be a 1-D array of VALUE_DTYPE")
    cdef size_t i, n = cnp.PyArray_SIZE(values)
    cdef cnp.ndarray result = np.empty(n, dtype=object)
    cdef PyObject **dst = <PyObject **>cnp.PyArray_DATA(result)
    cdef const uint8_t *src = <const uint8_t *>cnp.PyArray_DATA(values)
    cdef ptrdiff_t stride = cnp.PyArray_STRIDE(values, 0)
    cdef codec_value value
    for i in range(n):
        memcpy(&value, src + <ptrdiff_t>i * stride, sizeof(value))
        if value.hi == <int64_t>value.lo >> 63:
            number = PyLong_FromLongLong(<int64_t>value.lo)
        else:
            number = PyLong_FromLongLong(value.hi) << 64 | value.lo
        object_store(&dst[i], number)
    return result


cdef object index_at(object number, size_t i):
    try:
        return index(number)
    except TypeError:
        raise TypeError(i, number) from None


def values_from_ints(values):
    """A sequence of ints as an array of VALUE_DTYPE.

    Raises OverflowError with the index of the first beyond int128, TypeError with that
    of the first that is no integer."""
    cdef list items = list(values)
    cdef size_t i, n = len(items)
    cdef cnp.ndarray result = np.empty(n, VALUES)
    cdef codec_value *dst = <codec_value *>cnp.PyArray_DATA(result)
    cdef int overflow
    cdef long long small
    for i in range(n):
        number = items[i]
        if not PyLong_CheckExact(number):
            number = index_at(number, i)
        small = PyLong_AsLongLongAndOverflow(number, &overflow)
        if overflow == 0:
            dst[i].lo = <uint64_t>small
            dst[i].hi = small >> 63
            continue
        dst[i].lo = PyLong_AsUnsignedLongLongMask(number)
        dst[i].hi = PyLong_AsLongLongAndOverflow(number >> 64, &overflow)
        if overflow:
            raise OverflowError(i, number)
    return result


def uints_from_ints(values, cnp.dtype dtype not None):
    """A sequence of ints as an array of uint16 or uint8.

    Raises OverflowError with the index of the first that does not fit, TypeError with
    that of the first that is no integer."""
    cdef list items = list(values)
    cdef size_t i, n = len(items)
    cdef cnp.ndarray result = np.empty(n, dtype)
    cdef bint wide = cnp.PyArray_ITEMSIZE(result) == 2
    cdef uint8_t *dst = <uint8_t *>cnp.PyArray_DATA(result)
    cdef uint64_t value
    for i in range(n):
        number = items[i]
        if not PyLong_CheckExact(number):
            number = index_at(number, i)
        if not uint_take(number, 0xFFFF if wide else 0xFF, &value):
            raise OverflowError(i, number)
        if wide:
            (<uint16_t *>dst)[i] = <uint16_t>value
        else:
            dst[i] = <uint8_t>value
    return result
