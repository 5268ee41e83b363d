# Signers whose keys are known: tables, and the ways of calculating with them.

def verify_paths():
    """Names of the ways to verify by known keys that this machine has, best first."""
    cdef const char *name
    names = []
    while codec_known_path_at(len(names), &name) != NULL:
        names.append(name.decode())
    return tuple(names)


cdef class Points:
    """The multiples of a public key that windows of so many bits (2 to 16) ask for.

    key: 64 bytes, x and y, big-endian, a point of the curve.
    """

    cdef codec_points table
    cdef codec_buffer memory
    cdef object __weakref__

    def __cinit__(self, bytes key not None, unsigned window):
        cdef const uint8_t *xy = <const uint8_t *>PyBytes_AS_STRING(key)
        cdef int status
        if PyBytes_GET_SIZE(key) != 64 or not 2 <= window <= 16:
            raise ValueError("64 bytes of a key and a window of 2 to 16 are needed")
        with nogil:
            status = codec_points_make(&self.table, &self.memory, window, xy)
        if status:
            raise MemoryError

    def __dealloc__(self):
        codec_points_free(&self.memory)

    @property
    def window(self):
        """Bits of a window."""
        return self.table.window

    @property
    def nbytes(self):
        """Bytes of the points."""
        return 64 * (<size_t>self.table.n_rows << (self.table.window - 1))


cdef class KnownKeys:
    """Signers with their tables, and the path that calculates with them.

    keys: of each signer its address, and the tables of the generator and of its key, of
    one window.
    """

    cdef const void *path
    cdef codec_known_key *keys
    cdef size_t n
    cdef tuple owners

    def __cinit__(self, str path not None, tuple keys not None):
        cdef Points g, q
        cdef bytes address
        cdef size_t i
        paths = verify_paths()
        if path not in paths:
            raise ValueError(f"this machine cannot verify by {path!r}")
        cdef const char *name
        self.path = codec_known_path_at(paths.index(path), &name)
        self.n = len(keys)
        self.keys = <codec_known_key *>PyMem_Malloc(self.n * sizeof(codec_known_key))
        if self.keys == NULL:
            raise MemoryError
        for i in range(self.n):
            address, g, q = keys[i]
            if len(address) != 20 or g.table.window != q.table.window:
                raise ValueError("an address and two tables of one window are needed")
            memcpy(self.keys[i].address, PyBytes_AS_STRING(address), 20)
            self.keys[i].g = &g.table
            self.keys[i].q = &q.table
        self.owners = keys

    def __dealloc__(self):
        PyMem_Free(self.keys)
