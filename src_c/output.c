/* Where results go: room for them, and the way around the caches for large ones.
 *
 * Stores around the caches write whole 64-byte lines. Rows come in halves of a line and
 * go straight to their place; payload bytes, of any length, are gathered in `stage` and
 * leave it line by line. stage[0] stands for the arena's byte payloads_len - stage_len,
 * which is a multiple of 64. */
#include "internal.h"

#define STAGE_CAPACITY ((size_t)32 << 10)
#define STAGE_FLUSH ((size_t)4 << 10)
/* Characters of a compact signed frame without records, and of one record. */
#define FRAME_MIN (FRAME_HEAD_LEN + 2 * HEADER_LEN + FRAME_TAIL_LEN)
#define RECORD_DIGITS (2 * RECORD_LEN)

int codec_output_grow(codec_output *out, codec_buffer *buffer, size_t used,
                      size_t capacity) {
    if (!out->pinned || !buffer->data)
        return codec_buffer_reserve(buffer, used, capacity);
    size_t retired = out->n_retired * sizeof *buffer;
    codec_buffer grown = {NULL, 0};
    if (codec_buffer_reserve(&out->retired, retired, retired + sizeof *buffer) ||
        codec_buffer_reserve(&grown, 0, capacity + capacity / 2))
        return CODEC_NO_MEMORY;
    memcpy(grown.data, buffer->data, used);
    memcpy(out->retired.data + retired, buffer, sizeof *buffer);
    out->n_retired++;
    *buffer = grown;
    return 0;
}

void codec_output_unpin(codec_output *out) {
    for (size_t i = 0; i < out->n_retired; i++) {
        codec_buffer buffer;
        memcpy(&buffer, out->retired.data + i * sizeof buffer, sizeof buffer);
        codec_buffer_release(&buffer);
    }
    out->n_retired = 0;
    out->pinned = 0;
}

void codec_output_clear(codec_output *out) {
    out->n_updates = out->n_messages = out->payloads_len = out->n_errors = 0;
    out->stage_len = out->n_split = 0;
    out->wide = 0;
}

void codec_output_release(codec_output *out) {
    codec_output_unpin(out);
    codec_buffer_release(&out->updates);
    codec_buffer_release(&out->messages);
    codec_buffer_release(&out->payloads);
    codec_buffer_release(&out->errors);
    for (int i = 0; i < CODEC_N_COLUMNS && out->columns[0].data; i++)
        codec_buffer_release(&out->columns[CODEC_N_COLUMNS - 1 - i]);
    out->columns_room = 0;
    codec_buffer_release(&out->scratch);
    codec_buffer_release(&out->text);
    codec_buffer_release(&out->stage);
    codec_buffer_release(&out->retired);
    codec_output_clear(out);
}

void codec_output_trim(codec_output *out) {
    codec_buffer_trim(&out->updates, output_rows_used(out));
    for (int i = 0; i < CODEC_N_COLUMNS && out->columns[0].data; i++)
        codec_buffer_trim(&out->columns[i], out->n_updates * codec_column_widths[i]);
    out->columns_room = 0; /* it is asked again */
    codec_buffer_trim(&out->messages, out->n_messages * sizeof(codec_message));
    codec_buffer_trim(&out->payloads, out->payloads_len);
    codec_buffer_release(&out->scratch);
    codec_buffer_release(&out->text);
    codec_buffer_release(&out->stage);
}

static int buffer_copy(codec_buffer *to, const codec_buffer *from, size_t n) {
    if (n == 0)
        return 0;
    if (codec_buffer_reserve(to, 0, n))
        return CODEC_NO_MEMORY;
    memcpy(to->data, from->data, n);
    return 0;
}

int codec_output_copy(codec_output *out, const codec_output *from) {
    out->n_updates = from->n_updates;
    out->n_messages = from->n_messages;
    out->payloads_len = from->payloads_len;
    out->n_errors = from->n_errors;
    out->n_split = from->n_split;
    out->keep_payloads = from->keep_payloads;
    out->columnar = from->columnar;
    out->wide = from->wide;
    for (int i = 0; i < CODEC_N_COLUMNS; i++) {
        size_t n = from->n_split * codec_column_widths[i];
        if (buffer_copy(&out->columns[i], &from->columns[i], n))
            return CODEC_NO_MEMORY;
    }
    return buffer_copy(&out->updates, &from->updates, output_rows_used(from)) ||
                   buffer_copy(&out->messages, &from->messages,
                               from->n_messages * sizeof(codec_message)) ||
                   buffer_copy(&out->payloads, &from->payloads, from->payloads_len) ||
                   buffer_copy(&out->errors, &from->errors,
                               from->n_errors * sizeof(codec_error))
               ? CODEC_NO_MEMORY
               : 0;
}

