/* Values to float64, decimal text to integers, and UTF-8, each against an independent
 * and slower way to the same result. */
#include "check.h"
#include "internal.h"

typedef unsigned __int128 u128;

static guarded text_pages;

/* |v| / 10^18 by long division: the significand is the quotient of 53 bits, whose
 * remainder says how to round. */
static double naive_double(codec_value value) {
    u128 magnitude = (u128)(uint64_t)value.hi << 64 | value.lo;
    bool negative = value.hi < 0;
    if (negative)
        magnitude = -magnitude;
    if (magnitude == 0)
        return 0.0;
    const u128 scale = 1000000000000000000ULL;
    u128 dividend = magnitude, divisor = scale;
    int exponent = 0;
    while (dividend / divisor >= (u128)1 << 53)
        divisor <<= 1, exponent++;
    while (dividend / divisor < (u128)1 << 52)
        dividend <<= 1, exponent--;
    uint64_t significand = (uint64_t)(dividend / divisor);
    u128 twice = dividend % divisor * 2;
    significand += twice > divisor || (twice == divisor && significand & 1);
    double result = (double)significand; /* exact: at most 2^53 */
    for (; exponent > 0; exponent--)
        result *= 2;
    for (; exponent < 0; exponent++)
        result /= 2;
    return negative ? -result : result;
}

static codec_value value_of(u128 x) {
    return (codec_value){(uint64_t)x, (int64_t)(uint64_t)(x >> 64)};
}

static void double_check(u128 x) {
    codec_value value = value_of(x);
    double expected = naive_double(value), result;
    codec_values_to_double(&result, (const uint8_t *)&value, 1, 16);
    CHECK(memcmp(&result, &expected, 8) == 0, "%016llx%016llx gives %a, not %a",
          (unsigned long long)value.hi, (unsigned long long)value.lo, result, expected);
}

static void double_check_near(u128 x) {
    for (int i = -3; i <= 3; i++) {
        double_check(x + (u128)i);
        double_check(-(x + (u128)i));
    }
}

static void doubles_test(void) {
    u128 power = 1;
    for (int i = 0; i < 39; i++, power *= 10)
        double_check_near(power);
    for (int i = 0; i < 128; i++)
        double_check_near((u128)1 << i);
    for (int i = 0; i < 2000; i++)
        double_check((u128)i * 1000000000000000ULL);
    /* Half-way between two doubles, and next to it: (2m + 1) * 2^e * 10^18 / 2. */
    for (int shift = 0; shift < 32; shift++) {
        for (int i = 0; i < 2000; i++) {
            u128 odd = 2 * ((u128)1 << 52 | random_u64() >> 12) + 1;
            double_check_near(odd * 3814697265625ULL << shift);
        }
    }
    for (int i = 0; i < 1000000; i++) {
        u128 x = (u128)random_u64() << 64 | random_u64();
        double_check(x >> random_below(128));
    }
}

/* Strides and unaligned places, between guard pages. */
static void doubles_stride_test(void) {
    enum { N = 17 };
    for (ptrdiff_t stride = 16; stride <= 40; stride++) {
        uint8_t *first = text_pages.end - (N - 1) * stride - 16;
        double forward[N], backward[N];
        random_fill(first, (N - 1) * (size_t)stride + 16);
        codec_values_to_double(forward, first, N, stride);
        codec_values_to_double(backward, first + (N - 1) * stride, N, -stride);
        for (int i = 0; i < N; i++) {
            codec_value value;
            memcpy(&value, first + i * stride, sizeof value);
            double expected = naive_double(value);
            CHECK(memcmp(&forward[i], &expected, 8) == 0, "stride %d", (int)stride);
            CHECK(memcmp(&backward[N - 1 - i], &expected, 8) == 0, "stride -%d",
                  (int)stride);
        }
    }
}

/* The grammar, then the range by comparing digits with those of the limit. */
static int naive_value(const char *text, size_t n, codec_value *value) {
    bool negative = n > 0 && text[0] == '-';
    const char *digits = text + negative;
    size_t n_digits = n - negative;
    for (size_t i = 0; i < n_digits; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return CODEC_ERROR_INVALID_NUMBER;
    }
    if (n_digits == 0 || (digits[0] == '0' && (n_digits > 1 || negative)))
        return CODEC_ERROR_INVALID_NUMBER;
    const char *limit = negative ? "170141183460469231731687303715884105728"
                                 : "170141183460469231731687303715884105727";
    if (n_digits > 39 || (n_digits == 39 && memcmp(digits, limit, 39) > 0))
        return CODEC_ERROR_OUT_OF_RANGE;
    u128 sum = 0;
    for (size_t i = 0; i < n_digits; i++)
        sum = sum * 10 + (u128)(digits[i] - '0');
    *value = value_of(negative ? -sum : sum);
    return 0;
}

