# Input: where messages lie in the memory of Python objects.

cdef bint bytes_take(object item, Py_buffer *view) except -1:
    """Takes the buffer of contiguous single bytes that an object gives, if it does."""
    try:
        PyObject_GetBuffer(item, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    except (BufferError, TypeError, ValueError):  # none, a strided or a released one
        return False
    if view.itemsize == 1 and (view.format == NULL or view.format[0] in b"Bbc"):
        return True
    PyBuffer_Release(view)
    return False


cdef int span_take(
    object item, bint binary, codec_span *span, Py_buffer *view
) except -1:
    """Notes where a message lies; 1 where `view` must be released afterwards."""
    cdef Py_ssize_t n
    if PyBytes_Check(item):
        span.data = <const uint8_t *>PyBytes_AS_STRING(item)
        span.len = PyBytes_GET_SIZE(item)
        return 0
    if PyUnicode_Check(item) and not binary:
        try:
            span.data = <const uint8_t *>PyUnicode_AsUTF8AndSize(item, &n)
            span.len = n
        except UnicodeEncodeError as error:
            span.data = NULL
            n = len(str.__getitem__(item, slice(error.start)).encode())
            span.len = <size_t>n << 8 | CODEC_ERROR_INVALID_UTF8
        return 0
    span.data = NULL
    span.len = CODEC_ERROR_PYTHON_TYPE
    if not PyByteArray_Check(item) and not PyMemoryView_Check(item):
        return 0
    if not bytes_take(item, view):
        return 0
    span.data = <const uint8_t *>view.buf if view.buf != NULL else NOTHING
    span.len = view.len
    return 1


cdef int refuse_own(const codec_span *span, codec_buffer own_arena) except -1:
    """Payloads out of a Decoder's own last result would be overwritten."""
    if own_arena.data <= span.data < own_arena.data + own_arena.capacity:
        raise ValueError(
            "the input is a view of this Decoder's own last result, which this call"
            " overwrites: copy() the batch first"
        )
    return 0


cdef class Spans:
    """The places of up to `capacity` messages, whose buffers it holds."""

    cdef codec_span *spans
    cdef Py_buffer *views
    cdef size_t capacity, n, n_views
    cdef codec_buffer own_arena  # a Decoder's last result: no message may lie there

    def __cinit__(self, size_t capacity):
        self.spans = <codec_span *>PyMem_Malloc(capacity * sizeof(codec_span))
        self.capacity = capacity
        if self.spans == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.clear()
        PyMem_Free(self.spans)
        PyMem_Free(self.views)

    cdef void clear(self) noexcept:
        while self.n_views:
            self.n_views -= 1
            PyBuffer_Release(&self.views[self.n_views])
        self.n = 0

    cdef int fill(self, tuple items, size_t start, size_t stop, bint binary) except -1:
        cdef size_t i
        cdef Py_buffer view
        self.clear()
        for i in range(start, stop):
            if span_take(<object>PyTuple_GET_ITEM(items, i), binary,
                         &self.spans[self.n], &view):
                if self.views == NULL:
                    self.views = <Py_buffer *>PyMem_Malloc(
                        self.capacity * sizeof(Py_buffer))
                    if self.views == NULL:
                        PyBuffer_Release(&view)
                        raise MemoryError
                self.views[self.n_views] = view
                self.n_views += 1
                refuse_own(&self.spans[self.n], self.own_arena)
            self.n += 1
        return 0

    cdef size_t total_len(self):
        cdef size_t i, total = 0
        for i in range(self.n):
            if self.spans[i].data != NULL:
                total += self.spans[i].len
        return total


cdef bint is_one(object messages):
    return (PyBytes_Check(messages) or PyUnicode_Check(messages)
            or PyByteArray_Check(messages) or PyMemoryView_Check(messages))


cdef tuple messages_tuple(object messages):
    """All of an iterable, held so that nobody can take a message away."""
    if isinstance(messages, Mapping) or not hasattr(messages, "__iter__"):
        raise TypeError(
            "one message (bytes, bytearray, memoryview or str) or an iterable of them"
            f" is needed, not {type(messages).__name__}"
        )
    return tuple(messages)
