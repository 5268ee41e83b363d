/* Takes messages with bad signatures out of a result, and lists them as errors. */
#include "internal.h"

/* The code and the byte of a bad signature, in its place among the errors. Goes from
 * the back: with all rows and errors the input is complete, so that their number is the
 * index behind its last message. */
static void errors_merge(codec_output *out, const codec_signer *signers,
                         const uint8_t *verified, size_t n_dropped) {
    const codec_message *messages = (const codec_message *)(void *)out->messages.data;
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
        const uint8_t *payload = out->payloads.data + messages[row].payload_offset;
        errors[--end] = (codec_error){
            .index = index,
            .offset = codec_signature_offset(code, payload),
            .code = (uint16_t)code,
        };
    }
    out->n_errors += n_dropped;
}

static void move(codec_buffer buffer, size_t to, size_t from, size_t n) {
    if (n && to != from)
        memmove(buffer.data + to, buffer.data + from, n);
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
    codec_message *messages = (codec_message *)(void *)out->messages.data;
    size_t rows = 0, payloads_len = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!verified[i])
            continue;
        codec_message message = messages[i];
        move(out->updates, rows * sizeof(codec_update),
             message.first_update * sizeof(codec_update),
             message.update_count * sizeof(codec_update));
        move(out->payloads, payloads_len, message.payload_offset, message.payload_len);
        message.first_update = rows;
        message.payload_offset = payloads_len;
        rows += message.update_count;
        payloads_len += message.payload_len;
        messages[kept] = message;
        signers[kept] = signers[i];
        verified[kept++] = 1;
    }
    out->n_messages = kept;
    out->n_updates = rows;
    out->payloads_len = payloads_len;
    return 0;
}