static void decimal_check(const char *text, size_t n) {
    codec_value expected = {0, 0}, value = {0, 0};
    uint8_t *place = text_pages.end - n;
    if (n)
        memcpy(place, text, n);
    int status = codec_decimal_to_value(place, n, &value);
    int naive = naive_value(text, n, &expected);
    CHECK(status == naive, "'%.*s': %d, not %d", (int)n, text, status, naive);
    CHECK(status || memcmp(&value, &expected, 16) == 0, "'%.*s'", (int)n, text);
    static const uint64_t limits[] = {UINT8_MAX, UINT16_MAX, UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        uint64_t small = 0;
        bool fits = expected.hi == 0 && expected.lo <= limits[i];
        int wanted = naive ? naive : fits ? 0 : CODEC_ERROR_OUT_OF_RANGE;
        status = codec_decimal_to_u64(place, n, limits[i], &small);
        CHECK(status == wanted, "'%.*s' to uint: %d, not %d", (int)n, text, status,
              wanted);
        CHECK(status || small == expected.lo, "'%.*s' to uint", (int)n, text);
    }
}

static void decimals_test(void) {
    static const char *const limits[] = {
        "0",
        "255",
        "256",
        "65535",
        "65536",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "170141183460469231731687303715884105727",
        "170141183460469231731687303715884105728",
        "170141183460469231731687303715884105729",
        "340282366920938463463374607431768211455",
        "340282366920938463463374607431768211456",
        "999999999999999999999999999999999999999",
        "1000000000000000000000000000000000000000",
        "3402823669209384634633746074317682114560",
    };
    char text[80];
    decimal_check("", 0);
    decimal_check("-", 1);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (int sign = 0; sign < 3; sign++) {
            int n = snprintf(text, sizeof text, "%s%s", &"--"[2 - sign], limits[i]);
            decimal_check(text, (size_t)n);
            n = snprintf(text, sizeof text, "%s0%s", &"--"[2 - sign], limits[i]);
            decimal_check(text, (size_t)n);
        }
    }
    for (size_t n = 1; n <= 60; n++) {
        for (int round = 0; round < 300; round++) {
            for (size_t i = 0; i < n; i++)
                text[i] = (char)('0' + random_below(10));
            if (round & 1)
                text[0] = round & 2 ? '-' : '1';
            decimal_check(text, n);
        }
        for (size_t at = 0; at < n; at++) {
            char good = text[at];
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                decimal_check(text, n);
            }
            text[at] = good;
        }
    }
}

/* By code points: what the lead byte announces, put together and judged. */
static size_t naive_utf8(const uint8_t *text, size_t len) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t at = 0;
    while (at < len) {
        uint8_t lead = text[at];
        size_t n = lead < 0x80             ? 1
                   : (lead & 0xE0) == 0xC0 ? 2
                   : (lead & 0xF0) == 0xE0 ? 3
                   : (lead & 0xF8) == 0xF0 ? 4
                                           : 0;
        if (n == 0 || n > len - at)
            return at;
        uint32_t point = n == 1 ? lead : lead & (0xFFU >> (n + 1));
        for (size_t i = 1; i < n; i++) {
            if (text[at + i] >> 6 != 2)
                return at;
            point = point << 6 | (text[at + i] & 0x3F);
        }
        if (point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
            return at;
        at += n;
    }
    return len;
}

static void utf8_check(const uint8_t *text, size_t len) {
    size_t result = codec_utf8_check(text, len), expected = naive_utf8(text, len);
    CHECK(result == expected, "%zu, not %zu, in %zu bytes", result, expected, len);
}

static void utf8_test(void) {
    static const uint8_t telling[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                      0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                      0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1,
                                      0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFE, 0xFF};
    enum { N = sizeof telling };
    utf8_check(text_pages.end, 0);
    for (size_t before = 0; before < 10; before++) {
        for (unsigned i = 0; i < N * N * N * N; i++) {
            if (before && before != 7 && random_below(8))
                continue;
            for (size_t n = 1; n <= 4; n++) {
                uint8_t *text = text_pages.end - before - n;
                memset(text, 'x', before);
                for (unsigned k = 0, digits = i; k < n; k++, digits /= N)
                    text[before + k] = telling[digits % N];
                utf8_check(text, before + n);
            }
        }
    }
    for (int round = 0; round < 200000; round++) {
        size_t len = random_below(64);
        uint8_t *text = text_pages.end - len;
        for (size_t i = 0; i < len; i++)
            text[i] = random_below(4) ? 'a' : telling[random_below(N)];
        utf8_check(text, len);
    }
}

int main(void) {
    text_pages = guarded_new(4096);
    doubles_test();
    doubles_stride_test();
    decimals_test();
    utf8_test();
    return check_report("numbers");
}
