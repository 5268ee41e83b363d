/* signed_prices: what publishers signed, of which an aggregate was made. */
#include "aggregator.h"

enum { PUBLISHER_KEY, NAME, TYPE, PRICE, STAMPED };
static const codec_object publisher_object = {
    {KEY("publisher_key"), KEY("external_asset_id"), KEY("signature_type"),
     KEY("price"), KEY("timestamped_signature")},
    5,
    1U << NAME | 1U << TYPE | 1U << PRICE | 1U << STAMPED,
    1U << PUBLISHER_KEY};

typedef struct {
    codec_publisher_price *row;
    codec_publisher_signature *signature;
    uint32_t symbol; /* of the entry */
    bool has_hash;
} publisher;

bool codec_name_is(const codec_symbols *symbols, uint32_t symbol, codec_span name) {
    codec_span known = codec_symbols_name(symbols, symbol);
    return known.len == name.len && memcmp(known.data, name.data, name.len) == 0;
}

/* The index of a publisher's name, mostly that of the entry. */
static bool name_read(codec_reader *r, int depth, publisher *p) {
    codec_span name;
    size_t start = r->at;
    if (!codec_name_read(r, depth, &name))
        return false;
    p->row->symbol = p->symbol;
    if (!name.data || codec_name_is(r->out->symbols, p->symbol, name))
        return true;
    int status =
        codec_symbols_add(r->out->symbols, name.data, name.len, &p->row->symbol);
    if (status < 0)
        return reader_stop(r, status, start);
    if (status)
        entry_fault(r, status, start);
    return true;
}

static bool publisher_take(codec_reader *r, int depth, int key, void *context) {
    publisher *p = context;
    codec_stamped stamped = {p->signature->rsv, p->signature->msg_hash,
                             &p->row->timestamp_ns, false};
    switch (key) {
    case PUBLISHER_KEY:
        return codec_hex_read(r, depth, p->signature->public_key, 32, 20, HEX_PREFIX);
    case NAME:
        return name_read(r, depth, p);
    case TYPE:
        return codec_type_read(r, depth, &p->row->signature_type);
    case PRICE:
        return codec_price_read(r, depth, &p->row->value);
    default:
        if (!codec_stamped_read(r, depth, &stamped))
            return false;
        p->has_hash = stamped.has_hash;
        return true;
    }
}

codec_fault codec_entry_judge(const codec_entry_faults *faults, uint8_t type) {
    bool counts = !faults->fault.code && type == CODEC_SIGNATURE_EVM;
    return counts ? faults->hex : faults->fault;
}

/* The row of a publisher that was read. */
static void publisher_settle(publisher *p, codec_publishers *publishers) {
    codec_publisher_price *row = p->row;
    if (row->signature_type == CODEC_SIGNATURE_EVM) {
        memcpy(row->publisher, p->signature->public_key + 12, 20);
        row->msg_hash = p->has_hash ? 0 : CODEC_ERROR_MISSING_FIELD;
    } else {
        publishers->has_unsupported = true;
        row->signature = row->msg_hash = CODEC_ERROR_UNSUPPORTED_SIGNATURE_TYPE;
    }
}

static bool publisher_read(codec_reader *r, int depth, codec_publishers *publishers) {
    codec_aggregator *out = r->out;
    publisher p = {.symbol = publishers->symbol};
    p.row = codec_row_new(&out->publishers, out->n_publishers, sizeof *p.row);
    p.signature = codec_row_new(&out->publisher_signatures, out->n_publishers,
                                sizeof *p.signature);
    if (!p.row || !p.signature)
        return reader_stop(r, CODEC_NO_MEMORY, r->at);
    codec_entry_faults own = {0}, *outer = r->faults;
    size_t n_symbols = out->symbols->n;
    r->faults = &own;
    if (!object_read(r, depth, &publisher_object, publisher_take, &p))
        return false;
    r->faults = outer;
    codec_fault fault = codec_entry_judge(&own, p.row->signature_type);
    if (fault.code) {
        codec_symbols_truncate(out->symbols, n_symbols);
        publishers->has_bad = true;
        return codec_entry_refuse(r, fault);
    }
    p.row->aggregate = (uint32_t)out->n_aggregates;
    publisher_settle(&p, publishers);
    out->n_publishers++;
    return true;
}

bool codec_publishers_read(codec_reader *r, int depth, codec_publishers *publishers) {
    if (reader_is_null(r))
        return true;
    if (reader_peek(r) != '[')
        return codec_value_refuse(r, depth);
    r->at++;
    reader_space_skip(r);
    if (reader_peek(r) == ']') {
        r->at++;
        return true;
    }
    for (;;) {
        if (!publisher_read(r, depth + 1, publishers))
            return false;
        reader_space_skip(r);
        uint8_t c = reader_peek(r);
        if (c != ',' && c != ']')
            return reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
        r->at++;
        if (c == ']')
            return true;
        reader_space_skip(r);
    }
}
