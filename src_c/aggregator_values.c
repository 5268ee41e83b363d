/* The values that the aggregator's messages are made of, and the walk through objects.
 */
#include "aggregator.h"

void *codec_row_new(codec_buffer *buffer, size_t n, size_t item_len) {
    if (n >= UINT32_MAX ||
        codec_buffer_reserve(buffer, n * item_len, (n + 1) * item_len))
        return NULL;
    return memset(buffer->data + n * item_len, 0, item_len);
}

bool codec_any_read(codec_reader *r, int depth, codec_json_value *value) {
    value->start = r->at;
    int status = codec_json_value_read(r->text, r->len, &r->at, depth, &value->escaped);
    value->end = r->at;
    return status ? reader_stop(r, status, r->at) : true;
}

bool codec_value_skip(codec_reader *r, int depth) {
    codec_json_value value;
    return codec_any_read(r, depth, &value);
}

bool codec_value_refuse(codec_reader *r, int depth) {
    entry_fault(r, CODEC_ERROR_WRONG_TYPE, r->at);
    return codec_value_skip(r, depth);
}

/* The bytes of a string, 0xFF for what is not ASCII where there are escapes. */
static bool bytes_take(codec_reader *r, codec_json_value string, codec_span *bytes) {
    *bytes = (codec_span){r->text + string.start + 1, string.end - string.start - 2};
    if (!string.escaped)
        return true;
    codec_buffer *scratch = &r->out->scratch;
    if (codec_buffer_reserve(scratch, 0, bytes->len + 1))
        return reader_stop(r, CODEC_NO_MEMORY, string.start);
    *bytes = (codec_span){scratch->data,
                          codec_json_unescape(scratch->data, r->text, string)};
    return true;
}

/* The colon behind a key: up to the value. */
static inline bool colon_read(codec_reader *r) {
    reader_space_skip(r);
    if (reader_peek(r) != ':')
        return reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
    r->at++;
    reader_space_skip(r);
    return true;
}

static inline bool key_string_read(codec_reader *r, codec_json_value *string) {
    if (reader_peek(r) != '"')
        return reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
    return string_read(r, string);
}

static int key_find(const codec_members *members, codec_span name) {
    for (unsigned i = 0; i < members->n_keys; i++) {
        const codec_key *key = members->keys + i;
        if (key->len == name.len + 3 && memcmp(key->text + 1, name.data, name.len) == 0)
            return (int)i;
    }
    return MEMBER_OTHER;
}

/* A key that is not the one expected, or not written as it mostly is. */
static int key_read(codec_reader *r, const codec_members *members) {
    codec_json_value string;
    codec_span name;
    if (!key_string_read(r, &string) || !bytes_take(r, string, &name) || !colon_read(r))
        return MEMBER_STOP;
    return key_find(members, name);
}

/* Up to the next key: false at the end of the object, or where the text ends. */
static inline bool key_reach(codec_reader *r, codec_members *members) {
    if (!members->begun)
        members->start = r->at++;
    reader_space_skip(r);
    uint8_t c = reader_peek(r);
    if (c == '}') {
        r->at++;
        return false;
    }
    if (members->begun) {
        if (c != ',')
            return reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
        r->at++;
        reader_space_skip(r);
    }
    members->begun = true;
    return true;
}

int codec_member_next(codec_reader *r, codec_members *members) {
    if (!key_reach(r, members))
        return r->status ? MEMBER_STOP : MEMBER_END;
    members->key_start = r->at;
    int found = (int)members->expected;
    const codec_key *key = members->keys + found;
    if (CODEC_LIKELY(members->expected < members->n_keys &&
                     memcmp(r->text + r->at, key->text, key->len) == 0))
        r->at += key->len, reader_space_skip(r);
    else if ((found = key_read(r, members)) == MEMBER_STOP)
        return MEMBER_STOP;
    if (found < 0)
        return found;
    members->expected = (unsigned)found + 1;
    if (members->seen & 1U << found) {
        entry_fault(r, CODEC_ERROR_DUPLICATE_KEY, members->key_start);
        return MEMBER_OTHER;
    }
    members->seen |= 1U << found;
    return found;
}

