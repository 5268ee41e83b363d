/* Any text message, step by step as docs/messages.md has it: the authority on faults.
 */
#include "internal.h"

enum { TYPE, P, TAX, TS, A, N_FRAME_KEYS };
static const char *const frame_keys[N_FRAME_KEYS] = {"type", "p", "tax", "ts", "a"};
enum { ID, V, MS, N_ENTRY_KEYS };
static const char *const entry_keys[N_ENTRY_KEYS] = {"id", "v", "ms"};

typedef struct {
    codec_output *out;
    const uint8_t *text;
    size_t len;
    uint64_t receive_ns;
    uint64_t *offset;
} message;

static inline int fault(const message *m, int code, size_t offset) {
    *m->offset = offset;
    return code;
}

/* The length is asked for as well: the text may have changed since it was scanned. */
static bool is_string(const message *m, codec_json_value value) {
    return value.end - value.start >= 2 && m->text[value.start] == '"';
}

/* The characters of a string: in place, or unescaped into `out->text`. NULL: no memory.
 */
static const uint8_t *string_chars(const message *m, codec_json_value value,
                                   size_t *n) {
    if (!value.escaped) {
        *n = value.end - value.start - 2;
        return m->text + value.start + 1;
    }
    codec_buffer *buffer = &m->out->text;
    if (codec_buffer_reserve(buffer, 0, value.end - value.start))
        return NULL;
    *n = codec_json_unescape(buffer->data, m->text, value);
    return buffer->data;
}

/* A payload from its hex digits (section 6). `*place` is the character at fault. */
static int hex_append(const message *m, const uint8_t *chars, size_t n, size_t *place) {
    size_t start = n >= 2 && chars[0] == '0' && chars[1] == 'x' ? 2 : 0;
    const uint8_t *digits = chars + start;
    size_t n_bytes = (n - start) / 2;
    *place = 0;
    uint8_t *payload = codec_output_payload_room(m->out, n_bytes);
    if (!payload)
        return CODEC_NO_MEMORY;
    const codec_kernels *scalar = &codec_kernels_scalar;
    uint8_t last[2] = {'0', '0'}, byte;
    if ((n - start) % 2)
        last[1] = digits[2 * n_bytes];
    if (!codec_kernels_active->hex_decode(payload, digits, n_bytes) ||
        !scalar->hex_decode(&byte, last, 1)) {
        size_t at = 0;
        while (at < n_bytes && scalar->hex_decode(&byte, digits + 2 * at, 1))
            at++;
        at *= 2;
        last[1] = at + 1 < n - start ? digits[at] : '0';
        if (at + 1 < n - start && scalar->hex_decode(&byte, last, 1))
            at++; /* the pair's first digit is good */
        *place = start + at;
        return CODEC_ERROR_INVALID_HEX;
    }
    *place = n - 1;
    if ((n - start) % 2)
        return CODEC_ERROR_ODD_HEX;
    uint64_t offset;
    int status = codec_payload_append(m->out, payload, n_bytes, m->receive_ns, &offset);
    *place = start + 2 * offset;
    return status;
}

static int signed_append(const message *m, codec_json_value p, size_t frame) {
    if (!p.found)
        return fault(m, CODEC_ERROR_MISSING_FIELD, frame);
    if (!is_string(m, p))
        return fault(m, CODEC_ERROR_WRONG_TYPE, p.start);
    size_t n, place;
    const uint8_t *chars = string_chars(m, p, &n);
    if (!chars)
        return CODEC_NO_MEMORY;
    int status = hex_append(m, chars, n, &place);
    if (status > 0)
        *m->offset =
            p.escaped ? codec_json_source(m->text, p, place) : p.start + 1 + place;
    return status;
}

/* A number that stands in the text as it is. */
static int number_field(const message *m, codec_json_value value, size_t object,
                        uint64_t max, uint64_t *number) {
    if (!value.found)
        return fault(m, CODEC_ERROR_MISSING_FIELD, object);
    uint8_t first = m->text[value.start];
    if (first != '-' && (uint8_t)(first - '0') > 9)
        return fault(m, CODEC_ERROR_WRONG_TYPE, value.start);
    int status = codec_decimal_to_u64(m->text + value.start, value.end - value.start,
                                      max, number);
    return status ? fault(m, status, value.start) : 0;
}

static int value_field(const message *m, codec_json_value value, size_t object,
                       codec_value *number) {
    if (!value.found)
        return fault(m, CODEC_ERROR_MISSING_FIELD, object);
    if (!is_string(m, value))
        return fault(m, CODEC_ERROR_WRONG_TYPE, value.start);
    size_t n;
    const uint8_t *chars = string_chars(m, value, &n);
    if (!chars)
        return CODEC_NO_MEMORY;
    int status = codec_decimal_to_value(chars, n, number);
    return status ? fault(m, status, value.start) : 0;
}

