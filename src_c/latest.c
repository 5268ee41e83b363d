/* The newest update of every asset, in place.
 *
 * A row is four words. The last one holds ids and status as an update has them and, in
 * its padding, whether the asset is known, and a number that is odd while the row is
 * being written: who reads the same even number before and after has the whole row.
 *
 * One row of 32 bytes is half a cache line. Arrays of their own for values, timestamps
 * and states, three lines an asset, are slower from 1,000 assets on
 * (docs/performance.md). */
#include <sched.h>

#include "internal.h"
#include "tables.h"

#define KNOWN (1ULL << 40)
#define WRITES (1ULL << 48) /* what one more write adds */
#define PLAIN (KNOWN - 1)   /* the bits that are an update's own */
#define NO_STATUS (255ULL << 32)
/* A reader looks again so many times, with pauses; only of a writer that is gone (in a
 * forked child) it then takes what is there. */
#define LOOKS_MAX (1 << 20)
/* How far ahead updates are asked for: without it, those in memory take a quarter
 * longer where the rows of 1,000 assets push them out of the first cache. */
#define ROWS_AHEAD 128

typedef struct {
    uint64_t words[4];
} row;

_Static_assert(sizeof(row) == sizeof(codec_update), "a row is an update");

static inline row *row_of(const codec_latest *latest, size_t asset_id) {
    return (row *)(void *)latest->rows + asset_id;
}

static inline bool is_known(const codec_latest *latest, size_t asset_id) {
    return __atomic_load_n(&latest->known[asset_id], __ATOMIC_RELAXED);
}

/* `before`: the row's last word; `last`: the new one, without the number of writes. */
static inline void row_write(row *to, uint64_t before, uint64_t lo, uint64_t hi,
                             uint64_t timestamp_ns, uint64_t last) {
    __atomic_store_n(&to->words[3], before + WRITES, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&to->words[0], lo, __ATOMIC_RELAXED);
    __atomic_store_n(&to->words[1], hi, __ATOMIC_RELAXED);
    __atomic_store_n(&to->words[2], timestamp_ns, __ATOMIC_RELAXED);
    last |= (before & ~(WRITES - 1)) + 2 * WRITES;
    __atomic_store_n(&to->words[3], last, __ATOMIC_RELEASE);
}

