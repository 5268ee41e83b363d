/* Inverses modulo the field's prime and the group's order, after Bernstein and Yang:
 * division steps on the lowest 62 bits, gathered in a matrix that is then applied to
 * the whole numbers. */
#include "scalar64.h"

__extension__ typedef __int128 wide;

/* A number is the sum of limb[i] * 2^(62 i). Limbs 0 to 3 lie in [0, 2^62) (a modulus'
 * may be negative), limb 4 has the sign. */
enum { N_LIMBS = 5, LIMB_BITS = 62 };
#define LIMB_MASK (~0ULL >> 2)

typedef struct {
    int64_t limb[N_LIMBS];
} number;

typedef struct {
    number value;
    uint64_t negated_inverse; /* -1 / value mod 2^62 */
} modulus;

/* p = 2^256 - 0x1000003D1 */
static const modulus mod_p = {{{-0x1000003D1LL, 0, 0, 0, 256}}, 0x1838091DD2253531ULL};
static const modulus mod_n = {
    {{0x3FD25E8CD0364141LL, 0x2ABB739ABD2280EELL, -0x15LL, 0, 256}},
    0x0B0DFF665588B13FULL};

/* 2^62 (f', g') = (u f + v g, q f + r g). |u| + |v| <= 2^62 and |q| + |r| <= 2^62. */
typedef struct {
    int64_t u, v, q, r;
} matrix;

static inline number number_from(codec_u256 x) {
    const uint64_t *w = x.w;
    return (number){
        {(int64_t)(w[0] & LIMB_MASK), (int64_t)((w[0] >> 62 | w[1] << 2) & LIMB_MASK),
         (int64_t)((w[1] >> 60 | w[2] << 4) & LIMB_MASK),
         (int64_t)((w[2] >> 58 | w[3] << 6) & LIMB_MASK), (int64_t)(w[3] >> 56)}};
}

/* x is in [0, 2^256). */
static inline codec_u256 number_to(const number *x) {
    uint64_t l[N_LIMBS];
    for (int i = 0; i < N_LIMBS; i++)
        l[i] = (uint64_t)x->limb[i];
    return (codec_u256){{l[0] | l[1] << 62, l[1] >> 2 | l[2] << 60,
                         l[2] >> 4 | l[3] << 58, l[3] >> 6 | l[4] << 56}};
}

/* 62 division steps on the lowest bits of f (odd) and g: while eta = -delta says so, f
 * and g change places; then g loses as many low bits as one multiple of f can clear,
 * at most six and no more than steps that surely do not swap. A matrix row after k
 * steps is at most 2^k in the sum of its absolute values, so nothing overflows. */
