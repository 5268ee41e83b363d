/* Arithmetic modulo p = 2^256 - 2^32 - 977 with 64-bit instructions.
 *
 * A number is the sum of limb[i] * 2^(52 i), not reduced. It has magnitude m where
 * limbs 0 to 3 are at most m (2^52 - 1) and limb 4 is at most m (2^48 + 2^40).
 * Multiplication takes magnitudes up to 8 and gives 1; sums add them up. With
 * CODEC_DEBUG_BOUNDS every operation stops the program where its operands break its
 * contract. */
#ifndef CODEC_FIELD64_H
#define CODEC_FIELD64_H

#include "known.h"

__extension__ typedef unsigned __int128 codec_u128;

typedef struct {
    uint64_t limb[5];
} field;

/* gcc hands structures to functions through memory, with wider moves than the stores
 * just before them, and waits for those: that costs up to a tenth. */
#define FIELD_INLINE static inline __attribute__((always_inline))

#define FIELD_MASK (~0ULL >> 12)
#define FIELD_TOP_MASK (~0ULL >> 16)
#define FIELD_P0 (FIELD_MASK - 0x1000003D0ULL)
#define FIELD_FOLD 0x1000003D1ULL      /* 2^256 mod p */
#define FIELD_FOLD_260 0x1000003D10ULL /* 2^260 mod p, below 2^36.01 */

#define FIELD_ZERO ((field){{0, 0, 0, 0, 0}})
#define FIELD_ONE ((field){{1, 0, 0, 0, 0}})

FIELD_INLINE void field_check(const field *a, uint64_t magnitude) {
#ifdef CODEC_DEBUG_BOUNDS
#pragma GCC unroll 5
    for (int i = 0; i < 4; i++)
        if (a->limb[i] > magnitude * FIELD_MASK)
            __builtin_trap();
    if (a->limb[4] > magnitude * ((1ULL << 48) + (1ULL << 40)))
        __builtin_trap();
#else
    (void)a;
    (void)magnitude;
#endif
}

/* x < 2^256; magnitude 1. */
FIELD_INLINE field field_from(const uint64_t x[4]) {
    return (field){{x[0] & FIELD_MASK, (x[0] >> 52 | x[1] << 12) & FIELD_MASK,
                    (x[1] >> 40 | x[2] << 24) & FIELD_MASK,
                    (x[2] >> 28 | x[3] << 36) & FIELD_MASK, x[3] >> 16}};
}

/* Magnitudes add up; the sum's is 9 at most, which only field_negate's results and
 * addends may have. */
FIELD_INLINE field field_add(field a, field b) {
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.limb[i] += b.limb[i];
    field_check(&a, 9);
    return a;
}

/* k a; magnitude k times that of a, at most 8. */
FIELD_INLINE field field_times(field a, uint64_t k) {
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.limb[i] *= k;
    field_check(&a, 8);
    return a;
}

/* (m + 1) p - a, where a has magnitude m, at most 8; magnitude m + 1. No limb falls
 * below 0: the lowest of (m + 1) p is (m + 1) (2^52 - 2^32.01) > m 2^52, the highest
 * (m + 1) (2^48 - 1) > m (2^48 + 2^40), both because m is far below 2^8. */
FIELD_INLINE field field_negate(field a, uint64_t m) {
    field_check(&a, m);
    a.limb[0] = (m + 1) * FIELD_P0 - a.limb[0];
#pragma GCC unroll 5
    for (int i = 1; i < 4; i++)
        a.limb[i] = (m + 1) * FIELD_MASK - a.limb[i];
    a.limb[4] = (m + 1) * FIELD_TOP_MASK - a.limb[4];
    field_check(&a, m + 1);
    return a;
}

/* a - b, where b has magnitude m; that of the difference is m + 1 more than a's. */
FIELD_INLINE field field_sub(field a, field b, uint64_t m) {
    return field_add(a, field_negate(b, m));
}