static row row_read(const row *from) {
    row copy;
    for (int looks = 1;; looks++) {
        uint64_t before = __atomic_load_n(&from->words[3], __ATOMIC_ACQUIRE);
        for (int i = 0; i < 3; i++)
            copy.words[i] = __atomic_load_n(&from->words[i], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        copy.words[3] = __atomic_load_n(&from->words[3], __ATOMIC_RELAXED);
        if (CODEC_LIKELY(copy.words[3] == before && !(before & WRITES)))
            return copy;
        if (looks == LOOKS_MAX)
            return copy;
        if (looks % 1024 == 0)
            sched_yield();
    }
}

int codec_latest_init(codec_latest *latest) {
    /* A huge page where the system has one: aligned, and one entry of the TLB. */
    if (codec_buffer_reserve(&latest->memory, 0, CODEC_N_ASSETS * sizeof(row)))
        return CODEC_NO_MEMORY;
    latest->rows = (codec_update *)(void *)latest->memory.data;
    memset(latest->rows, 0, CODEC_N_ASSETS * sizeof(row));
    for (uint64_t id = 0; id < CODEC_N_ASSETS; id++)
        row_of(latest, id)->words[3] = id << 16 | NO_STATUS;
    return 0;
}

void codec_latest_release(codec_latest *latest) {
    codec_buffer_release(&latest->memory);
    latest->rows = NULL;
}

void codec_latest_clear(codec_latest *latest) {
    latest->n_known = latest->n_late = latest->n_foreign = 0;
    for (uint64_t id = 0; id < CODEC_N_ASSETS; id++) {
        row *to = row_of(latest, id);
        if (!is_known(latest, id))
            continue;
        __atomic_store_n(&latest->known[id], 0, __ATOMIC_RELAXED);
        row_write(to, to->words[3], 0, 0, 0, id << 16 | NO_STATUS);
    }
}

void codec_latest_update(codec_latest *latest, const uint8_t *updates, size_t n,
                         ptrdiff_t stride) {
    if (n && !latest->has_taxonomy) {
        latest->taxonomy_id = (uint16_t)load_le64(updates + 24);
        latest->has_taxonomy = 1;
    }
    const uint16_t taxonomy_id = latest->taxonomy_id;
    uint64_t n_late = 0, n_foreign = 0;
    for (size_t i = 0; i < n; i++, updates += stride) {
        uint64_t timestamp_ns = load_le64(updates + 16);
        uint64_t last = load_le64(updates + 24);
        __builtin_prefetch(updates + ROWS_AHEAD * stride);
        if (CODEC_UNLIKELY((uint16_t)last != taxonomy_id)) {
            n_foreign++;
            continue;
        }
        uint16_t id = (uint16_t)(last >> 16);
        row *to = row_of(latest, id);
        /* Of an unknown asset it is 0, which nothing is before. */
        if (CODEC_UNLIKELY(timestamp_ns < to->words[2])) {
            n_late++;
            continue;
        }
        uint64_t before = to->words[3];
        row_write(to, before, load_le64(updates), load_le64(updates + 8), timestamp_ns,
                  (last & PLAIN) | KNOWN);
        if (CODEC_UNLIKELY(!(before & KNOWN))) {
            __atomic_store_n(&latest->known[id], 1, __ATOMIC_RELAXED);
            __atomic_store_n(&latest->n_known, latest->n_known + 1, __ATOMIC_RELAXED);
        }
    }
    latest->n_late += n_late;
    latest->n_foreign += n_foreign;
}

/* False where the asset is unknown. */
static bool update_read(const codec_latest *latest, size_t asset_id,
                        codec_update *update) {
    row copy = row_read(row_of(latest, asset_id));
    bool found = copy.words[3] & KNOWN;
    copy.words[3] &= PLAIN;
    memcpy(update, &copy, sizeof copy);
    return found;
}

int codec_latest_read(const codec_latest *latest, uint16_t asset_id,
                      codec_update *update) {
    return update_read(latest, asset_id, update);
}

/* The rows of all known assets; false where there are more than `room`. */
static bool rows_read(const codec_latest *latest, codec_update *updates, size_t room,
                      size_t *n) {
    *n = 0;
    for (size_t id = 0; id < CODEC_N_ASSETS; id++) {
        if (id % 8 == 0 && !load_le64(latest->known + id)) {
            id += 7;
            continue;
        }
        if (!is_known(latest, id))
            continue;
        if (*n == room)
            return false;
        *n += update_read(latest, id, &updates[*n]);
    }
    return true;
}

int codec_latest_snapshot(const codec_latest *latest, codec_output *out) {
    size_t room = __atomic_load_n(&latest->n_known, __ATOMIC_RELAXED), n;
    for (;;) { /* again where more assets have become known meanwhile */
        if (output_reserve(out, &out->updates, 0, (room + 1) * sizeof(codec_update)))
            return CODEC_NO_MEMORY;
        if (rows_read(latest, (codec_update *)(void *)out->updates.data, room, &n))
            break;
        room = least(2 * room + 64, CODEC_N_ASSETS);
    }
    if (output_reserve(out, &out->messages, 0, (n + 1) * sizeof(codec_message)))
        return CODEC_NO_MEMORY;
    const codec_update *updates = (const codec_update *)(void *)out->updates.data;
    codec_message *messages = (codec_message *)(void *)out->messages.data;
    size_t n_messages = 0;
    for (size_t i = 0; i < n; i++) {
        if (!i || updates[i].timestamp_ns != updates[i - 1].timestamp_ns ||
            updates[i].taxonomy_id != updates[i - 1].taxonomy_id)
            messages[n_messages++] = (codec_message){
                .timestamp_ns = updates[i].timestamp_ns,
                .first_update = i,
                .taxonomy_id = updates[i].taxonomy_id,
            };
        messages[n_messages - 1].update_count++;
    }
    out->n_updates = n;
    out->n_messages = n_messages;
    codec_output_trim(out);
    return 0;
}