static inline int64_t steps(int64_t eta, uint64_t f, uint64_t g, matrix *result) {
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = LIMB_BITS;
    for (;;) {
        int zeros = __builtin_ctzll(g | ~0ULL << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (eta < 0) {
            uint64_t old = f;
            eta = -eta;
            f = g;
            g = 0 - old;
            old = u;
            u = q;
            q = 0 - old;
            old = v;
            v = r;
            r = 0 - old;
        }
        int n = eta + 1 < left ? (int)eta + 1 : left;
        /* f (f^2 - 2) = -1 / f mod 64, because f^2 = 1 mod 8 */
        uint64_t w = g * f * (f * f - 2) & (~0ULL >> (64 - n)) & 63;
        g += w * f;
        q += w * u;
        r += w * v;
    }
    *result = (matrix){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return eta;
}

/* (d, e) to (u d + v e, q d + r e) / 2^62 mod m. Where |d|, |e| < c m, the results are
 * below c m + m / 2: the multiple of m that makes the division exact is at most 2^61.
 * At most 12 rounds (741 steps do for 256 bits) leave |d| < 7 m < 2^259. A column is
 * below 2^124 + 2^123 and the carry. */
static inline void cofactors_update(number *d, number *e, const matrix *t,
                                    const modulus *m) {
    wide x = (wide)t->u * d->limb[0] + (wide)t->v * e->limb[0];
    wide y = (wide)t->q * d->limb[0] + (wide)t->r * e->limb[0];
    int64_t kx = (int64_t)((uint64_t)x * m->negated_inverse << 2) >> 2;
    int64_t ky = (int64_t)((uint64_t)y * m->negated_inverse << 2) >> 2;
    x = (x + (wide)kx * m->value.limb[0]) >> LIMB_BITS;
    y = (y + (wide)ky * m->value.limb[0]) >> LIMB_BITS;
#pragma GCC unroll 4
    for (int i = 1; i < N_LIMBS; i++) {
        x += (wide)t->u * d->limb[i] + (wide)t->v * e->limb[i];
        y += (wide)t->q * d->limb[i] + (wide)t->r * e->limb[i];
        if (m->value.limb[i]) {
            x += (wide)kx * m->value.limb[i];
            y += (wide)ky * m->value.limb[i];
        }
        d->limb[i - 1] = (int64_t)((uint64_t)x & LIMB_MASK);
        e->limb[i - 1] = (int64_t)((uint64_t)y & LIMB_MASK);
        x >>= LIMB_BITS;
        y >>= LIMB_BITS;
    }
    d->limb[4] = (int64_t)x;
    e->limb[4] = (int64_t)y;
}

/* (f, g) to (u f + v g, q f + r g) / 2^62, which is exact, on the n lowest limbs, of
 * which the last has the sign. Absolute values do not grow. */
static inline void remainders_update(number *f, number *g, const matrix *t, int n) {
    wide x = (wide)t->u * f->limb[0] + (wide)t->v * g->limb[0];
    wide y = (wide)t->q * f->limb[0] + (wide)t->r * g->limb[0];
    x >>= LIMB_BITS;
    y >>= LIMB_BITS;
    for (int i = 1; i < n; i++) {
        x += (wide)t->u * f->limb[i] + (wide)t->v * g->limb[i];
        y += (wide)t->q * f->limb[i] + (wide)t->r * g->limb[i];
        f->limb[i - 1] = (int64_t)((uint64_t)x & LIMB_MASK);
        g->limb[i - 1] = (int64_t)((uint64_t)y & LIMB_MASK);
        x >>= LIMB_BITS;
        y >>= LIMB_BITS;
    }
    f->limb[n - 1] = (int64_t)x;
    g->limb[n - 1] = (int64_t)y;
}

/* x + k m for k of 1 or -1; |x| + m < 2^260. */
static inline void number_add(number *x, const number *m, int64_t k) {
    int64_t carry = 0;
    for (int i = 0; i < N_LIMBS - 1; i++) {
        carry += x->limb[i] + k * m->limb[i];
        x->limb[i] = carry & (int64_t)LIMB_MASK;
        carry >>= LIMB_BITS;
    }
    x->limb[4] += k * m->limb[4] + carry;
}

static inline codec_u256 inverse(codec_u256 x, const modulus *m) {
    number f = {{0}}, g = number_from(x), d = {{0}}, e = {{1}};
    int64_t eta = -1;
    int n = N_LIMBS;
    number_add(&f, &m->value, 1); /* with limbs of the common kind */
    for (;;) {
        matrix t;
        /* The lowest 62 bits decide; what bit 62 and 63 say of them is not looked at.
         */
        eta = steps(eta, (uint64_t)f.limb[0], (uint64_t)g.limb[0], &t);
        cofactors_update(&d, &e, &t, m);
        remainders_update(&f, &g, &t, n);
        int64_t rest = 0;
        for (int i = 0; i < n; i++)
            rest |= g.limb[i];
        if (!rest)
            break;
        /* Drops a last limb that is nothing but sign in both. */
        int64_t top_f = f.limb[n - 1], top_g = g.limb[n - 1];
        if (n > 1 && top_f == top_f >> 63 && top_g == top_g >> 63) {
            n--;
            f.limb[n - 1] |= (int64_t)((uint64_t)top_f << LIMB_BITS);
            g.limb[n - 1] |= (int64_t)((uint64_t)top_g << LIMB_BITS);
        }
    }
    /* f is 1 or -1, and d = f / x. */
    if (f.limb[n - 1] < 0) {
        number zero = {{0}};
        number_add(&zero, &d, -1);
        d = zero;
    }
    while (d.limb[4] < 0)
        number_add(&d, &m->value, 1);
    for (;;) {
        number less = d;
        number_add(&less, &m->value, -1);
        if (less.limb[4] < 0)
            return number_to(&d);
        d = less;
    }
}

codec_u256 codec_inverse_mod_p(codec_u256 x) { return inverse(x, &mod_p); }

codec_u256 codec_inverse_mod_n(codec_u256 x) { return inverse(x, &mod_n); }

codec_u256 codec_window_shift(unsigned window, unsigned n_rows) {
    /* 2^256 mod n, less 1 after the doublings: n - 1 is what is added. */
    codec_u256 x = {{0x402DA1732FC9BEBFULL, 0x4551231950B75FC4ULL, 1, 0}};
    const codec_u256 minus_one = {{SCALAR_N0 - 1, SCALAR_N1, SCALAR_N2, SCALAR_N3}};
    for (unsigned i = 256; i < window * n_rows; i++)
        x = scalar_add(x, x);
    x = scalar_add(x, minus_one);
    /* Half of x, or of x + n where x is odd. */
    uint64_t odd = 0 - (x.w[0] & 1);
    const uint64_t n[4] = {SCALAR_N0, SCALAR_N1, SCALAR_N2, SCALAR_N3};
    scalar_wide sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (scalar_wide)x.w[i] + (n[i] & odd);
        x.w[i] = (uint64_t)sum;
        sum >>= 64;
    }
    for (int i = 0; i < 3; i++)
        x.w[i] = x.w[i] >> 1 | x.w[i + 1] << 63;
    x.w[3] = x.w[3] >> 1 | (uint64_t)sum << 63;
    return x;
}