int codec_output_expect(codec_output *out, size_t len, size_t typical_len) {
    if (typical_len < FRAME_MIN) /* a blank first line, say: no measure of the rest */
        typical_len = FRAME_MIN;
    size_t rows = (typical_len - FRAME_MIN) / RECORD_DIGITS;
    rows += rows == 0;
    size_t messages = len / typical_len;
    messages += messages / 16 + 1;
    size_t updates = messages * rows * sizeof(codec_update);
    size_t payloads = out->keep_payloads ? messages * (typical_len / 2) : 0;
    out->stream = updates + payloads >= CODEC_STREAM_MIN;
    if ((out->columnar ? codec_columns_reserve(out, messages * rows)
                       : output_reserve(out, &out->updates, 0, updates)) ||
        output_reserve(out, &out->messages, 0, messages * sizeof(codec_message)) ||
        output_reserve(out, &out->payloads, 0, payloads) ||
        (out->stream && codec_buffer_reserve(&out->stage, 0, CODEC_MAP_MIN)))
        out->stream = 0; /* too much of a guess: buffers grow as results come */
    return 0;
}

/* Writes the stage's whole lines to the arena and moves the rest of it to its start. */
static void stage_flush(codec_output *out) {
    size_t lines = out->stage_len / 64;
    uint8_t *dst = out->payloads.data + (out->payloads_len - out->stage_len);
    codec_kernels_active->lines_stream(dst, out->stage.data, lines);
    out->stage_len -= 64 * lines;
    memmove(out->stage.data, out->stage.data + 64 * lines, out->stage_len);
}

/* The same to the last byte. */
static void stage_end(codec_output *out) {
    size_t len = out->stage_len & 63;
    stage_flush(out);
    if (len)
        memcpy(out->payloads.data + (out->payloads_len - len), out->stage.data, len);
}

void codec_output_finish(codec_output *out) {
    if (out->columnar)
        codec_output_window_end(out);
    if (out->stream) {
        if (out->stage_len)
            stage_end(out);
        codec_kernels_active->stream_end();
    }
}

uint8_t *codec_output_payload_room(codec_output *out, size_t n) {
    n += n == 0; /* an address even for nothing */
    if (!out->keep_payloads)
        return codec_buffer_reserve(&out->scratch, 0, n) ? NULL : out->scratch.data;
    if (output_reserve(out, &out->payloads, out->payloads_len, n))
        return NULL;
    if (!out->stream)
        return out->payloads.data + out->payloads_len;
    if (CODEC_LIKELY(n <= STAGE_CAPACITY - STAGE_FLUSH))
        return out->stage.data + out->stage_len;
    stage_end(out); /* too long for the stage: straight to its place */
    return out->payloads.data + out->payloads_len;
}

void codec_output_payload_commit(codec_output *out, size_t n) {
    if (!out->keep_payloads)
        return;
    out->payloads_len += n;
    if (!out->stream)
        return;
    if (CODEC_LIKELY(n <= STAGE_CAPACITY - STAGE_FLUSH)) {
        out->stage_len += n;
        if (out->stage_len >= STAGE_FLUSH)
            stage_flush(out);
    } else {
        out->stage_len = out->payloads_len & 63;
        memcpy(out->stage.data,
               out->payloads.data + (out->payloads_len - out->stage_len),
               out->stage_len);
    }
}

int codec_error_append(codec_output *out, uint64_t index, uint64_t offset, int code) {
    size_t used = out->n_errors * sizeof(codec_error);
    if (output_reserve(out, &out->errors, used, sizeof(codec_error)))
        return CODEC_NO_MEMORY;
    codec_error *error = (codec_error *)(void *)out->errors.data + out->n_errors++;
    *error = (codec_error){.index = index, .offset = offset, .code = (uint16_t)code};
    return 0;
}

void codec_stream_copy(uint8_t *dst, const uint8_t *src, size_t n) {
    size_t head = -(uintptr_t)dst & 63;
    if (n < 256 || head > n) {
        if (n)
            memcpy(dst, src, n);
        return;
    }
    memcpy(dst, src, head);
    size_t lines = (n - head) / 64;
    codec_kernels_active->lines_stream(dst + head, src + head, lines);
    size_t done = head + 64 * lines;
    memcpy(dst + done, src + done, n - done);
}
