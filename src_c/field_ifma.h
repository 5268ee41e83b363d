/* Eight numbers mod p = 2^256 - 2^32 - 977 at once, in five limbs of 52 bits, for
 * AVX-512 IFMA; what is common to both moduli comes first.
 *
 * A `limbs` holds one limb of eight lanes in each register. `Normal`: limbs 0..3 are
 * below 2^52 and limb 4 is below 2^51, so that the value is below 2^259. The 52-bit
 * multiplication ignores bits 52 and up of its inputs, which is fatal for a limb that
 * has grown and welcome for one whose carry has been taken already. Every result of a
 * multiplication mod p is `tight`: normal, with limb 4 below 2^48 + 2^5, so below
 * 2^256 + 2^213 < 2p. */
#ifndef CODEC_FIELD_IFMA_H
#define CODEC_FIELD_IFMA_H

#include <immintrin.h>

#include "internal.h"

#define IFMA_TARGET                                                                    \
    __attribute__((target("avx512f,avx512ifma,avx512vl,avx512dq,avx512bw,bmi2")))
#define IFMA_INLINE static inline __attribute__((always_inline)) IFMA_TARGET
#define IFMA_CALLED static __attribute__((noinline)) IFMA_TARGET

#define LIMB_BITS 52
#define LIMB_MASK ((1ULL << LIMB_BITS) - 1)
#define TOP_BITS 48 /* of 256 in limb 4 */
#define TOP_MASK ((1ULL << TOP_BITS) - 1)

typedef struct {
    __m512i limb[5];
} limbs;

IFMA_INLINE __m512i lanes_all(uint64_t x) { return _mm512_set1_epi64((long long)x); }

/* A build with -DCODEC_DEBUG_BOUNDS stops where a limb is 2^bits or more, or (limb 4)
 * 2^top_bits or more. */
IFMA_INLINE void limbs_check(const limbs *a, unsigned bits, unsigned top_bits) {
#ifdef CODEC_DEBUG_BOUNDS
    for (int i = 0; i < 5; i++)
        if (_mm512_cmpge_epu64_mask(a->limb[i],
                                    lanes_all(1ULL << (i < 4 ? bits : top_bits))))
            __builtin_trap();
#else
    (void)a, (void)bits, (void)top_bits;
#endif
}

IFMA_INLINE void limbs_check_normal(const limbs *a) { limbs_check(a, LIMB_BITS, 51); }

/* Takes the carries out of limbs 0..3. Limbs must be below 2^63; limb 4 grows by at
 * most the largest limb / 2^52 + 1. */
IFMA_INLINE limbs limbs_carry(limbs a) {
    const __m512i mask = lanes_all(LIMB_MASK);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i carry = _mm512_srli_epi64(a.limb[i], LIMB_BITS);
        a.limb[i + 1] = _mm512_add_epi64(a.limb[i + 1], carry);
        a.limb[i] = _mm512_and_si512(a.limb[i], mask);
    }
    return a;
}

/* The same with signed limbs of a number that is not negative, or whose sign then
 * stands in limb 4. */
IFMA_INLINE limbs limbs_carry_signed(limbs a) {
    const __m512i mask = lanes_all(LIMB_MASK);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i carry = _mm512_srai_epi64(a.limb[i], LIMB_BITS);
        a.limb[i + 1] = _mm512_add_epi64(a.limb[i + 1], carry);
        a.limb[i] = _mm512_and_si512(a.limb[i], mask);
    }
    return a;
}

/* Each lane's number to or from four words, least significant first. Limb 4 is below
 * 2^48. */
