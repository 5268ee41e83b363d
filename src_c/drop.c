/* Takes messages with bad signatures out of a result, and lists them as errors. */
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

static void move(codec_buffer buffer, size_t to, size_t from, size_t n) {
    if (n && to != from)
        memmove(buffer.data + to, buffer.data + from, n);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Moves what is verified to the front. Updates and payloads stand in the order of their
 * messages, so sums say where; what the rows say of places is not asked, since another
 * thread may write to them. */
static void messages_keep(codec_output *out, codec_signer *signers, uint8_t *verified) {
    codec_message *messages = (codec_message *)(void *)out->messages.data;
    size_t row = 0, byte = 0, n_rows = 0, n_bytes = 0, n_kept = 0;
    for (size_t i = 0; i < out->n_messages; i++) {
        codec_message message = messages[i];
        message.update_count =
            (uint32_t)least(message.update_count, out->n_updates - row);
        message.payload_len =
            (uint32_t)least(message.payload_len, out->payloads_len - byte);
        if (verified[i]) {
            move(out->updates, n_rows * sizeof(codec_update),
                 row * sizeof(codec_update),
                 message.update_count * sizeof(codec_update));
            move(out->payloads, n_bytes, byte, message.payload_len);
            message.first_update = n_rows;
            message.payload_offset = n_bytes;
            n_rows += message.update_count;
            n_bytes += message.payload_len;
            messages[n_kept] = message;
            signers[n_kept] = signers[i];
            verified[n_kept++] = 1;
        }
        row += message.update_count;
        byte += message.payload_len;
    }
    out->n_messages = n_kept;
    out->n_updates = n_rows;
    out->payloads_len = n_bytes;
}

int codec_output_drop(codec_output *out, codec_signer *signers, uint8_t *verified) {
    const size_t n = out->n_messages;
    size_t n_dropped = 0;
    for (size_t i = 0; i < n; i++)
        n_dropped += !verified[i];
    if (n_dropped == 0)
        return 0;
    size_t used = out->n_errors * sizeof(codec_error);
    if (output_reserve(out, &out->errors, used, n_dropped * sizeof(codec_error)))
        return CODEC_NO_MEMORY;
    errors_merge(out, signers, verified, n_dropped);
    messages_keep(out, signers, verified);
    return 0;
}
