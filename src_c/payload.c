/* Binary payloads: signature, header, records; taken apart and put together. */
#include "internal.h"

#define HEADER_LEN_2 79 /* signature, 0xFF, version, mask, taxonomy id, timestamp */
#define MARKER_2 0xFF
#define VERSION_2 2
#define MASK_PRICE 1
#define MASK_STATUS 2
#define PREFETCH_MAX (32 << 10) /* more is gone again before it is read */

typedef struct {
    size_t start, record_len; /* of the records */
    uint8_t layout;
} shape;

/* docs/messages.md, section 5. */
static int shape_read(const uint8_t *payload, size_t n, shape *s, uint64_t *offset) {
    *offset = 0;
    if (n > UINT32_MAX)
        return CODEC_ERROR_TOO_LARGE;
    *offset = n;
    if (n <= CODEC_SIGNATURE_LEN)
        return CODEC_ERROR_INVALID_LENGTH;
    *s = (shape){HEADER_LEN, RECORD_LEN, 1};
    if (CODEC_UNLIKELY(payload[CODEC_SIGNATURE_LEN] == MARKER_2)) {
        if (n > 66 && payload[66] != VERSION_2) {
            *offset = 66;
            return CODEC_ERROR_UNKNOWN_VERSION;
        }
        uint16_t mask = n >= 69 ? load_be16(payload + 67) : MASK_PRICE;
        if (!(mask & MASK_PRICE) || mask & ~(MASK_PRICE | MASK_STATUS)) {
            *offset = 67;
            return CODEC_ERROR_UNKNOWN_MASK;
        }
        *s = (shape){HEADER_LEN_2, RECORD_LEN + (mask & MASK_STATUS ? 1 : 0), 2};
        if (n < HEADER_LEN_2 || (n - HEADER_LEN_2) % s->record_len)
            return CODEC_ERROR_INVALID_LENGTH;
    } else if (n < HEADER_LEN || (n - HEADER_LEN) % RECORD_LEN) {
        return CODEC_ERROR_INVALID_LENGTH;
    }
    return 0;
}

/* Asks for what is needed next, all at once when a message's digits are decoded: while
 * they are, they wait for memory themselves. Spread over the rows, or before the
 * digits, it gains less or nothing (docs/performance.md). */
static inline void prefetch(const uint8_t *ahead, size_t n) {
    for (size_t i = 0; i < n && i < PREFETCH_MAX; i += 64)
        __builtin_prefetch((const void *)((uintptr_t)ahead + i));
}

/* Writes the message's own row in its place (built elsewhere and copied, the copy would
 * wait for the stores before it: 24 ns a small message instead of 13), and makes it,
 * its rows and its payload count. */
static inline void message_append(codec_output *out, codec_message *message,
                                  codec_common common, size_t n, size_t n_rows,
                                  uint8_t layout, uint64_t receive_ns) {
    *message = (codec_message){
        .timestamp_ns = common.timestamp_ns,
        .receive_ns = receive_ns,
        .first_update = out->n_updates,
        .payload_offset = out->keep_payloads ? out->payloads_len : 0,
        .payload_len = (uint32_t)n,
        .update_count = (uint32_t)n_rows,
        .taxonomy_id = (uint16_t)common.rest,
        .kind = 1,
        .layout = layout,
    };
    codec_output_payload_commit(out, n);
    output_message_count(out, n_rows);
}

int codec_payload_append(codec_output *out, const uint8_t *payload, size_t n,
                         uint64_t receive_ns, uint64_t *offset) {
    shape s;
    int status = shape_read(payload, n, &s, offset);
    if (CODEC_UNLIKELY(status))
        return status;
    size_t n_rows = (n - s.start) / s.record_len;
    codec_message *message;
    codec_update *rows;
    if (output_message_room(out, n_rows, &message, &rows))
        return CODEC_NO_MEMORY;
    codec_common common = common_make(load_be64(payload + s.start - 8),
                                      load_be16(payload + s.start - 10));
    codec_kernels_active->rows_unpack(rows, payload + s.start, n_rows, s.record_len,
                                      common, out->stream && !out->columnar);
    message_append(out, message, common, n, n_rows, s.layout, receive_ns);
    return 0;
}

