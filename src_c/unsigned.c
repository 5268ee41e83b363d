/* Compact unsigned frames, as the server writes them: one pass, straight into rows. */
#include "internal.h"

/* An entry is at least {"id":1,"v":"1"} and a comma or bracket. */
#define ENTRY_MIN 17

typedef struct {
    const uint8_t *at, *end;
} cursor;

static inline bool skip(cursor *c, const char *text, size_t n) {
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, text, n) != 0)
        return false;
    c->at += n;
    return true;
}
#define SKIP(c, text) skip(c, text, sizeof(text) - 1)

static inline size_t digits_len(const cursor *c) {
    const uint8_t *p = c->at;
    while (p < c->end && (uint8_t)(*p - '0') <= 9)
        p++;
    return (size_t)(p - c->at);
}

static inline bool read_u64(cursor *c, uint64_t max, uint64_t *value) {
    size_t n = digits_len(c);
    if (n == 0 || codec_decimal_to_u64(c->at, n, max, value))
        return false;
    c->at += n;
    return true;
}

static inline bool read_value(cursor *c, codec_value *value) {
    const uint8_t *start = c->at;
    if (c->at < c->end && *c->at == '-')
        c->at++;
    c->at += digits_len(c);
    return !codec_decimal_to_value(start, (size_t)(c->at - start), value);
}

static inline bool read_entry(cursor *c, codec_update *row) {
    uint64_t asset_id, status = 255;
    if (!SKIP(c, "{\"id\":") || !read_u64(c, UINT16_MAX, &asset_id) ||
        !SKIP(c, ",\"v\":\"") || !read_value(c, &row->value) || !SKIP(c, "\""))
        return false;
    if (SKIP(c, ",\"ms\":") && !read_u64(c, UINT8_MAX, &status))
        return false;
    row->asset_id = (uint16_t)asset_id;
    row->market_status = (uint8_t)status;
    return SKIP(c, "}");
}

int codec_unsigned_append_compact(codec_output *out, const uint8_t *text, size_t len,
                                  uint64_t receive_ns) {
    cursor c = {text, text + len};
    uint64_t taxonomy_id, timestamp_ns;
    if (!SKIP(&c, "{\"type\":\"unsigned\",\"tax\":") ||
        !read_u64(&c, UINT16_MAX, &taxonomy_id) || !SKIP(&c, ",\"ts\":") ||
        !read_u64(&c, UINT64_MAX, &timestamp_ns) || !SKIP(&c, ",\"a\":["))
        return CODEC_NOT_COMPACT;

    size_t rows_max = (size_t)(c.end - c.at) / ENTRY_MIN + 1;
    codec_message *message;
    codec_update *rows;
    if (output_message_room(out, rows_max, &message, &rows))
        return CODEC_NO_MEMORY;
    size_t n_rows = 0;
    if (!SKIP(&c, "]")) {
        do {
            if (n_rows == rows_max)
                return CODEC_NOT_COMPACT;
            codec_update row = {
                .timestamp_ns = timestamp_ns,
                .taxonomy_id = (uint16_t)taxonomy_id,
            };
            if (!read_entry(&c, &row))
                return CODEC_NOT_COMPACT;
            rows[n_rows++] = row;
        } while (SKIP(&c, ","));
        if (!SKIP(&c, "]"))
            return CODEC_NOT_COMPACT;
    }
    if (!SKIP(&c, "}") || c.at != c.end || n_rows > UINT32_MAX)
        return CODEC_NOT_COMPACT;

    *message = (codec_message){
        .timestamp_ns = timestamp_ns,
        .receive_ns = receive_ns,
        .first_update = out->n_updates,
        .update_count = (uint32_t)n_rows,
        .taxonomy_id = (uint16_t)taxonomy_id,
    };
    output_message_count(out, n_rows);
    return 0;
}
