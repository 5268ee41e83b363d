/* Names of assets by index: a table that grows at its end, and can be cut back there.
 *
 * Open addressing with linear probing. Names are taken out only in the reverse order in
 * which they came, so that a slot that is emptied breaks no other name's chain. */
#include "symbols.h"

#define SLOTS_MIN ((size_t)64)

static uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash(uint64_t seed, const uint8_t *name, size_t len) {
    const uint64_t odd = 0x9E3779B97F4A7C15ULL;
    uint64_t h = seed ^ len * odd;
    for (; len >= 8; len -= 8, name += 8)
        h = mix(h ^ load_le64(name), seed | 1);
    uint64_t last = 0;
    for (size_t i = 0; i < len; i++)
        last |= (uint64_t)name[i] << (8 * i);
    h = mix(h ^ last, odd ^ seed << 1);
    return (uint32_t)(h ^ h >> 32);
}

static bool is_name(const codec_symbols *symbols, uint32_t index, uint32_t h,
                    const uint8_t *name, size_t len) {
    const codec_symbol *row = symbol_at(symbols, index);
    return row->hash == h && row->len == len &&
           memcmp(symbols->names.data + row->start, name, len) == 0;
}

/* The slot of a name, or the empty one where it belongs. Slots hold an index and 1. */
static uint32_t *slot_find(const codec_symbols *symbols, uint32_t h,
                           const uint8_t *name, size_t len) {
    uint32_t *slots = (uint32_t *)(void *)symbols->slots.data;
    size_t mask = symbols->n_slots - 1, i = h & mask;
    while (slots[i] && !is_name(symbols, slots[i] - 1, h, name, len))
        i = (i + 1) & mask;
    return slots + i;
}

/* A table that is at most half full. */
static int slots_grow(codec_symbols *symbols) {
    size_t n_slots = symbols->n_slots ? 2 * symbols->n_slots : SLOTS_MIN;
    if (codec_buffer_reserve(&symbols->slots, 0, n_slots * sizeof(uint32_t)))
        return CODEC_NO_MEMORY;
    uint32_t *slots = (uint32_t *)(void *)symbols->slots.data;
    memset(slots, 0, n_slots * sizeof *slots);
    symbols->n_slots = n_slots;
    for (size_t k = 0; k < symbols->n; k++) {
        size_t i = symbol_at(symbols, k)->hash & (n_slots - 1);
        while (slots[i])
            i = (i + 1) & (n_slots - 1);
        slots[i] = (uint32_t)k + 1;
    }
    return 0;
}

int codec_symbols_find(const codec_symbols *symbols, const uint8_t *name, size_t len,
                       uint32_t *index) {
    if (!symbols->n_slots)
        return 0;
    uint32_t slot = *slot_find(symbols, hash(symbols->seed, name, len), name, len);
    *index = slot - 1;
    return slot != 0;
}

int codec_symbols_add(codec_symbols *symbols, const uint8_t *name, size_t len,
                      uint32_t *index) {
    if (2 * (symbols->n + 1) > symbols->n_slots && symbols->n < CODEC_SYMBOLS_MAX &&
        slots_grow(symbols))
        return CODEC_NO_MEMORY;
    uint32_t h = hash(symbols->seed, name, len);
    uint32_t *slot = slot_find(symbols, h, name, len);
    if (*slot) {
        *index = *slot - 1;
        return 0;
    }
    size_t n = symbols->n;
    if (n == CODEC_SYMBOLS_MAX || len > CODEC_SYMBOLS_LEN_MAX - symbols->names_len)
        return CODEC_ERROR_TOO_LARGE;
    if (codec_buffer_reserve(&symbols->names, symbols->names_len,
                             symbols->names_len + len + 1) ||
        codec_buffer_reserve(&symbols->rows, n * sizeof(codec_symbol),
                             (n + 1) * sizeof(codec_symbol)))
        return CODEC_NO_MEMORY;
    if (len)
        memcpy(symbols->names.data + symbols->names_len, name, len);
    *symbol_at(symbols, n) =
        (codec_symbol){0, (uint32_t)symbols->names_len, (uint32_t)len, h};
    symbols->names_len += len;
    symbols->n = n + 1;
    *slot = (uint32_t)n + 1;
    *index = (uint32_t)n;
    return 0;
}

codec_span codec_symbols_name(const codec_symbols *symbols, size_t index) {
    const codec_symbol *row = symbol_at(symbols, index);
    return (codec_span){symbols->names.data + row->start, row->len};
}

void codec_symbols_truncate(codec_symbols *symbols, size_t n) {
    uint32_t *slots = (uint32_t *)(void *)symbols->slots.data;
    while (symbols->n > n) {
        const codec_symbol *row = symbol_at(symbols, symbols->n - 1);
        size_t i = row->hash & (symbols->n_slots - 1);
        while (slots[i] != symbols->n)
            i = (i + 1) & (symbols->n_slots - 1);
        slots[i] = 0;
        symbols->names_len = row->start;
        symbols->n--;
    }
    symbols->n_encoded = least(symbols->n_encoded, symbols->n);
}

int codec_symbols_encode(codec_symbols *symbols) {
    codec_span spans[64];
    size_t n = symbols->n;
    if (symbols->n_encoded == n)
        return 0;
    if (codec_buffer_reserve(&symbols->encoded, symbols->n_encoded * 32, n * 32))
        return CODEC_NO_MEMORY;
    while (symbols->n_encoded < n) {
        size_t n_here = least(n - symbols->n_encoded, 64);
        for (size_t i = 0; i < n_here; i++)
            spans[i] = codec_symbols_name(symbols, symbols->n_encoded + i);
        codec_keccak256_many(symbols->encoded.data + 32 * symbols->n_encoded, spans,
                             n_here);
        symbols->n_encoded += n_here;
    }
    return 0;
}

void codec_symbols_release(codec_symbols *symbols) {
    codec_buffer_release(&symbols->names);
    codec_buffer_release(&symbols->rows);
    codec_buffer_release(&symbols->slots);
    codec_buffer_release(&symbols->encoded);
    *symbols = (codec_symbols){.seed = symbols->seed};
}
