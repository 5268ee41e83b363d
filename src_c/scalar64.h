/* Arithmetic modulo the group's order n with 64-bit instructions. Numbers are reduced
 * unless a contract says otherwise. */
#ifndef CODEC_SCALAR64_H
#define CODEC_SCALAR64_H

#include "known.h"

__extension__ typedef unsigned __int128 scalar_wide;

#define SCALAR_N0 0xBFD25E8CD0364141ULL
#define SCALAR_N1 0xBAAEDCE6AF48A03BULL
#define SCALAR_N2 0xFFFFFFFFFFFFFFFEULL
#define SCALAR_N3 0xFFFFFFFFFFFFFFFFULL

/* 2^512 mod n: times this is times 2^256 in scalar_mul's sense. */
static const codec_u256 scalar_square = {{0x896CF21467D7D140ULL, 0x741496C20E7CF878ULL,
                                          0xE697F5E45BCD07C6ULL,
                                          0x9D671CD581C69BC5ULL}};

static inline codec_u256 scalar_load_be(const uint8_t *p) {
    return (codec_u256){
        {load_be64(p + 24), load_be64(p + 16), load_be64(p + 8), load_be64(p)}};
}

/* x + above * 2^256 less n where it is n or more; it is below 2 n. */
static inline codec_u256 scalar_reduce(codec_u256 x, uint64_t above) {
    const uint64_t n[4] = {SCALAR_N0, SCALAR_N1, SCALAR_N2, SCALAR_N3};
    codec_u256 less;
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        scalar_wide d = (scalar_wide)x.w[i] - n[i] - borrow;
        less.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    uint64_t keep = 0 - (uint64_t)(above < borrow);
    for (int i = 0; i < 4; i++)
        x.w[i] = (x.w[i] & keep) | (less.w[i] & ~keep);
    return x;
}

static inline codec_u256 scalar_add(codec_u256 a, codec_u256 b) {
    scalar_wide sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (scalar_wide)a.w[i] + b.w[i];
        a.w[i] = (uint64_t)sum;
        sum >>= 64;
    }
    return scalar_reduce(a, (uint64_t)sum);
}

/* a b / 2^256 mod n (Montgomery). b is reduced, a is any number of 256 bits. Each of
 * the four rounds adds a[i] b and the multiple of n that clears the lowest word, then
 * drops that word: what is there stays below b + n < 2 n, and the sums of a product
 * and two words below 2^128. */
static inline codec_u256 scalar_mul(codec_u256 a, codec_u256 b) {
    const uint64_t n[4] = {SCALAR_N0, SCALAR_N1, SCALAR_N2, SCALAR_N3};
    uint64_t t[5] = {0, 0, 0, 0, 0};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        scalar_wide x = (scalar_wide)a.w[i] * b.w[0] + t[0];
        uint64_t m = (uint64_t)x * 0x4B0DFF665588B13FULL; /* -1 / n mod 2^64 */
        scalar_wide y = (scalar_wide)m * n[0] + (uint64_t)x;
#pragma GCC unroll 3
        for (int j = 1; j < 4; j++) {
            x = (scalar_wide)a.w[i] * b.w[j] + t[j] + (uint64_t)(x >> 64);
            y = (scalar_wide)m * n[j] + (uint64_t)x + (uint64_t)(y >> 64);
            t[j - 1] = (uint64_t)y;
        }
        y = (scalar_wide)t[4] + (uint64_t)(x >> 64) + (uint64_t)(y >> 64);
        t[3] = (uint64_t)y;
        t[4] = (uint64_t)(y >> 64);
    }
    return scalar_reduce((codec_u256){{t[0], t[1], t[2], t[3]}}, t[4]);
}

/* Bits `at` to `at + window - 1` of x, zeros behind its end; at < 256, window <= 16. */
static inline unsigned scalar_window(const codec_u256 *x, unsigned at,
                                     unsigned window) {
    unsigned i = at / 64, shift = at % 64;
    uint64_t bits = x->w[i] >> shift;
    if (i < 3)
        bits |= x->w[i + 1] << 1 << (63 - shift);
    return (unsigned)bits & ((1U << window) - 1);
}

#endif
