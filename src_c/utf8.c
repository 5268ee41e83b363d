/* Well-formed UTF-8, by table 3-7 of the Unicode standard. */
#include "internal.h"

/* How many bytes the sequence at p has, 0 where it is ill-formed. */
static size_t sequence_len(const uint8_t *p, size_t left) {
    uint8_t lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (n > left)
        return 0;
    uint8_t low = 0x80, high = 0xBF; /* of the second byte */
    if (lead == 0xE0)
        low = 0xA0; /* overlong */
    else if (lead == 0xED)
        high = 0x9F; /* surrogates */
    else if (lead == 0xF0)
        low = 0x90; /* overlong */
    else if (lead == 0xF4)
        high = 0x8F; /* beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return n;
}

size_t codec_utf8_check(const uint8_t *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && !(load_le64(text + at) & 0x8080808080808080ULL)) {
            at += 8;
            continue;
        }
        size_t n = sequence_len(text + at, len - at);
        if (n == 0)
            return at;
        at += n;
    }
    return len;
}
