# cython: language_level=3, boundscheck=False, wraparound=False, binding=True
# cython: auto_pickle=False, embedsignature=False
"""From websocket frames to lines of memory: what every received message passes through.

A message becomes `<receive time, unix ns> <text>` and a line end, in a chunk of memory
that `codec.decode_lines` reads and a recorder writes as it is. No Python object is made
for a message. The types are in _listener.pyi.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcpy
from picows.picows cimport WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

import zlib
from collections import deque
from importlib.metadata import version as _version


cdef extern from *:
    const char *PICOWS_VERSION  # that this is built for, from setup.py


# The layout of picows' classes is compiled in here, and changes with its minor version.
BUILT_WITH = PICOWS_VERSION.decode()
if _version("picows").split(".")[:2] != BUILT_WITH.split(".")[:2]:
    raise ImportError(
        f"codec.feeds was built for picows {BUILT_WITH}, and picows"
        f" {_version('picows')} is installed: pip install 'stork-codec[feeds]'"
    )

cdef enum:
    PREFIX_MAX = 21  # 20 digits and a space
    TAIL_LEN = 4
cdef const char *TAIL = b"\x00\x00\xff\xff"  # ends a DEFLATE block, and is not sent
cdef size_t SMALL = 4096
cdef size_t SPARE = 4  # large blocks kept for the next chunks
# What one read brings is taken in although reading is to stop; compressed, that can be
# a thousand times as much as it was.
cdef size_t OVERRUN = 8 << 20


cdef class Lines:
    """Received messages, one `<receive ns> <text>` line each, in one piece of memory.

    A read-only buffer of bytes; `len()` counts bytes. What `Inbox.take` gives never
    changes any more.
    """

    cdef char *data
    cdef size_t size, capacity
    cdef readonly size_t n_lines
    cdef readonly int source  # which connection they came by
    cdef Inbox inbox

    def __cinit__(self, Inbox inbox, int source, size_t capacity):
        self.inbox = inbox
        self.source = source
        self.data = inbox.block_take(&capacity)
        self.capacity = capacity

    def __dealloc__(self):
        if self.inbox is not None:
            self.inbox.block_give(self.data, self.capacity)
        else:
            PyMem_RawFree(self.data)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.size, True, flags)

    cdef int resize(self, size_t capacity) except -1:
        cdef char *data = <char *>PyMem_RawRealloc(self.data, capacity)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.capacity = capacity
        return 0


cdef class Inbox:
    """What has arrived and has not been taken, by all connections of a feed.

    limit: bytes of messages that may wait. What happens beyond: "wait" stops reading
    from the sockets; "drop_oldest" forgets the oldest; "conflate" asks `conflate`, a
    callable that is given a list of Lines and returns (text, n_lines), which of them to
    keep. It must not raise.
    """

    cdef readonly size_t limit, size, n_lines
    cdef readonly size_t n_dropped, dropped_len  # messages, bytes, given up here
    cdef readonly bint paused
    cdef size_t chunk_len, threshold
    cdef object chunks, waiter, conflate, clock_ns, tap
    cdef Lines current
    cdef set listeners
    cdef bint dropping, large
    cdef char *blocks[4]
    cdef size_t n_blocks

    def __cinit__(self, str policy not None, size_t limit, *, clock_ns, conflate=None,
                  tap=None):
        if policy not in ("wait", "drop_oldest", "conflate"):
            raise ValueError(
                f"on_overflow is 'wait', 'drop_oldest' or 'conflate', not {policy!r}")
        self.limit = self.threshold = limit
        # A chunk is decoded in one call: what fits the caches with all that it gives,
        # and an eighth of what may wait, so that dropping is no coarser.
        self.chunk_len = max(min(limit // 8, <size_t>256 << 10), SMALL)
        self.dropping = policy == "drop_oldest"
        self.conflate = conflate if policy == "conflate" else None
        self.clock_ns = clock_ns
        self.tap = tap
        self.chunks = deque()
        self.listeners = set()

    def __dealloc__(self):
        while self.n_blocks:
            self.n_blocks -= 1
            PyMem_RawFree(self.blocks[self.n_blocks])

    cdef char *block_take(self, size_t *capacity) except NULL:
        cdef char *data
        if capacity[0] == self.chunk_len and self.n_blocks:
            self.n_blocks -= 1
            return self.blocks[self.n_blocks]
        data = <char *>PyMem_RawMalloc(capacity[0])
        if data == NULL:
            raise MemoryError
        return data

    cdef void block_give(self, char *data, size_t capacity) noexcept:
        if data != NULL and capacity == self.chunk_len and self.n_blocks < SPARE:
            self.blocks[self.n_blocks] = data
            self.n_blocks += 1
        else:
            PyMem_RawFree(data)

    cdef char *room(self, int source, size_t n) except NULL:
        """A place for n more bytes of a line; `commit` says how many were used."""
        cdef Lines lines = self.current
        cdef size_t capacity
        if (lines is None or lines.source != source
                or (lines.size and lines.size + n > self.chunk_len)):
            self.leave()
            capacity = self.chunk_len if self.large else SMALL
            lines = Lines.__new__(Lines, self, source, max(capacity, n))
            self.current = lines
            self.chunks.append(lines)
        elif lines.size + n > lines.capacity:
            capacity = max(2 * lines.capacity, lines.size + n)
            if capacity > self.chunk_len // 2:
                capacity = max(self.chunk_len, lines.size + n)
            lines.resize(capacity)
        return lines.data + lines.size

    cdef int leave(self) except -1:
        """Ends the current chunk. After a full one the next is likely to be full too.
        Where two connections take turns, each read is a chunk: it keeps what it needs.
        """
        cdef Lines lines = self.current
        if lines is not None:
            self.current = None
            self.large = lines.size > self.chunk_len // 2
            if lines.size < lines.capacity // 2:
                lines.resize(max(lines.size, <size_t>1))
        return 0

    cdef bint is_overrun(self):
        """Whether far more has come than may wait, so that stopping is not enough."""
        return self.paused and self.size > 2 * self.limit + OVERRUN

    cdef int commit(self, size_t n) except -1:
        self.current.size += n
        self.current.n_lines += 1
        self.size += n
        self.n_lines += 1
        if self.waiter is not None:
            self.wake()
        if self.size > self.threshold:
            self.overflow()
        return 0

    cdef int overflow(self) except -1:
        cdef Lines lines
        if self.dropping:
            while self.size > self.limit and len(self.chunks) > 1:
                lines = self.pop()
                self.n_dropped += lines.n_lines
                self.dropped_len += lines.size
        elif self.conflate is not None:
            self.shrink()
        elif not self.paused:
            self.paused = True
            for listener in self.listeners:
                (<Listener>listener).reading(False)
        return 0

    cdef int shrink(self) except -1:
        """Has all that waits conflated into one chunk."""
        cdef Lines lines
        cdef list old = list(self.chunks)
        cdef bytes text
        cdef size_t before = self.size, n_before = self.n_lines
        for lines in old:
            self.tapped(lines)
        text, n_lines = self.conflate(old)
        self.chunks.clear()
        self.current = None
        self.size = self.n_lines = 0
        if n_lines:
            lines = Lines.__new__(Lines, self, -1, PyBytes_GET_SIZE(text))
            memcpy(lines.data, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
            self.size = lines.size = PyBytes_GET_SIZE(text)
            self.n_lines = lines.n_lines = n_lines
            self.chunks.append(lines)
        self.n_dropped += n_before - self.n_lines
        self.dropped_len += before - self.size
        # With very many assets even that may be large: it must double to be done again.
        self.threshold = max(self.limit, 2 * self.size)
        return 0

    cdef int tapped(self, Lines lines) except -1:
        if self.tap is not None and lines.source >= 0:
            self.tap(lines)
        return 0

    cdef Lines pop(self):
        cdef Lines lines = self.chunks.popleft()
        if lines is self.current:
            self.large = lines.size > self.chunk_len // 2
            self.current = None
        self.size -= lines.size
        self.n_lines -= lines.n_lines
        self.tapped(lines)
        return lines

    cdef int wake(self) except -1:
        waiter, self.waiter = self.waiter, None
        if not waiter.done():
            waiter.set_result(None)
        return 0

    def take(self):
        """The oldest chunk, or None. Reading goes on once half of the limit is free."""
        cdef Lines lines
        if not self.chunks:
            return None
        lines = self.pop()
        if not self.chunks:
            self.threshold = self.limit
        if self.paused and self.size <= self.limit // 2:
            self.paused = False
            for listener in self.listeners:
                (<Listener>listener).reading(True)
        return lines

    def wait(self, waiter):
        """Sets the future's result once something has arrived, or at once."""
        self.waiter = waiter
        if self.chunks:
            self.wake()