static int entry_append(const message *m, size_t *at, const codec_update *pattern,
                        size_t n_rows) {
    if (m->text[*at] != '{')
        return fault(m, CODEC_ERROR_WRONG_TYPE, *at);
    codec_json_value values[N_ENTRY_KEYS];
    size_t entry = *at, duplicate;
    int status = codec_json_object_read(m->text, m->len, entry, 3, entry_keys,
                                        N_ENTRY_KEYS, values, &duplicate, at);
    if (status)
        return fault(m, status, *at);
    if (duplicate != SIZE_MAX)
        return fault(m, CODEC_ERROR_DUPLICATE_KEY, duplicate);
    codec_update row = *pattern;
    uint64_t asset_id, market_status = 255;
    if ((status = number_field(m, values[ID], entry, UINT16_MAX, &asset_id)) ||
        (status = value_field(m, values[V], entry, &row.value)) ||
        (values[MS].found &&
         (status = number_field(m, values[MS], entry, UINT8_MAX, &market_status))))
        return status;
    row.asset_id = (uint16_t)asset_id;
    row.market_status = (uint8_t)market_status;
    size_t used = output_rows_used(m->out) + n_rows * sizeof row;
    if (output_reserve(m->out, &m->out->updates, used, sizeof row))
        return CODEC_NO_MEMORY;
    memcpy(m->out->updates.data + used, &row, sizeof row);
    return 0;
}

static int unsigned_append(const message *m, const codec_json_value *values,
                           size_t frame) {
    uint64_t taxonomy_id, timestamp_ns;
    int status;
    if ((status = number_field(m, values[TAX], frame, UINT16_MAX, &taxonomy_id)) ||
        (status = number_field(m, values[TS], frame, UINT64_MAX, &timestamp_ns)))
        return status;
    if (!values[A].found)
        return fault(m, CODEC_ERROR_MISSING_FIELD, frame);
    if (m->text[values[A].start] != '[')
        return fault(m, CODEC_ERROR_WRONG_TYPE, values[A].start);

    const codec_update pattern = {.timestamp_ns = timestamp_ns,
                                  .taxonomy_id = (uint16_t)taxonomy_id};
    size_t n_rows = 0;
    size_t at = codec_json_space_skip(m->text, m->len, values[A].start + 1);
    while (at < values[A].end - 1) {
        if ((status = entry_append(m, &at, &pattern, n_rows)))
            return status;
        n_rows++;
        at = codec_json_space_skip(m->text, m->len, at);
        if (at < values[A].end - 1) /* a comma */
            at = codec_json_space_skip(m->text, m->len, at + 1);
    }
    if (n_rows > UINT32_MAX)
        return fault(m, CODEC_ERROR_TOO_LARGE, values[A].start);
    codec_output *out = m->out;
    codec_message *place;
    codec_update *rows;
    if (output_message_room(out, n_rows, &place, &rows))
        return CODEC_NO_MEMORY;
    *place = (codec_message){
        .timestamp_ns = timestamp_ns,
        .receive_ns = m->receive_ns,
        .first_update = out->n_updates,
        .update_count = (uint32_t)n_rows,
        .taxonomy_id = (uint16_t)taxonomy_id,
    };
    output_message_count(out, n_rows);
    return 0;
}

/* For names of up to 12 characters: each is written in up to six. */
static bool string_is(const message *m, codec_json_value value, const char *name) {
    uint8_t chars[6 * 12 + 2];
    if (value.end - value.start > sizeof chars)
        return false;
    size_t n = codec_json_unescape(chars, m->text, value);
    return n == strlen(name) && memcmp(chars, name, n) == 0;
}

static int frame_append(const message *m, size_t frame) {
    codec_json_value values[N_FRAME_KEYS];
    size_t duplicate, end;
    int status = codec_json_object_read(m->text, m->len, frame, 1, frame_keys,
                                        N_FRAME_KEYS, values, &duplicate, &end);
    if (status)
        return fault(m, status, end);
    end = codec_json_space_skip(m->text, m->len, end);
    if (end != m->len)
        return fault(m, CODEC_ERROR_INVALID_JSON, end);
    if (duplicate != SIZE_MAX)
        return fault(m, CODEC_ERROR_DUPLICATE_KEY, duplicate);
    if (!values[TYPE].found)
        return fault(m, CODEC_ERROR_NOT_DATA, frame);
    if (!is_string(m, values[TYPE]))
        return fault(m, CODEC_ERROR_WRONG_TYPE, values[TYPE].start);
    if (string_is(m, values[TYPE], "signed_ecdsa"))
        return signed_append(m, values[P], frame);
    if (string_is(m, values[TYPE], "unsigned"))
        return unsigned_append(m, values, frame);
    return fault(m, CODEC_ERROR_NOT_DATA, values[TYPE].start);
}

int codec_text_append_general(codec_output *out, const uint8_t *text, size_t len,
                              uint64_t receive_ns, uint64_t *offset) {
    const message m = {out, text, len, receive_ns, offset};
    size_t bad = codec_utf8_check(text, len);
    if (bad < len)
        return fault(&m, CODEC_ERROR_INVALID_UTF8, bad);
    size_t start = codec_json_space_skip(text, len, 0);
    if (start == len)
        return fault(&m, CODEC_ERROR_EMPTY, 0);
    if (text[start] == '{')
        return frame_append(&m, start);
    size_t end = len;
    while (end > start && codec_json_is_space(text[end - 1]))
        end--;
    size_t place;
    int status = hex_append(&m, text + start, end - start, &place);
    if (status > 0)
        *offset = start + place;
    return status;
}
