/* The entries of `data`: one asset's aggregate each. */
#include "aggregator.h"

#define IN_DATA 2 /* levels around an entry */

enum { TIMESTAMP, ASSET_ID, SIGNATURE_TYPE, TRIGGER, PRICE, STORK, PUBLISHERS };
static const codec_object entry_object = {
    {KEY("timestamp"), KEY("asset_id"), KEY("signature_type"), KEY("trigger"),
     KEY("price"), KEY("stork_signed_price"), KEY("signed_prices")},
    7,
    1U << TIMESTAMP | 1U << ASSET_ID | 1U << SIGNATURE_TYPE | 1U << PRICE,
    0};

/* One entry: what its members say, until the row is whole. */
typedef struct {
    codec_aggregate *row;
    codec_value price;
    codec_stork stork;
    codec_publishers publishers;
    bool is_other_asset;
} entry;

static bool asset_id_read(codec_reader *r, int depth, entry *e) {
    codec_span name;
    if (!codec_name_read(r, depth, &name))
        return false;
    e->is_other_asset =
        name.data && !codec_name_is(r->out->symbols, e->row->symbol, name);
    return true;
}

static bool trigger_read(codec_reader *r, int depth, uint8_t *trigger) {
    static const char *const words[] = {"unspecified", "clock", "delta"};
    uint8_t word[16];
    size_t n;
    if (reader_is_null(r))
        return true;
    if (!codec_word_read(r, depth, word, &n))
        return false;
    *trigger = CODEC_OTHER;
    for (uint8_t i = 0; i < 3; i++) {
        if (n == strlen(words[i]) && memcmp(word, words[i], n) == 0)
            *trigger = i;
    }
    return true;
}

static bool entry_take(codec_reader *r, int depth, int key, void *context) {
    entry *e = context;
    switch (key) {
    case TIMESTAMP:
        return codec_time_read(r, depth, &e->row->outer_timestamp_ns);
    case ASSET_ID:
        return asset_id_read(r, depth, e);
    case SIGNATURE_TYPE:
        return codec_type_read(r, depth, &e->row->signature_type);
    case TRIGGER:
        return trigger_read(r, depth, &e->row->trigger);
    case PRICE:
        return codec_price_read(r, depth, &e->price);
    case STORK:
        return codec_stork_read(r, depth, &e->stork);
    default:
        return codec_publishers_read(r, depth, &e->publishers);
    }
}

/* The row of an entry that was read, where nothing is wrong with it. */
static void entry_settle(const entry *e) {
    codec_aggregate *row = e->row;
    const codec_stork *stork = &e->stork;
    bool is_same = !e->is_other_asset;
    row->value = e->price;
    row->timestamp_ns = row->outer_timestamp_ns;
    int status = CODEC_ERROR_UNSIGNED;
    if (stork->is_there) {
        row->value = stork->price;
        row->timestamp_ns = stork->time_ns;
        is_same &= e->price.lo == stork->price.lo && e->price.hi == stork->price.hi;
        status = row->signature_type == CODEC_SIGNATURE_EVM
                     ? 0
                     : CODEC_ERROR_UNSUPPORTED_SIGNATURE_TYPE;
    }
    row->consistency = is_same ? 0 : CODEC_ERROR_MISMATCH;
    row->signature = row->encoded_asset_id = row->msg_hash = row->merkle_root =
        (uint8_t)status;
    if (status)
        return;
    memcpy(row->signer, stork->row->public_key + 12, 20);
    if (!stork->has_hash)
        row->msg_hash = CODEC_ERROR_MISSING_FIELD;
    if (!row->publisher_count || e->publishers.has_bad)
        row->merkle_root = CODEC_ERROR_MISSING_FIELD;
    else if (e->publishers.has_unsupported)
        row->merkle_root = CODEC_ERROR_UNSUPPORTED_SIGNATURE_TYPE;
}

/* An entry behind its key. What it left is taken back where it is at fault. */
static bool entry_read(codec_reader *r, uint32_t symbol) {
    codec_aggregator *out = r->out;
    entry e = {.publishers = {.symbol = symbol}};
    e.row = codec_row_new(&out->aggregates, out->n_aggregates, sizeof *e.row);
    e.stork.row = codec_row_new(&out->aggregate_signatures, out->n_aggregates,
                                sizeof *e.stork.row);
    if (!e.row || !e.stork.row)
        return reader_stop(r, CODEC_NO_MEMORY, r->at);
    e.row->symbol = symbol;
    size_t n_symbols = out->symbols->n, n_publishers = out->n_publishers;
    size_t n_faults = r->n_faults;
    codec_entry_faults faults = {0};
    r->faults = &faults;
    if (!object_read(r, IN_DATA, &entry_object, entry_take, &e))
        return false;
    codec_fault fault = codec_entry_judge(&faults, e.row->signature_type);
    if (fault.code) {
        codec_symbols_truncate(out->symbols, n_symbols);
        out->n_publishers = n_publishers;
        codec_faults_truncate(r, n_faults);
        return codec_entry_refuse(r, fault);
    }
    e.row->message = (uint32_t)out->n_messages;
    e.row->first_publisher = (uint32_t)n_publishers;
    e.row->publisher_count = (uint32_t)(out->n_publishers - n_publishers);
    entry_settle(&e);
    out->n_aggregates++;
    return true;
}

/* An entry's key that has been read: its index, or what is wrong with it. */
static int name_take(codec_reader *r, codec_json_value key, uint32_t *symbol) {
    codec_symbols *symbols = r->out->symbols;
    codec_span name;
    int status = codec_name_take(r, key, &name);
    if (status || (status = codec_symbols_add(symbols, name.data, name.len, symbol)))
        return status;
    uint64_t *mark = &symbol_at(symbols, *symbol)->mark;
    if (*mark == symbols->serial)
        return CODEC_ERROR_DUPLICATE_KEY;
    *mark = symbols->serial;
    return 0;
}

bool codec_entries_read(codec_reader *r) {
    codec_members members = {0};
    codec_json_value key;
    codec_entry_faults *outer = r->faults;
    r->out->symbols->serial++;
    while (codec_name_next(r, &members, &key)) {
        uint32_t symbol;
        int status = name_take(r, key, &symbol);
        if (status < 0)
            return reader_stop(r, status, key.start);
        if (status ? !codec_value_skip(r, IN_DATA) ||
                         !codec_entry_refuse(r, (codec_fault){status, key.start})
                   : !entry_read(r, symbol))
            return false;
    }
    r->faults = outer;
    return r->status == 0;
}
