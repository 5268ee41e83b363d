/* What an aggregator or a publisher signed, and its signature. */
#include "aggregator.h"

enum { R, S, V };
static const codec_object signature_object = {
    {KEY("r"), KEY("s"), KEY("v")}, 3, 0, 1U << R | 1U << S | 1U << V};

static bool signature_take(codec_reader *r, int depth, int key, void *context) {
    uint8_t *rsv = context;
    if (key == V)
        return codec_hex_read(r, depth, rsv + 64, 1, 1, HEX_PREFIX);
    return codec_hex_read(r, depth, rsv + 32 * key, 32, 32, HEX_PREFIX);
}

enum { SIGNATURE, TIMESTAMP, HASH };
static const codec_object stamped_object = {
    {KEY("signature"), KEY("timestamp"), KEY("msg_hash")},
    3,
    1U << SIGNATURE | 1U << TIMESTAMP,
    0};

static bool stamped_take(codec_reader *r, int depth, int key, void *context) {
    codec_stamped *stamped = context;
    switch (key) {
    case SIGNATURE:
        return object_read(r, depth, &signature_object, signature_take, stamped->rsv);
    case TIMESTAMP:
        return codec_time_read(r, depth, stamped->time_ns);
    default:
        if (reader_is_null(r))
            return true;
        stamped->has_hash = true;
        return codec_hex_read(r, depth, stamped->hash, 32, 32, HEX_PREFIX);
    }
}

bool codec_stamped_read(codec_reader *r, int depth, codec_stamped *stamped) {
    return object_read(r, depth, &stamped_object, stamped_take, stamped);
}

static const codec_object algorithm_object = {{KEY("checksum")}, 1, 0, 1};

static bool algorithm_take(codec_reader *r, int depth, int key, void *context) {
    (void)key;
    return codec_hex_read(r, depth, context, 32, 32, HEX_ANY);
}

enum { PUBLIC_KEY, ENCODED_ID, PRICE, STAMPED, ROOT, ALGORITHM };
static const codec_object stork_object = {
    {KEY("public_key"), KEY("encoded_asset_id"), KEY("price"),
     KEY("timestamped_signature"), KEY("publisher_merkle_root"),
     KEY("calculation_alg")},
    6,
    1U << PRICE | 1U << STAMPED,
    1U << PUBLIC_KEY | 1U << ENCODED_ID | 1U << ROOT | 1U << ALGORITHM};

static bool stork_take(codec_reader *r, int depth, int key, void *context) {
    codec_stork *stork = context;
    codec_aggregate_signature *row = stork->row;
    codec_stamped stamped = {row->rsv, row->msg_hash, &stork->time_ns, false};
    switch (key) {
    case PUBLIC_KEY:
        return codec_hex_read(r, depth, row->public_key, 32, 20, HEX_PREFIX);
    case ENCODED_ID:
        return codec_hex_read(r, depth, row->encoded_asset_id, 32, 32, HEX_PREFIX);
    case PRICE:
        return codec_price_read(r, depth, &stork->price);
    case STAMPED:
        if (!codec_stamped_read(r, depth, &stamped))
            return false;
        stork->has_hash = stamped.has_hash;
        return true;
    case ROOT:
        return codec_hex_read(r, depth, row->publisher_merkle_root, 32, 32, HEX_PREFIX);
    default:
        return object_read(r, depth, &algorithm_object, algorithm_take, row->checksum);
    }
}

bool codec_stork_read(codec_reader *r, int depth, codec_stork *stork) {
    if (reader_is_null(r))
        return true;
    stork->is_there = true;
    return object_read(r, depth, &stork_object, stork_take, stork);
}

bool codec_type_read(codec_reader *r, int depth, uint8_t *type) {
    uint8_t word[16];
    size_t n;
    if (!codec_word_read(r, depth, word, &n))
        return false;
    *type = CODEC_OTHER;
    if (n == 3 && memcmp(word, "evm", 3) == 0)
        *type = CODEC_SIGNATURE_EVM;
    else if (n == 5 && memcmp(word, "stark", 5) == 0)
        *type = CODEC_SIGNATURE_STARK;
    return true;
}