/* A payload of layout 1, by the kernel that does all of it at once. */
static int layout_1_append(codec_output *out, const uint8_t *digits, size_t n,
                           uint64_t receive_ns, const uint8_t *ahead) {
    size_t n_rows = (n - HEADER_LEN) / RECORD_LEN;
    uint8_t *payload = NULL;
    codec_message *message;
    codec_update *rows;
    codec_common common;
    if ((out->keep_payloads && !(payload = codec_output_payload_room(out, n))) ||
        output_message_room(out, n_rows, &message, &rows))
        return CODEC_NO_MEMORY;
    if (!codec_kernels_active->payload_decode(rows, payload, digits, n_rows, &common,
                                              out->stream && !out->columnar))
        return CODEC_ERROR_INVALID_HEX;
    if ((uint16_t)common.rest >> 8 == MARKER_2)
        return CODEC_NOT_COMPACT;
    if (ahead)
        prefetch(ahead, 2 * n);
    message_append(out, message, common, n, n_rows, 1, receive_ns);
    return 0;
}

int codec_digits_append(codec_output *out, const uint8_t *digits, size_t n,
                        uint64_t receive_ns, const uint8_t *ahead) {
    if (n > UINT32_MAX)
        return CODEC_ERROR_TOO_LARGE;
    if (codec_kernels_active->payload_decode && n >= HEADER_LEN &&
        (n - HEADER_LEN) % RECORD_LEN == 0) {
        int status = layout_1_append(out, digits, n, receive_ns, ahead);
        if (CODEC_LIKELY(status != CODEC_NOT_COMPACT))
            return status;
    }
    uint8_t *payload = codec_output_payload_room(out, n);
    if (!payload)
        return CODEC_NO_MEMORY;
    if (!codec_kernels_active->hex_decode(payload, digits, n))
        return CODEC_ERROR_INVALID_HEX;
    if (ahead)
        prefetch(ahead, 2 * n);
    uint64_t offset;
    return codec_payload_append(out, payload, n, receive_ns, &offset);
}

size_t codec_payload_len(size_t n, int with_status) {
    return with_status ? HEADER_LEN_2 + n * (RECORD_LEN + 1)
                       : HEADER_LEN + n * RECORD_LEN;
}

void codec_payload_pack(uint8_t *payload, size_t n, uint64_t timestamp_ns,
                        uint16_t taxonomy_id, const uint8_t *asset_ids,
                        ptrdiff_t asset_stride, const uint8_t *values,
                        ptrdiff_t value_stride, const uint8_t *statuses,
                        ptrdiff_t status_stride) {
    uint8_t *at = payload + CODEC_SIGNATURE_LEN;
    if (statuses) {
        *at++ = MARKER_2;
        *at++ = VERSION_2;
        store_be16(at, MASK_PRICE | MASK_STATUS);
        at += 2;
    }
    store_be16(at, taxonomy_id);
    store_be64(at + 2, timestamp_ns);
    at += 10;
    for (size_t i = 0; i < n; i++) {
        uint16_t asset_id;
        codec_value value;
        memcpy(&asset_id, asset_ids, 2);
        memcpy(&value, values, 16);
        store_be16(at, asset_id);
        store_be64(at + 2, (uint64_t)value.hi);
        store_be64(at + 10, value.lo);
        at += RECORD_LEN;
        asset_ids += asset_stride;
        values += value_stride;
        if (statuses) {
            *at++ = *statuses;
            statuses += status_stride;
        }
    }
}

void codec_frame_write(uint8_t *frame, const uint8_t *payload, size_t len) {
    static const char digits[] = "0123456789abcdef";
    memcpy(frame, FRAME_HEAD, FRAME_HEAD_LEN);
    frame += FRAME_HEAD_LEN;
    for (size_t i = 0; i < len; i++) {
        *frame++ = (uint8_t)digits[payload[i] >> 4];
        *frame++ = (uint8_t)digits[payload[i] & 15];
    }
    memcpy(frame, FRAME_TAIL, FRAME_TAIL_LEN);
}
