/* int128 scaled by 10^18 to float64, correctly rounded.
 *
 * |v| / 10^18 = |v| / (d * 2^shift) with d = 5^18 moved up to fill 64 bits. |v|, moved
 * up to fill 128 bits and then down by one so that the quotient fits, divided by d
 * gives a quotient of 63 or 64 bits: ten or more beyond a double's 53. Those bits, with
 * the lowest made odd where the remainder is not zero, round like the exact quotient.
 *
 * The division by the constant d is the one by its reciprocal of Moeller and Granlund
 * ("Improved division by invariant integers", 2011, algorithm 4). */
#include "internal.h"

#define DIVISOR (3814697265625ULL << 22) /* 5^18 * 2^22, top bit set */
/* floor((2^128 - 1) / DIVISOR) - 2^64 */
#define RECIPROCAL                                                                     \
    ((uint64_t)(~(unsigned __int128)0 / DIVISOR - ((unsigned __int128)1 << 64)))

static inline uint64_t divide(uint64_t high, uint64_t low, uint64_t *remainder) {
    unsigned __int128 q = (unsigned __int128)RECIPROCAL * high;
    q += (unsigned __int128)high << 64 | low;
    uint64_t quotient = (uint64_t)(q >> 64) + 1;
    uint64_t r = low - quotient * DIVISOR;
    if (r > (uint64_t)q) {
        quotient--;
        r += DIVISOR;
    }
    if (CODEC_UNLIKELY(r >= DIVISOR)) {
        quotient++;
        r -= DIVISOR;
    }
    *remainder = r;
    return quotient;
}

static inline double to_double(codec_value value) {
    unsigned __int128 v = (unsigned __int128)(uint64_t)value.hi << 64 | value.lo;
    uint64_t sign = (uint64_t)value.hi & 1ULL << 63;
    if (sign)
        v = -v;
    if (v == 0)
        return 0.0;
    uint64_t top = (uint64_t)(v >> 64);
    int zeros = top ? __builtin_clzll(top) : 64 + __builtin_clzll((uint64_t)v);
    v <<= zeros;
    uint64_t lost = (uint64_t)v & 1;
    v >>= 1;
    uint64_t remainder;
    uint64_t quotient = divide((uint64_t)(v >> 64), (uint64_t)v, &remainder);
    /* |value| / 10^18 = quotient * 2^exponent, and a little more where bits are lost:
     * v was moved by zeros - 1, the divisor by 22, and 10^18 has 2^18 in it. */
    int exponent = 1 - zeros + 22 - 18;
    int up = __builtin_clzll(quotient);
    quotient <<= up;
    exponent -= up;
    quotient |= (remainder | lost) != 0;
    /* 64 bits to 53: add just under half of the last place, a whole half if it is odd.
     */
    uint64_t mantissa = quotient >> 11;
    uint64_t rest = quotient & 0x7FF;
    mantissa += rest > 0x400 || (rest == 0x400 && (mantissa & 1));
    /* Adding the mantissa with its top bit, rather than without, carries a mantissa
     * that was rounded up to 2^53 into the exponent. */
    uint64_t bits = sign | (((uint64_t)(exponent + 63 + 1023 - 1) << 52) + mantissa);
    double result;
    memcpy(&result, &bits, 8);
    return result;
}

void codec_values_to_double(double *dst, const uint8_t *values, size_t n,
                            ptrdiff_t stride) {
    for (size_t i = 0; i < n; i++, values += stride) {
        codec_value value;
        memcpy(&value, values, sizeof value);
        dst[i] = to_double(value);
    }
}
