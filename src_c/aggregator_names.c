/* Names of assets as they stand in a text, with escapes or without. */
#include "aggregator.h"

/* Four hex digits of an escape, which are there. */
static uint32_t unit_read(const uint8_t *digits) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit << 4 | (uint32_t)reader_hex_value(digits[i]);
    return unit;
}

static bool is_unit(uint32_t unit, uint32_t kind) { return (unit & 0xFC00) == kind; }

/* The character of an escape whose backslash is at `at`; 0xD800 where it is half of
 * one. */
static uint32_t escape_read(const uint8_t *text, size_t *at) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t c = text[*at + 1];
    if (c != 'u') {
        *at += 2;
        return (uint8_t)meanings[strchr(letters, c) - letters];
    }
    uint32_t unit = unit_read(text + *at + 2);
    *at += 6;
    if (is_unit(unit, 0xD800) && text[*at] == '\\' && text[*at + 1] == 'u') {
        uint32_t low = unit_read(text + *at + 2);
        if (!is_unit(low, 0xDC00))
            return 0xD800;
        *at += 6;
        return 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF));
    }
    return unit >= 0xD800 && unit < 0xE000 ? 0xD800 : unit;
}

static size_t utf8_write(uint8_t dst[4], uint32_t c) {
    if (c < 0x80) {
        dst[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i; c >>= 6)
        dst[i] = (uint8_t)(0x80 | (c & 0x3F));
    dst[0] = (uint8_t)(0xF00 >> n | c);
    return n;
}

/* Names with escapes, which are resolved in `scratch`. */
static int name_unescape(codec_reader *r, codec_json_value string, codec_span *name) {
    if (codec_buffer_reserve(&r->out->scratch, 0, CODEC_NAME_LEN_MAX + 4))
        return CODEC_NO_MEMORY;
    uint8_t *dst = r->out->scratch.data;
    size_t n = 0;
    for (size_t at = string.start + 1; at < string.end - 1;) {
        uint8_t bytes[4] = {r->text[at]};
        size_t n_bytes = 1;
        if (bytes[0] == '\\') {
            uint32_t c = escape_read(r->text, &at);
            if (c == 0xD800)
                return CODEC_ERROR_INVALID_UTF8;
            n_bytes = utf8_write(bytes, c);
        } else {
            at++;
        }
        if (n <= CODEC_NAME_LEN_MAX)
            memcpy(dst + n, bytes, n_bytes);
        n += n_bytes;
    }
    *name = (codec_span){dst, n};
    return n > CODEC_NAME_LEN_MAX ? CODEC_ERROR_TOO_LARGE : 0;
}

int codec_name_take(codec_reader *r, codec_json_value string, codec_span *name) {
    if (string.escaped)
        return name_unescape(r, string, name);
    *name = (codec_span){r->text + string.start + 1, string.end - string.start - 2};
    return name->len > CODEC_NAME_LEN_MAX ? CODEC_ERROR_TOO_LARGE : 0;
}

bool codec_name_read(codec_reader *r, int depth, codec_span *name) {
    codec_json_value string;
    *name = (codec_span){NULL, 0};
    if (reader_peek(r) != '"')
        return codec_value_refuse(r, depth);
    if (!string_read(r, &string))
        return false;
    int status = codec_name_take(r, string, name);
    if (status < 0)
        return reader_stop(r, status, string.start);
    if (status) {
        entry_fault(r, status, string.start);
        *name = (codec_span){NULL, 0};
    }
    return true;
}