IFMA_INLINE limbs limbs_from_words(const __m512i w[4]) {
    const __m512i mask = lanes_all(LIMB_MASK);
    limbs a;
    a.limb[0] = _mm512_and_si512(w[0], mask);
    /* 0xA8: (a | b) & c */
    a.limb[1] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(w[0], 52),
                                          _mm512_slli_epi64(w[1], 12), mask, 0xA8);
    a.limb[2] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(w[1], 40),
                                          _mm512_slli_epi64(w[2], 24), mask, 0xA8);
    a.limb[3] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(w[2], 28),
                                          _mm512_slli_epi64(w[3], 36), mask, 0xA8);
    a.limb[4] = _mm512_srli_epi64(w[3], 16);
    return a;
}

IFMA_INLINE void limbs_to_words(__m512i w[4], limbs a) {
    w[0] = _mm512_or_si512(a.limb[0], _mm512_slli_epi64(a.limb[1], 52));
    w[1] = _mm512_or_si512(_mm512_srli_epi64(a.limb[1], 12),
                           _mm512_slli_epi64(a.limb[2], 40));
    w[2] = _mm512_or_si512(_mm512_srli_epi64(a.limb[2], 24),
                           _mm512_slli_epi64(a.limb[3], 28));
    w[3] = _mm512_or_si512(_mm512_srli_epi64(a.limb[3], 36),
                           _mm512_slli_epi64(a.limb[4], 16));
}

/* The same number in every lane. */
IFMA_INLINE limbs limbs_all(codec_u256 x) {
    __m512i w[4];
    for (int i = 0; i < 4; i++)
        w[i] = lanes_all(x.w[i]);
    return limbs_from_words(w);
}

/* Lane 0's number. */
IFMA_INLINE codec_u256 limbs_first(limbs a) {
    __m512i w[4];
    codec_u256 x;
    limbs_to_words(w, a);
    for (int i = 0; i < 4; i++)
        x.w[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(w[i]));
    return x;
}

IFMA_INLINE limbs limbs_blend(__mmask8 take_b, limbs a, limbs b) {
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.limb[i] = _mm512_mask_mov_epi64(a.limb[i], take_b, b.limb[i]);
    return a;
}

/* Adds the ten columns of a * b, column k counting 2^(52 k), to low + high. Every limb
 * is below 2^52, so a column gets at most five low and five high products, each below
 * 2^52: less than 10 * 2^52 in all. Two accumulators a column halve the chain of
 * dependent additions, worth 8 to 10% of a multiplication. */
IFMA_INLINE void columns_multiply(__m512i low[10], __m512i high[10], const limbs *a,
                                  const limbs *b) {
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
#pragma GCC unroll 5
        for (int j = 0; j < 5; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limb[i], b->limb[j]);
            high[i + j + 1] =
                _mm512_madd52hi_epu64(high[i + j + 1], a->limb[i], b->limb[j]);
        }
    }
}

/* The ten columns of a * a with 30 multiplications: what stands beside the diagonal
 * once and doubled. The sums are those of columns_multiply. */
IFMA_INLINE void columns_square(__m512i columns[10], const limbs *a) {
    __m512i low[10], high[10];
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        low[i] = high[i] = _mm512_setzero_si512();
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
#pragma GCC unroll 5
        for (int j = i + 1; j < 5; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limb[i], a->limb[j]);
            high[i + j + 1] =
                _mm512_madd52hi_epu64(high[i + j + 1], a->limb[i], a->limb[j]);
        }
    }
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        columns[i] = _mm512_add_epi64(low[i], high[i]);
        columns[i] = _mm512_add_epi64(columns[i], columns[i]);
    }
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], a->limb[i], a->limb[i]);
        columns[2 * i + 1] =
            _mm512_madd52hi_epu64(columns[2 * i + 1], a->limb[i], a->limb[i]);
    }
}

#define P_FOLD_260 0x1000003D10ULL /* 2^260 mod p */
#define P_FOLD_256 0x1000003D1ULL  /* 2^256 mod p */

/* Limb i of p. */
#define P_LIMB(i)                                                                      \
    ((i) == 0 ? LIMB_MASK + 1 - P_FOLD_256 : (i) < 4 ? LIMB_MASK : TOP_MASK)

