/* Takes messages out of a result: bad signatures, listed as errors; or all but some. */
#include "internal.h"

/* The code and the byte of a bad signature, in its place among the errors. Goes from
 * the back: with all rows and errors the input is complete, so that their number is the
 * index behind its last message. */
static void errors_merge(codec_output *out, const codec_signer *signers,
                         const uint8_t *verified, size_t n_dropped) {
    const codec_signed items = {
        .n = out->n_messages,
        .messages = (const codec_message *)(void *)out->messages.data,
        .arena = out->payloads.data,
        .arena_len = out->payloads_len,
    };
    codec_error *errors = (codec_error *)(void *)out->errors.data;
    size_t row = out->n_messages, old = out->n_errors, end = old + n_dropped;
    for (uint64_t index = row + old; end > old;) {
        index--;
        if (old && errors[old - 1].index == index) {
            errors[--end] = errors[--old];
            continue;
        }
        if (row == 0)
            return;
        if (verified[--row])
            continue;
        int code = signers[row].status ? signers[row].status : CODEC_ERROR_WRONG_SIGNER;
        errors[--end] = (codec_error){
            .index = index,
            .offset = codec_signature_offset(&items, row, code),
            .code = (uint16_t)code,
        };
    }
    out->n_errors += n_dropped;
}

/* A message of `from` with what is left of the updates and payloads, of which `row` and
 * `byte` have gone to those before it; `len`: bytes of its payload that are there. Both
 * stand in the order of their messages, so that sums say where; what the rows say of
 * places is not asked, since another thread may write to them. */
static codec_message message_clamp(codec_message message, const codec_output *from,
                                   size_t row, size_t byte, size_t *len) {
    message.update_count = (uint32_t)least(message.update_count, from->n_updates - row);
    *len = least(message.payload_len, from->payloads_len - byte);
    if (from->keep_payloads)
        message.payload_len = (uint32_t)*len;
    return message;
}

static void move(codec_buffer to, size_t at, codec_buffer from, size_t start,
                 size_t n) {
    if (n && to.data + at != from.data + start)
        memmove(to.data + at, from.data + start, n);
}

/* n rows of updates, from one place to another, in whatever form they are. */
static void updates_move(codec_output *out, size_t to, const codec_output *from,
                         size_t start, size_t n) {
    const size_t row_len = sizeof(codec_update);
    if (!from->columnar) {
        move(out->updates, to * row_len, from->updates, start * row_len, n * row_len);
        return;
    }
    for (int i = 0; i < CODEC_N_COLUMNS; i++) {
        const size_t width = codec_column_widths[i];
        move(out->columns[i], to * width, from->columns[i], start * width, n * width);
    }
}

/* The chosen messages of `from`, whose rows of messages `out` has already, one behind
 * the other in `out`, which has room for them and may be `from` itself. */
static void messages_keep(codec_output *out, const codec_output *from,
                          const uint8_t *keep) {
    codec_message *messages = (codec_message *)(void *)out->messages.data;
    size_t row = 0, byte = 0, n_rows = 0, n_bytes = 0, n_kept = 0, len;
    for (size_t i = 0; i < from->n_messages; i++) {
        codec_message message = message_clamp(messages[i], from, row, byte, &len);
        if (keep[i]) {
            updates_move(out, n_rows, from, row, message.update_count);
            move(out->payloads, n_bytes, from->payloads, byte, len);
            message.first_update = n_rows;
            message.payload_offset = len ? n_bytes : 0;
            n_rows += message.update_count;
            n_bytes += len;
            messages[n_kept++] = message;
        }
        row += message.update_count;
        byte += len;
    }
    out->n_messages = n_kept;
    out->n_updates = n_rows;
    out->n_split = out->columnar ? n_rows : 0;
    out->payloads_len = n_bytes;
}

int codec_output_drop(codec_output *out, codec_signer *signers, uint8_t *verified) {
    const size_t n = out->n_messages;
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++)
        n_kept += verified[i] != 0;
    if (n_kept == n)
        return 0;
    size_t used = out->n_errors * sizeof(codec_error);
    size_t more = (n - n_kept) * sizeof(codec_error);
    if (output_reserve(out, &out->errors, used, more))
        return CODEC_NO_MEMORY;
    errors_merge(out, signers, verified, n - n_kept);
    messages_keep(out, out, verified);
    for (size_t i = 0, to = 0; i < n; i++)
        if (verified[i])
            signers[to++] = signers[i];
    memset(verified, 1, n_kept);
    return 0;
}

/* Room for the chosen ones of the messages whose rows `out` has. */
static int output_reserve_kept(codec_output *out, const codec_output *from,
                               const uint8_t *keep) {
    const codec_message *messages = (const codec_message *)(void *)out->messages.data;
    size_t row = 0, byte = 0, n_rows = 0, n_bytes = 0, len;
    for (size_t i = 0; i < from->n_messages; i++) {
        codec_message message = message_clamp(messages[i], from, row, byte, &len);
        row += message.update_count;
        byte += len;
        n_rows += keep[i] ? message.update_count : 0;
        n_bytes += keep[i] ? len : 0;
    }
    return (out->columnar ? codec_columns_reserve(out, n_rows)
                          : output_reserve(out, &out->updates, 0,
                                           n_rows * sizeof(codec_update))) ||
                   output_reserve(out, &out->payloads, 0, n_bytes)
               ? CODEC_NO_MEMORY
               : 0;
}

int codec_output_select(codec_output *out, const codec_output *from,
                        const uint8_t *keep) {
    /* The rows of messages come first, and whole: in memory that nobody else writes to,
     * the sums are the same in both passes. */
    codec_output rows = *from;
    rows.n_updates = rows.n_split = rows.payloads_len = 0;
    if (codec_output_copy(out, &rows) || output_reserve_kept(out, from, keep))
        return CODEC_NO_MEMORY;
    messages_keep(out, from, keep);
    codec_output_trim(out);
    return 0;
}