/* The sum of column[i] * 2^(52 i), to magnitude 1. Columns 3 and 4 go first, because
 * what they have above 2^256 then folds along with the higher columns.
 *
 * With factors of magnitude 8 (limbs below 2^55, the highest below 2^51.01) and addends
 * below 2^56, columns 0 to 6 are at most 2^112 + 2^57 (column 3, of four full
 * products), column 7 is below 2^107.1 and column 8 below 2^102.1. What is added to a
 * column on the way, a carry below 2^61 and a folded word below 2^101, leaves every sum
 * below 2^113. At the end what column 7 has above 2^64 is below 2^43.2, times 2^12
 * FIELD_FOLD_260 below 2^91.3: limb 3 carries less than 2^40 into limb 4. */
FIELD_INLINE field field_reduce(const codec_u128 column[9]) {
    field z;
    codec_u128 high, low;
    high = column[3] + (codec_u128)(uint64_t)column[8] * FIELD_FOLD_260;
    uint64_t limb3 = (uint64_t)high & FIELD_MASK;
    high >>= 52;
    /* 2^64 = 2^52 2^12 */
    high +=
        column[4] + (codec_u128)(uint64_t)(column[8] >> 64) * (FIELD_FOLD_260 << 12);
    uint64_t limb4 = (uint64_t)high & FIELD_MASK;
    high >>= 52;

    high += column[5];
    uint64_t above = ((uint64_t)high & FIELD_MASK) << 4 | limb4 >> 48;
    high >>= 52;
    low = column[0] + (codec_u128)above * FIELD_FOLD;
    z.limb[0] = (uint64_t)low & FIELD_MASK;
    low >>= 52;

    high += column[6];
    low += column[1] + (codec_u128)((uint64_t)high & FIELD_MASK) * FIELD_FOLD_260;
    high >>= 52;
    z.limb[1] = (uint64_t)low & FIELD_MASK;
    low >>= 52;

    high += column[7];
    low += column[2] + (codec_u128)(uint64_t)high * FIELD_FOLD_260;
    z.limb[2] = (uint64_t)low & FIELD_MASK;
    low >>= 52;

    low += limb3 + (codec_u128)(uint64_t)(high >> 64) * (FIELD_FOLD_260 << 12);
    z.limb[3] = (uint64_t)low & FIELD_MASK;
    z.limb[4] = (limb4 & FIELD_TOP_MASK) + (uint64_t)(low >> 52);
    field_check(&z, 1);
    return z;
}

/* a b + c; magnitudes of a and b at most 8, c's at most 9. */
FIELD_INLINE field field_mul_add(field a, field b, field c) {
    const uint64_t *x = a.limb, *y = b.limb;
    codec_u128 column[9];
    field_check(&a, 8);
    field_check(&b, 8);
    field_check(&c, 9);
#define FIELD_PRODUCT(i, j) ((codec_u128)x[i] * y[j])
    column[0] = FIELD_PRODUCT(0, 0) + c.limb[0];
    column[1] = FIELD_PRODUCT(0, 1) + FIELD_PRODUCT(1, 0) + c.limb[1];
    column[2] =
        FIELD_PRODUCT(0, 2) + FIELD_PRODUCT(1, 1) + FIELD_PRODUCT(2, 0) + c.limb[2];
    column[3] = FIELD_PRODUCT(0, 3) + FIELD_PRODUCT(1, 2) + FIELD_PRODUCT(2, 1) +
                FIELD_PRODUCT(3, 0) + c.limb[3];
    column[4] = FIELD_PRODUCT(0, 4) + FIELD_PRODUCT(1, 3) + FIELD_PRODUCT(2, 2) +
                FIELD_PRODUCT(3, 1) + FIELD_PRODUCT(4, 0) + c.limb[4];
    column[5] = FIELD_PRODUCT(1, 4) + FIELD_PRODUCT(2, 3) + FIELD_PRODUCT(3, 2) +
                FIELD_PRODUCT(4, 1);
    column[6] = FIELD_PRODUCT(2, 4) + FIELD_PRODUCT(3, 3) + FIELD_PRODUCT(4, 2);
    column[7] = FIELD_PRODUCT(3, 4) + FIELD_PRODUCT(4, 3);
    column[8] = FIELD_PRODUCT(4, 4);
    return field_reduce(column);
}

