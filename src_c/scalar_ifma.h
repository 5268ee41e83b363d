/* Eight numbers mod n, the order of the group, at once: Montgomery multiplication with
 * R = 2^260, in the limbs of field_ifma.h. */
#ifndef CODEC_SCALAR_IFMA_H
#define CODEC_SCALAR_IFMA_H

#include "field_ifma.h"

static const uint64_t scalar_n[5] = {0x25e8cd0364141, 0xe6af48a03bbfd, 0xffffffebaaedc,
                                     0xfffffffffffff, 0x0ffffffffffff};
/* R^2 mod n */
static const uint64_t scalar_r2[5] = {0xe180c268b3b23, 0x94fd6e33e4c8e, 0xd07c73b975948,
                                      0xc5e697f5e45bc, 0x0671cd581c69b};
#define SCALAR_N_INVERSE 0xdff665588b13fULL /* -1 / n mod 2^52 */

IFMA_INLINE limbs scalar_constant(const uint64_t x[5]) {
    limbs r;
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        r.limb[i] = lanes_all(x[i]);
    return r;
}

/* a * b / R mod n, below a b / R + n. Limbs 0..3 are below 2^52, limb 4 is below 2^49:
 * a b < 2^514, so the result is below 2^254 + n and can be multiplied again.
 *
 * A column is below 10 * 2^52 from a * b and as much from m * n, with a carry below
 * 2^6. m takes the low 52 bits of a column alone, as does the multiplication. */
IFMA_INLINE limbs scalar_mul(const limbs *a, const limbs *b) {
    const __m512i n_inverse = lanes_all(SCALAR_N_INVERSE);
    __m512i low[10], high[10];
    limbs r;
    limbs_check(a, LIMB_BITS, 49);
    limbs_check(b, LIMB_BITS, 49);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        low[i] = high[i] = _mm512_setzero_si512();
    columns_multiply(low, high, a, b);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        __m512i column = _mm512_add_epi64(low[i], high[i]), m;
        m = _mm512_madd52lo_epu64(_mm512_setzero_si512(), column, n_inverse);
#pragma GCC unroll 5
        for (int j = 0; j < 5; j++) {
            __m512i n_j = lanes_all(scalar_n[j]);
            if (j == 0)
                column = _mm512_madd52lo_epu64(column, m, n_j);
            else
                low[i + j] = _mm512_madd52lo_epu64(low[i + j], m, n_j);
            high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], m, n_j);
        }
        /* The column's low 52 bits are 0. */
        low[i + 1] = _mm512_add_epi64(low[i + 1], _mm512_srli_epi64(column, LIMB_BITS));
    }
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        r.limb[i] = _mm512_add_epi64(low[5 + i], high[5 + i]);
    r = limbs_carry(r);
    limbs_check(&r, LIMB_BITS, 49);
    return r;
}

/* a + b mod n, below 2^256 where a < n + 2^255 and b < n: subtracts n up to twice. Each
 * limb is below 2^53 in size before its carry. */
IFMA_INLINE limbs scalar_add(limbs a, limbs b) {
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
    a = limbs_carry(a);
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        limbs less = a;
#pragma GCC unroll 5
        for (int i = 0; i < 5; i++)
            less.limb[i] = _mm512_sub_epi64(less.limb[i], lanes_all(scalar_n[i]));
        less = limbs_carry_signed(less);
        a = limbs_blend(_mm512_cmpge_epi64_mask(less.limb[4], _mm512_setzero_si512()),
                        a, less);
    }
    limbs_check(&a, LIMB_BITS, TOP_BITS);
    return a;
}

#endif
