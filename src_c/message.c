/* One text message, in the forms that servers send; anything else goes to frame.c. */
#include "internal.h"

#define HEAD_LEN 30 /* {"type":"signed_ecdsa","p":"0x */
#define TAIL_LEN 2  /* "} */
#define PAYLOAD_MIN 75

static inline bool has_signed_head(const uint8_t *text) {
    static const char head[] = "{\"type\":\"signed_ecdsa\",\"p\":\"0x";
    return memcmp(text, head, HEAD_LEN) == 0;
}

int codec_text_append_compact(codec_output *out, const uint8_t *text, size_t len,
                              uint64_t receive_ns, const uint8_t *ahead) {
    if (CODEC_LIKELY(len >= HEAD_LEN + 2 * PAYLOAD_MIN + TAIL_LEN && len % 2 == 0 &&
                     has_signed_head(text) && text[len - 2] == '"' &&
                     text[len - 1] == '}')) {
        size_t n = (len - HEAD_LEN - TAIL_LEN) / 2;
        return codec_digits_append(out, text + HEAD_LEN, n, receive_ns, ahead);
    }
    if (len > 0 && text[0] == '{')
        return codec_unsigned_append_compact(out, text, len, receive_ns);
    if (len >= 2 * PAYLOAD_MIN && len % 2 == 0) {
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