/* a^2 + c; as field_mul_add. A doubled limb is below 2^56. */
FIELD_INLINE field field_sqr_add(field a, field c) {
    const uint64_t *x = a.limb, *y = a.limb;
    const uint64_t twice[4] = {2 * x[0], 2 * x[1], 2 * x[2], 2 * x[3]};
    codec_u128 column[9];
    field_check(&a, 8);
    field_check(&c, 9);
#define FIELD_DOUBLED(i, j) ((codec_u128)twice[i] * y[j])
    column[0] = FIELD_PRODUCT(0, 0) + c.limb[0];
    column[1] = FIELD_DOUBLED(0, 1) + c.limb[1];
    column[2] = FIELD_DOUBLED(0, 2) + FIELD_PRODUCT(1, 1) + c.limb[2];
    column[3] = FIELD_DOUBLED(0, 3) + FIELD_DOUBLED(1, 2) + c.limb[3];
    column[4] =
        FIELD_DOUBLED(0, 4) + FIELD_DOUBLED(1, 3) + FIELD_PRODUCT(2, 2) + c.limb[4];
    column[5] = FIELD_DOUBLED(1, 4) + FIELD_DOUBLED(2, 3);
    column[6] = FIELD_DOUBLED(2, 4) + FIELD_PRODUCT(3, 3);
    column[7] = FIELD_DOUBLED(3, 4);
    column[8] = FIELD_PRODUCT(4, 4);
#undef FIELD_DOUBLED
#undef FIELD_PRODUCT
    return field_reduce(column);
}

FIELD_INLINE field field_mul(field a, field b) {
    return field_mul_add(a, b, FIELD_ZERO);
}

FIELD_INLINE field field_sqr(field a) { return field_sqr_add(a, FIELD_ZERO); }

/* To [0, p), from magnitude 9 or less. */
static inline field field_normalise(field a) {
    field_check(&a, 9);
    uint64_t carry = (a.limb[4] >> 48) * FIELD_FOLD;
    a.limb[4] &= FIELD_TOP_MASK;
#pragma GCC unroll 5
    for (int i = 0; i < 4; i++) {
        carry += a.limb[i];
        a.limb[i] = carry & FIELD_MASK;
        carry >>= 52;
    }
    /* Below 10, so that what is there is below 2^256 + 10 * 2^208, and less than 2 p.
     */
    a.limb[4] += carry;
    /* At least p where adding 2^256 - p reaches 2^256. */
    field b;
    carry = FIELD_FOLD;
#pragma GCC unroll 5
    for (int i = 0; i < 4; i++) {
        carry += a.limb[i];
        b.limb[i] = carry & FIELD_MASK;
        carry >>= 52;
    }
    b.limb[4] = a.limb[4] + carry;
    if (!(b.limb[4] >> 48))
        return a;
    b.limb[4] &= FIELD_TOP_MASK;
    return b;
}

static inline bool field_is_zero_slow(field a) {
    a = field_normalise(a);
    return !(a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3] | a.limb[4]);
}

/* Whether a, of magnitude 9 or less, is a multiple of p. It would be k p with k <= 9,
 * as magnitude m is below m (1 + 2^-7) 2^256, and the low limb of k p is -k FIELD_FOLD;
 * so one comparison answers for all but one number in 2^16. */
FIELD_INLINE bool field_is_zero(field a) {
    return CODEC_UNLIKELY(((0 - a.limb[0]) & FIELD_MASK) <= 9 * FIELD_FOLD) &&
           field_is_zero_slow(a);
}

/* Normalised limbs to words. */
static inline void field_to(uint64_t x[4], field a) {
    const uint64_t *l = a.limb;
    x[0] = l[0] | l[1] << 52;
    x[1] = l[1] >> 12 | l[2] << 40;
    x[2] = l[2] >> 24 | l[3] << 28;
    x[3] = l[3] >> 36 | l[4] << 16;
}

/* 1 / a, of magnitude 9 or less and not a multiple of p; magnitude 1. */
static inline field field_inverse(field a) {
    codec_u256 x;
    field_to(x.w, field_normalise(a));
    x = codec_inverse_mod_p(x);
    return field_from(x.w);
}

#endif