bool codec_name_next(codec_reader *r, codec_members *members, codec_json_value *key) {
    return key_reach(r, members) && key_string_read(r, key) && colon_read(r);
}

bool codec_time_read(codec_reader *r, int depth, uint64_t *time_ns) {
    uint8_t first = reader_peek(r);
    if (first != '-' && (uint8_t)(first - '0') > 9)
        return codec_value_refuse(r, depth);
    codec_json_value number;
    if (!codec_any_read(r, depth, &number))
        return false;
    int status = codec_decimal_to_u64(r->text + number.start, number.end - number.start,
                                      UINT64_MAX, time_ns);
    if (status)
        entry_fault(r, status, number.start);
    return true;
}

bool codec_price_read(codec_reader *r, int depth, codec_value *price) {
    codec_json_value string;
    codec_span digits;
    if (reader_peek(r) != '"')
        return codec_value_refuse(r, depth);
    if (!string_read(r, &string) || !bytes_take(r, string, &digits))
        return false;
    int status = codec_decimal_to_value(digits.data, digits.len, price);
    if (status)
        entry_fault(r, status, string.start);
    return true;
}

bool codec_word_read(codec_reader *r, int depth, uint8_t word[16], size_t *len) {
    codec_json_value string;
    codec_span bytes;
    *len = 0;
    if (reader_peek(r) != '"')
        return codec_value_refuse(r, depth);
    if (!string_read(r, &string) || !bytes_take(r, string, &bytes))
        return false;
    if (bytes.len <= 16)
        memcpy(word, bytes.data, *len = bytes.len);
    return true;
}

/* What can be read of a string of hex digits, into the end of `room` bytes. Returns
 * what is wrong with it as a field of n bytes. */
static int hex_take(codec_span text, uint8_t *dst, size_t room, size_t n, int form) {
    bool prefixed = text.len >= 2 && text.data[0] == '0' && text.data[1] == 'x';
    const uint8_t *digits = text.data + 2 * prefixed;
    size_t n_digits = text.len - 2 * prefixed;
    for (size_t i = 0; i < n_digits; i++) {
        if (reader_hex_value(digits[i]) < 0)
            return CODEC_ERROR_INVALID_HEX;
    }
    for (size_t i = 0; n_digits <= 2 * room && i < n_digits; i++) {
        size_t place = n_digits - 1 - i; /* counts from the last digit */
        int value = reader_hex_value(digits[i]);
        dst[room - 1 - place / 2] |= (uint8_t)(place % 2 ? value << 4 : value);
    }
    if (!prefixed && form == HEX_PREFIX)
        return CODEC_ERROR_INVALID_HEX;
    if (n_digits % 2)
        return CODEC_ERROR_ODD_HEX;
    return n_digits == 2 * n ? 0 : CODEC_ERROR_INVALID_LENGTH;
}

bool codec_hex_read(codec_reader *r, int depth, uint8_t *dst, size_t room, size_t n,
                    int form) {
    const uint8_t *text = r->text + r->at;
    size_t head = form == HEX_ANY && text[0] == '"' && text[1 + 2 * n] == '"' ? 1 : 3;
    if (CODEC_LIKELY(
            text[0] == '"' && text[head + 2 * n] == '"' &&
            (head == 1 || (text[1] == '0' && text[2] == 'x')) &&
            codec_kernels_active->hex_decode(dst + room - n, text + head, n))) {
        r->at += head + 2 * n + 1;
        return true;
    }
    memset(dst, 0, room);
    codec_json_value string;
    codec_span digits;
    if (text[0] != '"') {
        fault_keep(&r->faults->hex, CODEC_ERROR_WRONG_TYPE, r->at);
        return codec_value_skip(r, depth);
    }
    if (!string_read(r, &string) || !bytes_take(r, string, &digits))
        return false;
    int status = hex_take(digits, dst, room, n, form);
    if (status)
        fault_keep(&r->faults->hex, status, string.start);
    return true;
}