/* k * p with limbs k times as large as those of p: limbs 0..3 are at least k * 2^52 -
 * k * 2^33, limb 4 is k * 2^48 - k. */
IFMA_INLINE __m512i field_p(uint64_t k, int i) { return lanes_all(k * P_LIMB(i)); }

/* The number whose columns are low + high, as a tight one. Columns 0..4 are below
 * 2^56 + 2^55 (a product's and an addend's), 5..9 a product's alone.
 *
 * Upper half: a column is below 10 * 2^52 and a carry below 2^4, and column 9 is
 * hi(a4 b4) < 2^50 plus a carry, so below 2^51. The folding multiplication drops the
 * bits whose carry has been taken. It adds lo and hi parts below 2^52 each to the
 * columns 0..4; hi of column 9 (below 2^(51 + 37 - 52) = 2^36) belongs to column 5.
 * Lower half: each column is below 2^57 then, so what lies above 2^256 is
 * q = column 4 >> 48 (below 2^9) + 2^4 times that hi part: below 2^41. Limb 4 is
 * below 2^48 after that, and the carry from column 3 (two products and the folding's
 * two parts fewer than 19 * 2^52, with an addend below 8 * 2^52) below 2^5. */
IFMA_INLINE limbs field_reduce(const __m512i low[10], const __m512i high[10]) {
    const __m512i fold_260 = lanes_all(P_FOLD_260), fold_256 = lanes_all(P_FOLD_256);
    __m512i upper[5], folded = _mm512_setzero_si512(), quotient;
    __m512i l[5], h[5];
    limbs r;
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        upper[i] = _mm512_add_epi64(low[5 + i], high[5 + i]);
        l[i] = low[i];
        h[i] = high[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        upper[i + 1] =
            _mm512_add_epi64(upper[i + 1], _mm512_srli_epi64(upper[i], LIMB_BITS));
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        l[i] = _mm512_madd52lo_epu64(l[i], upper[i], fold_260);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        h[i + 1] = _mm512_madd52hi_epu64(h[i + 1], upper[i], fold_260);
    folded = _mm512_madd52hi_epu64(folded, upper[4], fold_260);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        r.limb[i] = _mm512_add_epi64(l[i], h[i]);
    quotient = _mm512_add_epi64(_mm512_srli_epi64(r.limb[4], TOP_BITS),
                                _mm512_slli_epi64(folded, LIMB_BITS - TOP_BITS));
    r.limb[4] = _mm512_and_si512(r.limb[4], lanes_all(TOP_MASK));
    r.limb[0] = _mm512_madd52lo_epu64(r.limb[0], quotient, fold_256);
    r.limb[1] = _mm512_madd52hi_epu64(r.limb[1], quotient, fold_256);
    r = limbs_carry(r);
    limbs_check(&r, LIMB_BITS, 49);
    return r;
}

/* a * b + e: a and b normal, limbs of e below 2^55. */
IFMA_INLINE limbs field_mul_add(const limbs *a, const limbs *b, const limbs *e) {
    __m512i low[10], high[10];
    limbs_check_normal(a);
    limbs_check_normal(b);
    limbs_check(e, 55, 55);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        low[i] = i < 5 ? e->limb[i] : _mm512_setzero_si512();
        high[i] = _mm512_setzero_si512();
    }
    columns_multiply(low, high, a, b);
    return field_reduce(low, high);
}

IFMA_INLINE limbs field_mul(const limbs *a, const limbs *b) {
    __m512i low[10], high[10];
    limbs_check_normal(a);
    limbs_check_normal(b);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        low[i] = high[i] = _mm512_setzero_si512();
    columns_multiply(low, high, a, b);
    return field_reduce(low, high);
}

/* a * a + e, with the bounds of field_mul_add. */
IFMA_INLINE limbs field_square_add(const limbs *a, const limbs *e) {
    __m512i low[10], high[10];
    limbs_check_normal(a);
    limbs_check(e, 55, 55);
    columns_square(low, a);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        high[i] = i < 5 ? e->limb[i] : _mm512_setzero_si512();
    return field_reduce(low, high);
}

