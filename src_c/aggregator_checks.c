/* What the aggregator's messages say of themselves: hashes, compared with our own.
 *
 * Everything is hashed for all rows at once, several inputs at a time. */
#include "symbols.h"

/* Inputs at a time: enough for keccak's lanes, few enough for the cache. */
#define CHUNK 64
/* Fewer are sooner hashed one by one than in lanes that mostly stay empty. */
#define LANES_MIN 5
#define NUMBERS_LEN 64 /* a time and a price, 32 bytes each, big-endian */
#define AGGREGATE_LEN (20 + 32 + NUMBERS_LEN + 32 + 32)
#define EIP191_HEAD                                                                    \
    "\x19"                                                                             \
    "Ethereum Signed Message:\n32"
#define EIP191_LEN (sizeof EIP191_HEAD - 1 + 32)

/* Inputs of a chunk, and where their digests go. */
typedef struct {
    size_t n, len;
    size_t starts[CHUNK + 1];
    uint8_t *to[CHUNK];
    codec_buffer *memory;
    uint8_t digests[CHUNK][32];
} chunk;

static codec_aggregate *aggregates_of(const codec_aggregator *out) {
    return (codec_aggregate *)(void *)out->aggregates.data;
}
static codec_aggregate_signature *aggregate_signatures_of(const codec_aggregator *out) {
    return (codec_aggregate_signature *)(void *)out->aggregate_signatures.data;
}
static codec_publisher_price *publishers_of(const codec_aggregator *out) {
    return (codec_publisher_price *)(void *)out->publishers.data;
}
static codec_publisher_signature *publisher_signatures_of(const codec_aggregator *out) {
    return (codec_publisher_signature *)(void *)out->publisher_signatures.data;
}

/* Whether there is a signature that can be checked. */
static bool is_checked(const codec_aggregate *row) {
    return row->signature_type == CODEC_SIGNATURE_EVM &&
           row->signature != CODEC_ERROR_UNSIGNED;
}

/* uint256 of the time and int256 of the price. */
static void numbers_write(uint8_t dst[NUMBERS_LEN], uint64_t time, codec_value price) {
    memset(dst, 0, 24);
    store_be64(dst + 24, time);
    memset(dst + 32, price.hi < 0 ? 0xFF : 0, 16);
    store_be64(dst + 48, (uint64_t)price.hi);
    store_be64(dst + 56, price.lo);
}

static void chunk_hash(chunk *c) {
    codec_span spans[CHUNK];
    for (size_t i = 0; i < c->n; i++) {
        spans[i] = (codec_span){c->memory->data + c->starts[i],
                                c->starts[i + 1] - c->starts[i]};
        if (c->n < LANES_MIN)
            codec_keccak256(c->digests[i], spans[i].data, spans[i].len);
    }
    if (c->n >= LANES_MIN)
        codec_keccak256_many(c->digests[0], spans, c->n);
    for (size_t i = 0; i < c->n; i++)
        memcpy(c->to[i], c->digests[i], 32);
    c->n = 0;
}

/* Room for an input of len bytes whose digest goes to `to`. NULL: no memory. */
static uint8_t *chunk_add(chunk *c, size_t len, uint8_t *to) {
    if (c->n == CHUNK)
        chunk_hash(c);
    size_t start = c->n ? c->starts[c->n] : 0;
    if (codec_buffer_reserve(c->memory, start, start + len))
        return NULL;
    c->starts[c->n] = start;
    c->starts[c->n + 1] = start + len;
    c->to[c->n++] = to;
    return c->memory->data + start;
}

/* What is hashed first: publishers' messages, to their leaves, and aggregates', to
 * where their digests will be. */
static int messages_hash(codec_aggregator *out, chunk *c) {
    codec_publisher_signature *signatures = publisher_signatures_of(out);
    for (size_t i = 0; i < out->n_publishers; i++) {
        const codec_publisher_price *row = publishers_of(out) + i;
        if (row->signature_type != CODEC_SIGNATURE_EVM)
            continue;
        codec_span name = codec_symbols_name(out->symbols, row->symbol);
        uint8_t *dst = chunk_add(c, 20 + name.len + NUMBERS_LEN, signatures[i].leaf);
        if (!dst)
            return CODEC_NO_MEMORY;
        memcpy(dst, row->publisher, 20);
        memcpy(dst + 20, name.data, name.len);
        numbers_write(dst + 20 + name.len, row->timestamp_ns / 1000000000, row->value);
    }
    for (size_t i = 0; i < out->n_aggregates; i++) {
        const codec_aggregate *row = aggregates_of(out) + i;
        codec_aggregate_signature *signature = aggregate_signatures_of(out) + i;
        if (!is_checked(row))
            continue;
        uint8_t *dst = chunk_add(c, AGGREGATE_LEN, signature->digest);
        if (!dst)
            return CODEC_NO_MEMORY;
        memcpy(dst, row->signer, 20);
        memcpy(dst + 20, signature->encoded_asset_id, 32);
        numbers_write(dst + 52, row->timestamp_ns, row->value);
        memcpy(dst + 116, signature->publisher_merkle_root, 32);
        memcpy(dst + 148, signature->checksum, 32);
    }
    chunk_hash(c);
    return 0;
}