cdef class Listener(WSListener):
    """Hears one connection: assembles messages, puts them into the inbox.

    inbox: where messages go, as lines of the connection `source`. max_len: bytes of a
    message, after inflating. inflater: makes the object that inflates a message
    (zlib.decompressobj's interface), None where nothing was negotiated; takeover: one
    for all messages, not one for each. closed: a future, done when the connection is.

    Pings are answered here. A violation of RFC 6455 or 7692 ends the connection, and
    `failure` is (close code, what happened).
    """

    cdef readonly WSTransport transport
    cdef readonly int source
    cdef readonly uint64_t n_frames, n_messages, n_bytes, n_wire_bytes
    cdef readonly object failure  # (code, reason) of what we object to
    cdef readonly object close  # (code, reason) that the other side gave
    cdef readonly object closed
    cdef Inbox inbox
    cdef object inflater, inflate_object
    cdef size_t max_len
    cdef bint takeover, fresh, compressed, in_message
    cdef bytearray parts  # of a fragmented message
    cdef char prefix[PREFIX_MAX]
    cdef size_t prefix_len

    def __init__(self, Inbox inbox not None, int source, size_t max_len, closed,
                 inflater=None, bint takeover=True):
        self.inbox = inbox
        self.source = source
        self.max_len = max_len
        self.closed = closed
        self.inflater = inflater
        self.takeover = takeover
        self.fresh = True

    cpdef on_ws_connected(self, WSTransport transport):
        self.transport = transport
        self.inbox.listeners.add(self)
        if self.inbox.paused:
            self.reading(False)

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.inbox.listeners.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)

    cdef int reading(self, bint on) except -1:
        transport = self.transport.underlying_transport
        if not transport.is_closing():
            if on:
                transport.resume_reading()
            else:
                transport.pause_reading()
        return 0

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        self.n_frames += 1
        if self.failure is not None or self.close is not None:
            return
        try:
            self.receive(frame)
        except Exception as error:  # once, not for each frame that follows
            self.fail(1011, f"{type(error).__name__}: {error}")
        if frame.last_in_buffer:
            self.fresh = True  # the time of the next read is another one

    cdef int receive(self, WSFrame frame) except -1:
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and (
                self.inflater is None or frame.msg_type > WSMsgType.BINARY
                or frame.msg_type == WSMsgType.CONTINUATION)):
            self.fail(1002, "a reserved bit of a frame is set")
        elif frame.msg_type > WSMsgType.BINARY:
            self.control(frame)
        elif (frame.msg_type == WSMsgType.CONTINUATION) != self.in_message:
            self.fail(1002, "a fragment is missing" if self.in_message
                      else "a continuation of nothing")
        elif frame.fin and not self.in_message:
            self.message(frame.payload_ptr, frame.payload_size, frame.rsv1)
        else:
            self.fragment(frame)
        return 0

    cdef int control(self, WSFrame frame) except -1:
        if frame.msg_type == WSMsgType.PING:
            self.transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            self.close = (int(frame.get_close_code()), frame.get_close_reason() or "")
            self.transport.send_close(frame.get_close_code())
            self.transport.disconnect()
        return 0

    cdef int fragment(self, WSFrame frame) except -1:
        if not self.in_message:
            self.in_message = True
            self.compressed = frame.rsv1
            self.parts = bytearray()
        if PyByteArray_GET_SIZE(self.parts) + <size_t>frame.payload_size > self.max_len:
            return self.too_big()
        self.parts += <bytes>frame.payload_ptr[:frame.payload_size]
        if frame.fin:
            parts, self.parts, self.in_message = self.parts, None, False
            self.message(
                PyByteArray_AS_STRING(parts), PyByteArray_GET_SIZE(parts),
                self.compressed)
        return 0

    cdef int message(self, const char *data, size_t n, bint compressed) except -1:
        cdef bytes text
        self.n_wire_bytes += n
        if compressed:
            text = self.inflate(data, n)
            if text is None:
                return 0  # the connection ends
            data = PyBytes_AS_STRING(text)
            n = PyBytes_GET_SIZE(text)
        if n > self.max_len:
            return self.too_big()
        if self.fresh:
            self.stamp()
            self.fresh = False
        cdef char *line = self.inbox.room(self.source, PREFIX_MAX + n + 1)
        memcpy(line, self.prefix, self.prefix_len)
        line += self.prefix_len
        memcpy(line, data, n)
        line[n] = b"\n"
        if memchr(line, b"\n", n) != NULL:
            unbreak(line, n)
        self.n_messages += 1
        self.n_bytes += n
        self.inbox.commit(self.prefix_len + n + 1)
        if self.inbox.is_overrun():
            self.fail(1009, "one read brought far more than the queue holds")
        return 0

    cdef int stamp(self) except -1:
        """Notes the time, once for all frames that one read has brought."""
        cdef uint64_t now = self.inbox.clock_ns()
        cdef char digits[20]
        cdef size_t n = 0
        while True:
            n += 1
            digits[20 - n] = <char>(48 + now % 10)  # "0"
            now //= 10
            if now == 0:
                break
        memcpy(self.prefix, digits + 20 - n, n)
        self.prefix[n] = b" "
        self.prefix_len = n + 1
        return 0

    cdef bytes inflate(self, const char *data, size_t n):
        """The text, or None where the message ends the connection."""
        cdef bytes packed = PyBytes_FromStringAndSize(NULL, n + TAIL_LEN)
        memcpy(PyBytes_AS_STRING(packed), data, n)
        memcpy(PyBytes_AS_STRING(packed) + n, TAIL, TAIL_LEN)
        if self.inflate_object is None or not self.takeover:
            self.inflate_object = self.inflater()
        try:
            # One byte more than allowed is enough to know.
            text = self.inflate_object.decompress(packed, self.max_len + 1)
        except zlib.error as error:
            self.fail(1007, f"a compressed message cannot be inflated: {error}")
            return None
        n = len(text)
        if n > self.max_len or self.inflate_object.unconsumed_tail:
            self.too_big()
            return None
        if self.inflate_object.eof and self.takeover:
            self.fail(1007, "a compressed message ends the stream of all messages")
            return None
        return text

    cdef int too_big(self) except -1:
        return self.fail(1009, f"a message of more than {self.max_len} bytes")

    cdef int fail(self, int code, str reason) except -1:
        self.failure = (code, reason)
        self.parts = None
        self.transport.send_close(<WSCloseCode>code)
        self.transport.disconnect()
        return 0


cdef void unbreak(char *text, size_t n) noexcept:
    """Line ends inside a message become CR: white space for JSON as they are, and as
    little allowed inside strings."""
    cdef char *at = text
    while True:
        at = <char *>memchr(at, b"\n", n - (at - text))
        if at == NULL:
            return
        at[0] = b"\r"
