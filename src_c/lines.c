/* Runs of messages: spans in any place, and the lines of one text. */
#include "internal.h"

#define RECEIVE_DIGITS_MAX 20 /* of 2^64 - 1 */
/* How far ahead to ask for memory: bytes of text, and spans. */
#define AHEAD_LEN 8192
#define AHEAD_SPANS 4

/* Keeps a fault as the caller wants it: 0 to go on, else what ends the call. */
static int fault_keep(codec_output *out, uint64_t index, uint64_t offset, int status,
                      int stop) {
    if (status == CODEC_NO_MEMORY || codec_error_append(out, index, offset, status))
        return CODEC_NO_MEMORY;
    return stop ? status : 0;
}

static int binary_append(codec_output *out, const uint8_t *payload, size_t n,
                         uint64_t *offset) {
    if (n > UINT32_MAX)
        return CODEC_ERROR_TOO_LARGE;
    if (out->keep_payloads) {
        uint8_t *room = codec_output_payload_room(out, n);
        if (!room)
            return CODEC_NO_MEMORY;
        if (n)
            memcpy(room, payload, n);
        payload = room;
    }
    return codec_payload_append(out, payload, n, 0, offset);
}

int codec_spans_decode(codec_output *out, const codec_span *spans, size_t n, int form,
                       uint64_t first_index, int stop) {
    for (size_t i = 0; i < n; i++) {
        const uint8_t *ahead = i + AHEAD_SPANS < n ? spans[i + AHEAD_SPANS].data : NULL;
        uint64_t offset = 0;
        int status;
        if (CODEC_UNLIKELY(!spans[i].data)) {
            status = (int)(spans[i].len & 0xFF);
            offset = spans[i].len >> 8;
        } else if (form == CODEC_TEXT)
            status =
                codec_text_append(out, spans[i].data, spans[i].len, 0, ahead, &offset);
        else
            status = binary_append(out, spans[i].data, spans[i].len, &offset);
        if (CODEC_UNLIKELY(status) &&
            (status = fault_keep(out, first_index + i, offset, status, stop)))
            return status;
    }
    return 0;
}

int codec_receive_time_read(const uint8_t *line, size_t n, uint64_t *receive_ns,
                            size_t *len) {
    size_t digits = 0;
    *len = 0;
    *receive_ns = 0;
    while (digits < n && digits <= RECEIVE_DIGITS_MAX &&
           (uint8_t)(line[digits] - '0') <= 9)
        digits++;
    if (digits == 0 || digits > RECEIVE_DIGITS_MAX || digits == n ||
        line[digits] != ' ')
        return 0;
    *len = digits + 1;
    return codec_decimal_to_u64(line, digits, UINT64_MAX, receive_ns)
               ? CODEC_ERROR_INVALID_RECEIVE_TIME
               : 0;
}

/* Never read through: an address beyond the text does no harm. */
static inline const uint8_t *ahead(const uint8_t *line_end) {
    return (const uint8_t *)((uintptr_t)line_end + AHEAD_LEN);
}

/* A line whose end was only guessed: 0 where its message is compact, so that no line
 * end lies in it. */
static inline int guessed_append(codec_output *out, const uint8_t *line, size_t n) {
    uint64_t receive_ns = 0;
    size_t prefix = 0;
    if ((uint8_t)(*line - '0') <= 9 &&
        codec_receive_time_read(line, n, &receive_ns, &prefix))
        return CODEC_NOT_COMPACT;
    return codec_text_append_compact(out, line + prefix, n - prefix, receive_ns,
                                     ahead(line + n));
}

static int line_append(codec_output *out, const uint8_t *line, size_t n,
                       uint64_t *offset) {
    uint64_t receive_ns;
    size_t prefix;
    *offset = 0;
    int status = codec_receive_time_read(line, n, &receive_ns, &prefix);
    if (status)
        return status;
    return codec_text_append(out, line + prefix, n - prefix, receive_ns,
                             ahead(line + n), offset);
}

size_t codec_line_len(const uint8_t *text, size_t len) {
    const uint8_t *newline = len ? memchr(text, '\n', len) : NULL;
    return newline ? (size_t)(newline - text) : len;
}

int codec_lines_decode(codec_output *out, const uint8_t *text, size_t len, int stop,
                       uint64_t *n_lines) {
    size_t n = 0;
    *n_lines = 0;
    for (size_t at = 0; at < len; at += n + 1, ++*n_lines) {
        const uint8_t *line = text + at;
        /* Lines of a feed are mostly of one length: trying the last one's saves the
         * search for the line's end. */
        if (n && n < len - at && line[n] == '\n' && !guessed_append(out, line, n))
            continue;
        uint64_t offset;
        n = codec_line_len(line, len - at);
        int status = line_append(out, line, n, &offset);
        if (CODEC_UNLIKELY(status) &&
            (status = fault_keep(out, *n_lines, offset, status, stop)))
            return status;
    }
    return 0;
}