static void hash_judge(uint8_t *status, const uint8_t claimed[32],
                       const uint8_t found[32]) {
    if (*status == 0 && memcmp(claimed, found, 32) != 0)
        *status = CODEC_ERROR_MISMATCH;
}

static int digest_add(chunk *c, const uint8_t hash[32], uint8_t *digest) {
    uint8_t *dst = chunk_add(c, EIP191_LEN, digest);
    if (!dst)
        return CODEC_NO_MEMORY;
    memcpy(dst, EIP191_HEAD, EIP191_LEN - 32);
    memcpy(dst + EIP191_LEN - 32, hash, 32);
    return 0;
}

/* The hashes are judged, and wrapped into what is signed. */
static int digests_hash(codec_aggregator *out, chunk *c) {
    for (size_t i = 0; i < out->n_publishers; i++) {
        codec_publisher_price *row = publishers_of(out) + i;
        codec_publisher_signature *signature = publisher_signatures_of(out) + i;
        if (row->signature_type != CODEC_SIGNATURE_EVM)
            continue;
        hash_judge(&row->msg_hash, signature->msg_hash, signature->leaf);
        if (digest_add(c, signature->leaf, signature->digest))
            return CODEC_NO_MEMORY;
    }
    for (size_t i = 0; i < out->n_aggregates; i++) {
        codec_aggregate *row = aggregates_of(out) + i;
        codec_aggregate_signature *signature = aggregate_signatures_of(out) + i;
        if (!is_checked(row))
            continue;
        hash_judge(&row->msg_hash, signature->msg_hash, signature->digest);
        hash_judge(&row->encoded_asset_id, signature->encoded_asset_id,
                   out->symbols->encoded.data + 32 * (size_t)row->symbol);
        if (digest_add(c, signature->digest, signature->digest))
            return CODEC_NO_MEMORY;
    }
    chunk_hash(c);
    return 0;
}

/* A tree that is being folded: its level is `n` hashes at `nodes`, which has room for
 * one more. */
typedef struct {
    uint8_t *nodes;
    size_t n;
} tree;

/* Folds every tree by a level; the hashes of a tree move to its start. */
static size_t trees_fold(chunk *c, tree *trees, size_t n_trees) {
    size_t n_left = 0;
    for (size_t i = 0; i < n_trees; i++) {
        tree *t = trees + i;
        if (t->n == 1)
            continue;
        if (t->n % 2)
            memcpy(t->nodes + 32 * t->n, t->nodes + 32 * (t->n - 1), 32);
        t->n = (t->n + 1) / 2;
        for (size_t k = 0; k < t->n; k++)
            memcpy(chunk_add(c, 64, t->nodes + 32 * k), t->nodes + 64 * k, 64);
        n_left += t->n > 1;
    }
    chunk_hash(c);
    return n_left;
}

/* Of aggregates with several publishers. */
static int roots_judge(codec_aggregator *out, chunk *c) {
    codec_aggregate *rows = aggregates_of(out);
    const codec_publisher_signature *leaves = publisher_signatures_of(out);
    size_t n_trees = 0, n_nodes = 0;
    for (size_t i = 0; i < out->n_aggregates; i++) {
        if (rows[i].merkle_root)
            continue;
        if (rows[i].publisher_count == 1) {
            hash_judge(&rows[i].merkle_root,
                       aggregate_signatures_of(out)[i].publisher_merkle_root,
                       leaves[rows[i].first_publisher].leaf);
            continue;
        }
        n_trees++;
        n_nodes += rows[i].publisher_count + 1;
    }
    if (!n_trees)
        return 0;
    codec_buffer memory = {NULL, 0};
    if (codec_buffer_reserve(c->memory, 0, CHUNK * 64) ||
        codec_buffer_reserve(&memory, 0, n_trees * sizeof(tree) + 32 * n_nodes))
        return CODEC_NO_MEMORY;
    tree *trees = (tree *)(void *)memory.data, *next = trees;
    uint8_t *nodes = memory.data + n_trees * sizeof(tree);
    for (size_t i = 0; i < out->n_aggregates; i++) {
        if (rows[i].merkle_root || rows[i].publisher_count == 1)
            continue;
        *next++ = (tree){nodes, rows[i].publisher_count};
        for (size_t k = 0; k < rows[i].publisher_count; k++, nodes += 32)
            memcpy(nodes, leaves[rows[i].first_publisher + k].leaf, 32);
        nodes += 32;
    }
    while (trees_fold(c, trees, n_trees))
        ;
    next = trees;
    for (size_t i = 0; i < out->n_aggregates; i++) {
        if (!rows[i].merkle_root && rows[i].publisher_count > 1)
            hash_judge(&rows[i].merkle_root,
                       aggregate_signatures_of(out)[i].publisher_merkle_root,
                       next++->nodes);
    }
    codec_buffer_release(&memory);
    return 0;
}

int codec_aggregator_check(codec_aggregator *out) {
    chunk c;
    c.n = 0;
    c.memory = &out->scratch;
    if (codec_symbols_encode(out->symbols) || messages_hash(out, &c) ||
        digests_hash(out, &c) || roots_judge(out, &c))
        return CODEC_NO_MEMORY;
    return 0;
}