IFMA_INLINE limbs field_square(const limbs *a) {
    limbs zero;
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        zero.limb[i] = _mm512_setzero_si512();
    return field_square_add(a, &zero);
}

/* k p - a, limb by limb without carries: limbs below k * 2^52. With k = 2, a is tight:
 * its limbs are at most 2^52 - 1 < 2^53 - 2^34 and 2^48 + 2^5 < 2^49 - 2. */
IFMA_INLINE limbs field_minus(const limbs *a, uint64_t k) {
    limbs r;
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        r.limb[i] = _mm512_sub_epi64(field_p(k, i), a->limb[i]);
    return r;
}

/* a - b as a normal number, a + 2p - b: limb 4 is below 3 * 2^48 + 2^6. Both are
 * tight. */
IFMA_INLINE limbs field_sub(const limbs *a, const limbs *b) {
    limbs r = field_minus(b, 2);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        r.limb[i] = _mm512_add_epi64(r.limb[i], a->limb[i]);
    return limbs_carry(r);
}

/* The lanes in which a normal number below 2^258 is 0 mod p, that is k p for k in
 * 0..4. k p = k 2^256 - k * 2^256 mod p has, for k in 1..4, limbs 2^52 - k * fold,
 * thrice 2^52 - 1, k 2^48 - 1. No honest signature gets past the first test. */
IFMA_INLINE __mmask8 field_zeros(const limbs *a) {
    __m512i same = _mm512_ternarylogic_epi64(a->limb[1], a->limb[2], a->limb[3], 0x80);
    __m512i none = _mm512_ternarylogic_epi64(a->limb[1], a->limb[2], a->limb[3], 0xFE);
    __mmask8 maybe = _mm512_cmpeq_epi64_mask(same, lanes_all(LIMB_MASK)) |
                     _mm512_testn_epi64_mask(none, none);
    __mmask8 zeros = 0;
    if (CODEC_LIKELY(!maybe))
        return 0;
    zeros = _mm512_testn_epi64_mask(none, none) &
            _mm512_testn_epi64_mask(a->limb[0], a->limb[0]) &
            _mm512_testn_epi64_mask(a->limb[4], a->limb[4]);
    for (uint64_t k = 1; k <= 4; k++)
        zeros |= _mm512_cmpeq_epi64_mask(same, lanes_all(LIMB_MASK)) &
                 _mm512_cmpeq_epi64_mask(a->limb[0],
                                         lanes_all(LIMB_MASK + 1 - k * P_FOLD_256)) &
                 _mm512_cmpeq_epi64_mask(a->limb[4], lanes_all((k << TOP_BITS) - 1));
    return zeros;
}

/* A normal number's only form below p. What is above 2^256 (below 2^3) is folded
 * first, which leaves less than 2^256 + 2^36 < 2p; then v >= p where v + 2^256 - p
 * reaches 2^256, and v - p is what it has below. */
IFMA_INLINE limbs field_canonical(limbs a) {
    __m512i above = _mm512_srli_epi64(a.limb[4], TOP_BITS);
    limbs b;
    limbs_check_normal(&a);
    a.limb[4] = _mm512_and_si512(a.limb[4], lanes_all(TOP_MASK));
    a.limb[0] = _mm512_madd52lo_epu64(a.limb[0], above, lanes_all(P_FOLD_256));
    a = limbs_carry(a);
    b = a;
    b.limb[0] = _mm512_add_epi64(b.limb[0], lanes_all(P_FOLD_256));
    b = limbs_carry(b);
    above = _mm512_srli_epi64(b.limb[4], TOP_BITS);
    b.limb[4] = _mm512_and_si512(b.limb[4], lanes_all(TOP_MASK));
    return limbs_blend(_mm512_test_epi64_mask(above, above), a, b);
}

#endif
