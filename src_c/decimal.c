/* Decimal text to integers, exact, eight digits at a time. */
#include "internal.h"

#define DIGITS_MAX 39 /* of 2^127 */

/* True where all eight bytes are '0'..'9': their high nibbles are 3, and stay 3 when 6
 * is added (which carries 10..15 out of the low nibble). */
static inline bool eight_are_digits(uint64_t x) {
    return ((x & 0xF0F0F0F0F0F0F0F0ULL) |
            (((x + 0x0606060606060606ULL) & 0xF0F0F0F0F0F0F0F0ULL) >> 4)) ==
           0x3333333333333333ULL;
}

/* Eight digits, the first in the lowest byte: pairs, then fours, then all. */
static inline uint64_t eight_to_u64(uint64_t x) {
    x = (x & 0x0F0F0F0F0F0F0F0FULL) * (10 << 8 | 1) >> 8;
    x = (x & 0x00FF00FF00FF00FFULL) * (100ULL << 16 | 1) >> 16;
    return (x & 0x0000FFFF0000FFFFULL) * (10000ULL << 32 | 1) >> 32;
}

/* Up to 19 digits (below 10^19 < 2^64); false where one is none. */
static inline bool digits_to_u64(const uint8_t *text, size_t n, uint64_t *value) {
    uint64_t sum = 0;
    for (; n >= 8; n -= 8, text += 8) {
        uint64_t eight = load_le64(text);
        if (!eight_are_digits(eight))
            return false;
        sum = sum * 100000000 + eight_to_u64(eight);
    }
    for (; n; n--, text++) {
        unsigned digit = (unsigned)*text - '0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

/* Any number of digits without a leading zero into a sum; overflow is told apart from
 * what is no number only after all of the text was looked at. */
static int digits_to_u128(const uint8_t *text, size_t n, unsigned __int128 *value) {
    static const uint64_t powers[20] = {1ULL,
                                        10ULL,
                                        100ULL,
                                        1000ULL,
                                        10000ULL,
                                        100000ULL,
                                        1000000ULL,
                                        10000000ULL,
                                        100000000ULL,
                                        1000000000ULL,
                                        10000000000ULL,
                                        100000000000ULL,
                                        1000000000000ULL,
                                        10000000000000ULL,
                                        100000000000000ULL,
                                        1000000000000000ULL,
                                        10000000000000000ULL,
                                        100000000000000000ULL,
                                        1000000000000000000ULL,
                                        10000000000000000000ULL};
    if (n == 0 || (text[0] == '0' && n > 1))
        return CODEC_ERROR_INVALID_NUMBER;
    unsigned __int128 sum = 0;
    bool overflow = n > DIGITS_MAX;
    while (n) {
        size_t part = n < 19 ? n : 19;
        uint64_t digits;
        if (!digits_to_u64(text, part, &digits))
            return CODEC_ERROR_INVALID_NUMBER;
        overflow |= __builtin_mul_overflow(sum, powers[part], &sum);
        overflow |= __builtin_add_overflow(sum, digits, &sum);
        text += part;
        n -= part;
    }
    *value = sum;
    return overflow ? CODEC_ERROR_OUT_OF_RANGE : 0;
}

int codec_decimal_to_value(const uint8_t *text, size_t n, codec_value *value) {
    bool negative = n > 0 && text[0] == '-';
    unsigned __int128 magnitude;
    int status = digits_to_u128(text + negative, n - negative, &magnitude);
    if (status)
        return status;
    if (negative && magnitude == 0)
        return CODEC_ERROR_INVALID_NUMBER;
    if (magnitude > ((unsigned __int128)1 << 127) - !negative)
        return CODEC_ERROR_OUT_OF_RANGE;
    if (negative)
        magnitude = -magnitude;
    value->lo = (uint64_t)magnitude;
    value->hi = (int64_t)(uint64_t)(magnitude >> 64);
    return 0;
}

int codec_decimal_to_u64(const uint8_t *text, size_t n, uint64_t max, uint64_t *value) {
    codec_value wide;
    int status = codec_decimal_to_value(text, n, &wide);
    if (status)
        return status;
    if (wide.hi != 0 || wide.lo > max)
        return CODEC_ERROR_OUT_OF_RANGE;
    *value = wide.lo;
    return 0;
}
