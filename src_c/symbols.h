/* What the reader and the checks of aggregator messages know of a table of names. */
#ifndef CODEC_SYMBOLS_H
#define CODEC_SYMBOLS_H

#include "internal.h"

typedef struct {
    uint64_t mark;       /* the last message in whose `data` it stood */
    uint32_t start, len; /* in `names` */
    uint32_t hash;
} codec_symbol;

static inline codec_symbol *symbol_at(const codec_symbols *symbols, size_t index) {
    return (codec_symbol *)(void *)symbols->rows.data + index;
}

/* Brings `encoded`, the keccak256 of each name, up to date. */
int codec_symbols_encode(codec_symbols *symbols);

#endif
