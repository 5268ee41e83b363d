/* Buffers that grow: small ones from malloc, large ones from mappings on huge pages.
 *
 * The pages of a fresh mapping cost more than decoding into them (a fault, and a zeroed
 * page, for each): released mappings are therefore kept, up to STOCK_BYTES, and used
 * again. The system may take the pages of kept ones away when memory is short. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define STOCK_SLOTS 256
#define STOCK_BYTES ((size_t)256 << 20)

static struct {
    atomic_flag busy;
    size_t n, bytes;
    codec_buffer slots[STOCK_SLOTS]; /* the oldest first */
} stock = {.busy = ATOMIC_FLAG_INIT};

/* Nobody waits for the stock: where it is busy (in a forked child perhaps for ever) the
 * system's own memory serves. */
static bool stock_enter(void) {
    return !atomic_flag_test_and_set_explicit(&stock.busy, memory_order_acquire);
}

static void stock_leave(void) {
    atomic_flag_clear_explicit(&stock.busy, memory_order_release);
}

static codec_buffer stock_remove(size_t i) {
    codec_buffer buffer = stock.slots[i];
    stock.n--;
    stock.bytes -= buffer.capacity;
    memmove(stock.slots + i, stock.slots + i + 1, (stock.n - i) * sizeof buffer);
    return buffer;
}

/* The smallest kept mapping that has the capacity and is not far too large. */
static bool stock_take(codec_buffer *buffer, size_t capacity) {
    if (!stock_enter())
        return false;
    size_t best = STOCK_SLOTS;
    for (size_t i = 0; i < stock.n; i++) {
        size_t has = stock.slots[i].capacity;
        if (has >= capacity && has / 2 <= capacity &&
            (best == STOCK_SLOTS || has < stock.slots[best].capacity))
            best = i;
    }
    if (best < STOCK_SLOTS)
        *buffer = stock_remove(best);
    stock_leave();
    return best < STOCK_SLOTS;
}

/* Keeps a mapping; older ones make room for it, so that sizes that nobody asks for any
 * more do not stay. */
static bool stock_put(codec_buffer buffer) {
    if (buffer.capacity > STOCK_BYTES || !stock_enter())
        return false;
    while (stock.n == STOCK_SLOTS || stock.bytes + buffer.capacity > STOCK_BYTES) {
        codec_buffer oldest = stock_remove(0);
        munmap(oldest.data, oldest.capacity);
    }
    stock.slots[stock.n++] = buffer;
    stock.bytes += buffer.capacity;
    stock_leave();
    return true;
}

/* Whole huge pages where the capacity is worth some, else eighths of a power of two, so
 * that sizes that differ a little fit one another's kept mappings. */
static size_t round_up(size_t capacity) {
    size_t unit = HUGE_PAGE;
    if (capacity < 4 * HUGE_PAGE) {
        unit = (size_t)1 << (63 - __builtin_clzll(capacity)) >> 3;
        if (unit < 4096)
            unit = 4096;
    }
    return (capacity + unit - 1) & ~(unit - 1);
}

static uint8_t *map(size_t capacity) {
    size_t extra = capacity >= HUGE_PAGE ? HUGE_PAGE : 0;
    uint8_t *data = mmap(NULL, capacity + extra, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return NULL;
    if (extra) {
        size_t before = -(uintptr_t)data & (HUGE_PAGE - 1);
        if (before)
            munmap(data, before);
        data += before;
        if (extra > before)
            munmap(data + capacity, extra - before);
#ifdef MADV_HUGEPAGE
        madvise(data, capacity, MADV_HUGEPAGE);
#endif
    }
    return data;
}

static int grow_mapped(codec_buffer *buffer, size_t used, size_t capacity) {
    capacity = round_up(capacity);
    codec_buffer grown = {NULL, 0};
#ifdef MREMAP_MAYMOVE
    if (buffer->capacity >= HUGE_PAGE) { /* moves page tables, copies nothing */
        void *data = mremap(buffer->data, buffer->capacity, capacity, MREMAP_MAYMOVE);
        if (data == MAP_FAILED)
            return CODEC_NO_MEMORY;
        madvise(data, capacity, MADV_HUGEPAGE);
        *buffer = (codec_buffer){data, capacity};
        return 0;
    }
#endif
    if (!stock_take(&grown, capacity)) {
        grown.data = map(capacity);
        grown.capacity = capacity;
        if (!grown.data)
            return CODEC_NO_MEMORY;
    }
    if (used)
        memcpy(grown.data, buffer->data, used);
    codec_buffer_release(buffer);
    *buffer = grown;
    return 0;
}

int codec_buffer_reserve(codec_buffer *buffer, size_t used, size_t capacity) {
    if (capacity <= buffer->capacity)
        return 0;
    if (buffer->capacity && capacity < buffer->capacity + buffer->capacity / 2)
        capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity > PTRDIFF_MAX - HUGE_PAGE)
        return CODEC_NO_MEMORY;
    if (capacity >= CODEC_MAP_MIN)
        return grow_mapped(buffer, used, capacity);
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return CODEC_NO_MEMORY;
    *buffer = (codec_buffer){data, capacity};
    return 0;
}

void codec_buffer_trim(codec_buffer *buffer, size_t used) {
    size_t keep = used ? (used + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : HUGE_PAGE;
    if (buffer->capacity / 2 <= keep)
        return;
    munmap(buffer->data + keep, buffer->capacity - keep);
    buffer->capacity = keep;
}

void codec_buffer_release(codec_buffer *buffer) {
    if (buffer->capacity < CODEC_MAP_MIN) {
        free(buffer->data);
    } else {
#ifdef MADV_FREE
        if (buffer->capacity >= HUGE_PAGE)
            madvise(buffer->data, buffer->capacity, MADV_FREE);
#endif
        if (!stock_put(*buffer))
            munmap(buffer->data, buffer->capacity);
    }
    *buffer = (codec_buffer){NULL, 0};
}
