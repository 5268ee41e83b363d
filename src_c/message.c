/* One text message, in the forms that servers send; anything else goes to frame.c. */
#include "internal.h"

int codec_text_append_compact(codec_output *out, const uint8_t *text, size_t len,
                              uint64_t receive_ns, const uint8_t *ahead) {
    /* Space behind the message, as lines that end with CR LF have it. */
    while (len && (text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    if (CODEC_LIKELY(len >= FRAME_HEAD_LEN + 2 * HEADER_LEN + FRAME_TAIL_LEN &&
                     len % 2 == 0 && memcmp(text, FRAME_HEAD, FRAME_HEAD_LEN) == 0 &&
                     memcmp(text + len - FRAME_TAIL_LEN, FRAME_TAIL, FRAME_TAIL_LEN) ==
                         0)) {
        size_t n = (len - FRAME_HEAD_LEN - FRAME_TAIL_LEN) / 2;
        return codec_digits_append(out, text + FRAME_HEAD_LEN, n, receive_ns, ahead);
    }
    if (len > 0 && text[0] == '{')
        return codec_unsigned_append_compact(out, text, len, receive_ns);
    if (len >= 2 * HEADER_LEN && len % 2 == 0) {
        size_t prefix = text[0] == '0' && text[1] == 'x' ? 2 : 0;
        return codec_digits_append(out, text + prefix, (len - prefix) / 2, receive_ns,
                                   ahead);
    }
    return CODEC_NOT_COMPACT;
}

int codec_text_append(codec_output *out, const uint8_t *text, size_t len,
                      uint64_t receive_ns, const uint8_t *ahead, uint64_t *offset) {
    int status = codec_text_append_compact(out, text, len, receive_ns, ahead);
    if (CODEC_LIKELY(status == 0) || status == CODEC_NO_MEMORY)
        return status;
    return codec_text_append_general(out, text, len, receive_ns, offset);
}
