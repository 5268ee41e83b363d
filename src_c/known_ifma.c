/* Verification by a known key, eight signatures a register, for AVX-512 IFMA.
 *
 * u1 G + u2 Q is a sum of 2 n_rows entries of the tables. It is taken in parts, every
 * part of every signature at once: a round adds one entry to each part, and one number
 * is inverted for the whole round. Eight signatures are a group; a group's part is an
 * element. Element part * n_groups + group stands for a part of a group. */
#if defined(__x86_64__)
#include "known.h"
#include "scalar_ifma.h"

enum {
    N_LANES = 8,
    MAX_GROUPS = CODEC_KNOWN_BATCH / N_LANES,
    /* More elements than groups: fewer rounds, so fewer inversions. */
    MAX_ELEMENTS = 2 * MAX_GROUPS,
    N_CHAINS = 4, /* products that run side by side, to hide their latency */
    AHEAD = 6,    /* elements between asking for an entry and using it */
    RING = 8,     /* more than AHEAD, a power of two */
    /* Up to here 2 n_rows additions without an inversion cost less than the five or
     * more inversions: the two ways meet at 24 signatures with windows of 8 bits, at
     * about 36 with 13 or 16. */
    PROJECTIVE_GROUPS = 4,
};

/* A sum of points. Either affine, with what is to be added less it; or x / zz, y / zzz,
 * with zz^3 = zzz^2. x and y are tight, and so are zz and zzz. */
typedef struct {
    limbs x, y;
    union {
        limbs dx, zz;
    };
    union {
        limbs dy, zzz;
    };
} element;

typedef struct {
    element elements[MAX_ELEMENTS];
    /* products[N_CHAINS + i] is products[i] times the dx of element i. */
    limbs products[N_CHAINS + MAX_ELEMENTS];
    limbs inverses[N_CHAINS];         /* what 1 / product is, on the way back */
    __m512i digits[MAX_GROUPS][2][4]; /* of u1 and u2: words, least significant first */
    uint64_t ring[RING][N_LANES];     /* addresses of entries */
    uint8_t minus[RING];              /* whether to subtract: a bit for each lane */
    uint8_t undecided[MAX_ELEMENTS];  /* a bit for each lane */
} work;

_Static_assert(sizeof(work) < 1 << 20, "stays in a second-level cache");

/* A call's constants. One or two signatures stand in n_shares lanes each (8 or 4, else
 * 1), `apart` lanes from one to the next, which have as many shares of the 2 n_rows
 * terms: n_terms each. */
typedef struct {
    const codec_points *g, *q;
    const uint8_t (*digests)[32];
    const uint8_t (*signatures)[65];
    size_t n, n_groups;
    size_t n_shares, apart, n_terms;
} batch;

/* Eight registers of eight words to eight registers of the first words, the second
 * words, and so on. */
IFMA_INLINE void transpose(__m512i r[8]) {
    __m512i t[8], u[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            u[i + j] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0x88);
            u[i + j + 2] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0xDD);
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0x88);
        r[j + 4] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0xDD);
    }
}

/* The signature in a lane of a group; the last one again behind the last. */
static inline size_t item_of(const batch *b, size_t group, size_t lane) {
    size_t i = group * N_LANES + (lane & (b->apart - 1));
    return i < b->n ? i : b->n - 1;
}

IFMA_INLINE __m512i bytes_reversed(__m512i words) {
    const __m128i order =
        _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
}

/* r and s of a group. Reads the first 64 of each signature's 65 bytes. */
IFMA_CALLED void signatures_load(const batch *b, size_t group, limbs *r, limbs *s) {
    __m512i w[8];
    for (size_t i = 0; i < N_LANES; i++)
        w[i] = bytes_reversed(_mm512_loadu_si512(b->signatures[item_of(b, group, i)]));
    transpose(w);
    *r = limbs_from_words((const __m512i[4]){w[3], w[2], w[1], w[0]});
    *s = limbs_from_words((const __m512i[4]){w[7], w[6], w[5], w[4]});
}

IFMA_CALLED limbs digests_load(const batch *b, size_t group) {
    __m512i w[8];
    for (size_t i = 0; i < N_LANES; i++) {
        const void *digest = b->digests[item_of(b, group, i)];
        w[i] = bytes_reversed(_mm512_zextsi256_si512(_mm256_loadu_si256(digest)));
    }
    transpose(w);
    return limbs_from_words((const __m512i[4]){w[3], w[2], w[1], w[0]});
}

enum modulus { MOD_P, MOD_N };

/* a * b mod p, or a * b / R mod n. */
IFMA_CALLED limbs multiply_mod_p(const limbs *a, const limbs *b) {
    return field_mul(a, b);
}
IFMA_CALLED limbs multiply_mod_n(const limbs *a, const limbs *b) {
    return scalar_mul(a, b);
}
IFMA_INLINE limbs multiply(enum modulus m, limbs a, limbs b) {
    return m == MOD_P ? multiply_mod_p(&a, &b) : multiply_mod_n(&a, &b);
}

IFMA_INLINE limbs limbs_rotate(limbs a, int n_lanes) {
    const __m512i order =
        _mm512_and_si512(_mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0),
                                          lanes_all((uint64_t)n_lanes)),
                         lanes_all(7));
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.limb[i] = _mm512_permutexvar_epi64(order, a.limb[i]);
    return a;
}

/* The inverses of eight numbers that are not 0, by one of their product. All products
 * mod n are Montgomery's: a factor 1 / R that comes into a product on the way down
 * leaves again on the way up. Each inverse mod n is multiplied by R in the end. */
IFMA_INLINE limbs lanes_invert(enum modulus m, limbs a) {
    limbs four = multiply(m, a, limbs_rotate(a, 4));
    limbs two = multiply(m, four, limbs_rotate(four, 2));
    limbs one = multiply(m, two, limbs_rotate(two, 1));
    limbs inverse;
    if (m == MOD_P) {
        inverse = limbs_all(codec_inverse_mod_p(limbs_first(field_canonical(one))));
    } else {
        limbs zero = scalar_constant((const uint64_t[5]){0});
        one = scalar_add(one, zero);
        inverse = limbs_all(codec_inverse_mod_n(limbs_first(one)));
        inverse = multiply(m, inverse, scalar_constant(scalar_r2));
    }
    inverse = multiply(m, inverse, limbs_rotate(two, 1));
    inverse = multiply(m, inverse, limbs_rotate(four, 2));
    return multiply(m, inverse, limbs_rotate(a, 4));
}

/* From the last products of the chains of n elements, the inverse of each; mod n, times
 * R. Only the chains that have an element have one. */
IFMA_INLINE void chains_invert(enum modulus m, work *w, size_t n) {
    size_t n_chains = n < N_CHAINS ? n : N_CHAINS, first = n - n_chains;
    const limbs *ends = w->products + N_CHAINS + first;
    limbs before[N_CHAINS], inverse;
    before[0] = ends[0];
    for (size_t i = 1; i < n_chains; i++)
        before[i] = multiply(m, before[i - 1], ends[i]);
    inverse = lanes_invert(m, before[n_chains - 1]);
    for (size_t i = n_chains - 1; i; i--) {
        w->inverses[(first + i) % N_CHAINS] = multiply(m, inverse, before[i - 1]);
        inverse = multiply(m, inverse, ends[i]);
    }
    w->inverses[first % N_CHAINS] = inverse;
}

static IFMA_TARGET void chains_start(work *w) {
    for (size_t i = 0; i < N_CHAINS; i++)
        w->products[i] = limbs_all((codec_u256){{1}});
}

/* The digits of u1 and u2 of every signature. An inverse on the way back is R times
 * that of the product (lanes_invert); so is w, which makes z w / R = z / s. */
static IFMA_TARGET void digits_make(const batch *b, work *w) {
    limbs offset = limbs_all(codec_window_shift(b->g->window, b->g->n_rows)), r, s;
    chains_start(w);
    for (size_t i = 0; i < b->n_groups; i++) {
        signatures_load(b, i, &r, &s);
        w->elements[i].x = r;
        w->elements[i].y = s;
        w->products[N_CHAINS + i] = scalar_mul(&w->products[i], &s);
    }
    chains_invert(MOD_N, w, b->n_groups);
    for (size_t i = b->n_groups; i-- > 0;) {
        limbs *inverse = &w->inverses[i % N_CHAINS];
        limbs z = digests_load(b, i);
        limbs reciprocal = scalar_mul(&w->products[i], inverse);
        *inverse = scalar_mul(inverse, &w->elements[i].y);
        limbs u1 = scalar_mul(&z, &reciprocal);
        limbs u2 = scalar_mul(&w->elements[i].x, &reciprocal);
        limbs_to_words(w->digits[i][0], scalar_add(u1, offset));
        limbs_to_words(w->digits[i][1], scalar_add(u2, offset));
    }
}

/* The entries of a sum, term by term and in each of them group by group. Terms 0 to
 * n_rows - 1 belong to G, the others to Q. `term` and `group` are those to ask for
 * next. */
typedef struct {
    const batch *b;
    work *w;
    size_t term, group, n_asked;
} stream;

/* Finds out a group's next entries and asks for them. With window W, digit d stands for
 * entry d - 2^(W-1), or, where that is negative, for minus entry 2^(W-1) - 1 - d: below
 * the highest bit, d or its complement. */
IFMA_INLINE void entries_ask(stream *c) {
    size_t place = c->n_asked++ % RING;
    uint64_t *slot = c->w->ring[place];
    const codec_points *points = c->b->g;
    unsigned window = points->window, n_rows = points->n_rows;
    if (c->term >= c->b->n_terms)
        return;
    bool is_q = c->term >= n_rows;
    unsigned row = (unsigned)c->term - (is_q ? n_rows : 0);
    if (is_q)
        points = c->b->q;
    uint64_t start =
        (uintptr_t)(points->points + ((size_t)row << (window - 1)) * CODEC_POINT_WORDS);
    const __m512i *words = c->w->digits[c->group][is_q];
    unsigned word = row * window / 64, shift = row * window % 64;
    __m512i digit = _mm512_srl_epi64(words[word], _mm_cvtsi32_si128((int)shift));
    if (word < 3)
        digit = _mm512_or_si512(
            digit,
            _mm512_sll_epi64(words[word + 1], _mm_cvtsi32_si128(64 - (int)shift)));
    __mmask8 minus = _mm512_testn_epi64_mask(digit, lanes_all(1ULL << (window - 1)));
    digit = _mm512_mask_xor_epi64(digit, minus, digit, lanes_all(~0ULL));
    digit = _mm512_and_si512(digit, lanes_all((1ULL << (window - 1)) - 1));
    digit = _mm512_add_epi64(_mm512_slli_epi64(digit, 6), lanes_all(start));
    _mm512_store_si512(slot, digit);
    c->w->minus[place] = minus;
    for (int i = 0; i < N_LANES; i++)
        _mm_prefetch((const char *)(uintptr_t)slot[i], _MM_HINT_T0);
    if (++c->group == c->b->n_groups) {
        c->group = 0;
        c->term++;
    }
}

/* Eight entries: x below p, and y or p - y limb by limb, without carries: limb 0 may be
 * negative, but above -2^33, the others are not, because those of p are 2^52 - 1 and
 * 2^48 - 1. */
IFMA_INLINE void entries_fetch(const uint64_t slot[N_LANES], __mmask8 minus, limbs *x,
                               limbs *y) {
    __m512i r[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r[i] = _mm512_load_si512((const void *)(uintptr_t)slot[i]);
    transpose(r);
    *x = limbs_from_words(r);
    *y = limbs_from_words(r + 4);
    *y = limbs_blend(minus, *y, field_minus(y, 1));
}

IFMA_INLINE stream entries_start(const batch *b, work *w) {
    stream s = {b, w, 0, 0, 0};
    for (size_t i = 0; i < AHEAD; i++)
        entries_ask(&s);
    return s;
}

/* The next eight, as entries_fetch gives them. */
IFMA_INLINE void entries_take(stream *s, limbs *x, limbs *y) {
    entries_ask(s);
    size_t place = (s->n_asked - 1 - AHEAD) % RING;
    entries_fetch(s->w->ring[place], s->w->minus[place], x, y);
}

/* The first term of each part, in tight limbs. */
static IFMA_TARGET void parts_load(stream *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        element *e = &s->w->elements[i];
        entries_take(s, &e->x, &e->y);
        e->y = limbs_carry_signed(e->y);
    }
}

/* The first pass of a round, for element i: what has to be inverted, multiplied up. x
 * is tight; y is so too, or as entries_fetch gives it. So dx is below 2^258, and the
 * limbs of dy are not negative, those of 2p - y being 2^52 - 2^34 and more, and below
 * 3 * 2^52. A dx of 0 would spoil all products. */
IFMA_INLINE void element_prepare(work *w, size_t i, const limbs *x, const limbs *y) {
    element *e = &w->elements[i];
    limbs dx = field_sub(x, &e->x), dy = field_minus(&e->y, 2);
    __mmask8 zeros = field_zeros(&dx);
    if (CODEC_UNLIKELY(zeros)) {
        w->undecided[i] |= zeros;
        dx = limbs_blend(zeros, dx, limbs_all((codec_u256){{1}}));
    }
#pragma GCC unroll 5
    for (int k = 0; k < 5; k++)
        dy.limb[k] = _mm512_add_epi64(dy.limb[k], y->limb[k]);
    dy = limbs_carry(dy);
    e->dx = dx;
    e->dy = dy;
    w->products[N_CHAINS + i] = field_mul(&w->products[i], &dx);
}

/* The second pass: inverts, and adds to the first n elements. Each block of N_CHAINS
 * goes step by step, so that four independent chains are under way. */
static IFMA_TARGET void round_finish(work *w, size_t n) {
    chains_invert(MOD_P, w, n);
    for (size_t start = (n - 1) / N_CHAINS * N_CHAINS, end = n;;
         end = start, start -= N_CHAINS) {
        limbs slope[N_CHAINS], rise[N_CHAINS];
        element *e = w->elements + start;
        size_t m = end - start;
        for (size_t i = 0; i < m; i++) {
            slope[i] = field_mul(&w->products[start + i], &w->inverses[i]);
            w->inverses[i] = field_mul(&w->inverses[i], &e[i].dx);
        }
        for (size_t i = 0; i < m; i++)
            slope[i] = field_mul(&slope[i], &e[i].dy);
        for (size_t i = 0; i < m; i++) {
            /* slope^2 - 2 x - dx + 8p, and x - that. dx has a limb 4 below 2^50, so
             * the subtrahends' are below 2^51 - 8. */
            limbs rest, x;
#pragma GCC unroll 5
            for (int k = 0; k < 5; k++) {
                __m512i twice = _mm512_add_epi64(e[i].x.limb[k], e[i].x.limb[k]);
                rest.limb[k] = _mm512_add_epi64(twice, e[i].dx.limb[k]);
            }
            rest = field_minus(&rest, 8);
            x = field_square_add(&slope[i], &rest);
            rise[i] = field_sub(&e[i].x, &x);
            e[i].x = x;
        }
        for (size_t i = 0; i < m; i++) {
            limbs rest = field_minus(&e[i].y, 2);
            e[i].y = field_mul_add(&slope[i], &rise[i], &rest);
        }
        if (start == 0)
            return;
    }
}

/* Parts whose terms are those of the same number mod n_parts; then pairs of parts. */
static IFMA_TARGET void affine_sum(const batch *b, work *w, size_t n_parts) {
    stream s = entries_start(b, w);
    parts_load(&s, n_parts * b->n_groups);
    for (size_t first = n_parts; first < b->n_terms; first += n_parts) {
        size_t n = b->n_terms - first < n_parts ? b->n_terms - first : n_parts;
        n *= b->n_groups;
        chains_start(w);
        for (size_t i = 0; i < n; i++) {
            limbs x, y;
            entries_take(&s, &x, &y);
            element_prepare(w, i, &x, &y);
        }
        round_finish(w, n);
    }
    while (n_parts > 1) {
        size_t n = n_parts / 2 * b->n_groups;
        n_parts -= n_parts / 2;
        chains_start(w);
        for (size_t i = 0; i < n; i++) {
            const element *other = &w->elements[n_parts * b->n_groups + i];
            element_prepare(w, i, &other->x, &other->y);
        }
        round_finish(w, n);
    }
}

/* An addition without an inversion, for up to N_CHAINS elements step by step: eight
 * multiplications and two squarings with what makes dx and dy of an affine point. Both
 * points are over the denominators zz and zzz of the element; dx and dy are the
 * difference of their numerators, tight. A dx of 0 would make zz 0. */
IFMA_CALLED void projective_add(element *e, size_t m, limbs dx[], const limbs dy[],
                                uint8_t *undecided) {
    limbs square[N_CHAINS], cube[N_CHAINS], part[N_CHAINS], rise[N_CHAINS];
    for (size_t i = 0; i < m; i++) {
        __mmask8 zeros = field_zeros(&dx[i]);
        if (CODEC_UNLIKELY(zeros)) {
            undecided[i] |= zeros;
            dx[i] = limbs_blend(zeros, dx[i], limbs_all((codec_u256){{1}}));
        }
        square[i] = field_square(&dx[i]);
    }
    for (size_t i = 0; i < m; i++) {
        cube[i] = field_mul(&dx[i], &square[i]);
        part[i] = field_mul(&e[i].x, &square[i]);
        e[i].zz = field_mul(&e[i].zz, &square[i]);
    }
    for (size_t i = 0; i < m; i++) {
        /* dy^2 - cube - 2 part + 4p */
        limbs rest;
#pragma GCC unroll 5
        for (int k = 0; k < 5; k++) {
            __m512i twice = _mm512_add_epi64(part[i].limb[k], part[i].limb[k]);
            rest.limb[k] = _mm512_add_epi64(twice, cube[i].limb[k]);
        }
        rest = field_minus(&rest, 4);
        e[i].x = field_square_add(&dy[i], &rest);
        rise[i] = field_sub(&part[i], &e[i].x);
        e[i].zzz = field_mul(&e[i].zzz, &cube[i]);
        e[i].y = field_mul(&e[i].y, &cube[i]);
    }
    for (size_t i = 0; i < m; i++) {
        limbs rest = field_minus(&e[i].y, 2);
        e[i].y = field_mul_add(&dy[i], &rise[i], &rest);
    }
}

/* What projective_add needs to know of a point: x and y over the denominators of e,
 * less those of e. All tight. */
IFMA_INLINE void projective_compare(const element *e, const limbs *x, const limbs *y,
                                    limbs *dx, limbs *dy) {
    limbs rest = field_minus(&e->x, 2);
    *dx = field_mul_add(x, &e->zz, &rest);
    rest = field_minus(&e->y, 2);
    *dy = field_mul_add(y, &e->zzz, &rest);
}

/* Adds another element to e. Both are brought to the product of their denominators. */
IFMA_CALLED void projective_merge(element *e, const element *other,
                                  uint8_t *undecided) {
    limbs dx, dy;
    e->x = field_mul(&e->x, &other->zz);
    e->y = field_mul(&e->y, &other->zzz);
    projective_compare(e, &other->x, &other->y, &dx, &dy);
    e->zz = field_mul(&e->zz, &other->zz);
    e->zzz = field_mul(&e->zzz, &other->zzz);
    projective_add(e, 1, &dx, &dy, undecided);
}

/* The first n elements, affine. */
static IFMA_TARGET void projective_end(work *w, size_t n) {
    chains_start(w);
    for (size_t i = 0; i < n; i++)
        w->products[N_CHAINS + i] = field_mul(&w->products[i], &w->elements[i].zzz);
    chains_invert(MOD_P, w, n);
    for (size_t i = n; i-- > 0;) {
        element *e = &w->elements[i];
        limbs *inverse = &w->inverses[i % N_CHAINS];
        limbs reciprocal = field_mul(&w->products[i], inverse), slope;
        *inverse = field_mul(inverse, &e->zzz);
        /* zz / zzz squared is 1 / zz. */
        slope = field_mul(&e->zz, &reciprocal);
        slope = field_square(&slope);
        e->x = field_mul(&e->x, &slope);
        e->y = field_mul(&e->y, &reciprocal);
    }
}

/* Two parts, so that a single group has two additions under way. */
static IFMA_TARGET void projective_sum(const batch *b, work *w) {
    limbs dx[N_CHAINS], dy[N_CHAINS], one = limbs_all((codec_u256){{1}});
    size_t n = 2 * b->n_groups;
    stream s = entries_start(b, w);
    parts_load(&s, n);
    for (size_t i = 0; i < n; i++)
        w->elements[i].zz = w->elements[i].zzz = one;
    for (size_t term = 2; term < b->n_terms; term += 2) {
        for (size_t start = 0; start < n; start += N_CHAINS) {
            element *e = w->elements + start;
            size_t m = n - start < N_CHAINS ? n - start : N_CHAINS;
            for (size_t i = 0; i < m; i++) {
                limbs x, y;
                entries_take(&s, &x, &y);
                y = limbs_carry_signed(y);
                projective_compare(&e[i], &x, &y, &dx[i], &dy[i]);
            }
            projective_add(e, m, dx, dy, w->undecided + start);
        }
    }
    for (size_t i = 0; i < b->n_groups; i++)
        projective_merge(&w->elements[i], &w->elements[b->n_groups + i],
                         w->undecided + i);
    projective_end(w, b->n_groups);
}

/* The entries of a share's term number `term`, into a place of the ring. */
static IFMA_TARGET void shares_ask(const batch *b, work *w, size_t term, size_t place) {
    unsigned window = b->g->window, n_rows = b->g->n_rows, minus = 0;
    uint64_t half = 1ULL << (window - 1);
    for (size_t i = 0; i < N_LANES; i++) {
        size_t own = term * b->n_shares + i / b->apart;
        bool is_q = own >= n_rows;
        unsigned row = (unsigned)own - (is_q ? n_rows : 0);
        unsigned word = row * window / 64, shift = row * window % 64;
        const codec_points *points = is_q ? b->q : b->g;
        uint64_t words[2][N_LANES], digit;
        _mm512_storeu_si512(words[0], w->digits[0][is_q][word]);
        _mm512_storeu_si512(words[1], w->digits[0][is_q][word < 3 ? word + 1 : 3]);
        digit = words[0][i] >> shift;
        if (word < 3 && shift)
            digit |= words[1][i] << (64 - shift);
        if (!(digit & half)) {
            minus |= 1U << i;
            digit = ~digit;
        }
        w->ring[place][i] =
            (uintptr_t)(points->points +
                        (row * half + (digit & (half - 1))) * CODEC_POINT_WORDS);
        _mm_prefetch((const char *)(uintptr_t)w->ring[place][i], _MM_HINT_T0);
    }
    w->minus[place] = (uint8_t)minus;
}

/* One or two signatures, in shares that are added up by rotations. All that the tables
 * have to give, a few kB, is asked for first. */
static IFMA_TARGET void shares_sum(const batch *b, work *w) {
    limbs x, y, dx, dy;
    element *e = w->elements;
    for (size_t term = b->n_terms; term-- > 0;)
        shares_ask(b, w, term, 0);
    for (size_t term = 0; term < b->n_terms; term++) {
        shares_ask(b, w, term, term % RING);
        entries_fetch(w->ring[term % RING], w->minus[term % RING], &x, &y);
        y = limbs_carry_signed(y);
        if (term == 0) {
            e->x = x;
            e->y = y;
            e->zz = e->zzz = limbs_all((codec_u256){{1}});
            continue;
        }
        projective_compare(e, &x, &y, &dx, &dy);
        projective_add(e, 1, &dx, &dy, w->undecided);
    }
    for (size_t apart = b->apart; apart < N_LANES; apart *= 2) {
        element other;
        other.x = limbs_rotate(e->x, (int)apart);
        other.y = limbs_rotate(e->y, (int)apart);
        other.zz = limbs_rotate(e->zz, (int)apart);
        other.zzz = limbs_rotate(e->zzz, (int)apart);
        projective_merge(e, &other, w->undecided);
    }
    projective_end(w, 1);
}

static IFMA_TARGET void verdicts_write(const batch *b, const work *w,
                                       uint8_t *verdicts) {
    for (size_t group = 0; group < b->n_groups; group++) {
        limbs x = field_canonical(w->elements[group].x);
        limbs y = field_canonical(w->elements[group].y);
        limbs r, s;
        unsigned good = 0xFF, odd, undecided = 0;
        for (size_t i = group; i < MAX_ELEMENTS; i += b->n_groups)
            undecided |= w->undecided[i];
        for (size_t apart = b->apart; apart < N_LANES; apart *= 2)
            undecided |= undecided >> apart;
        signatures_load(b, group, &r, &s);
        for (int k = 0; k < 5; k++)
            good &= _mm512_cmpeq_epi64_mask(x.limb[k], r.limb[k]);
        odd = _mm512_test_epi64_mask(y.limb[0], lanes_all(1));
        for (size_t i = 0; i < N_LANES && group * N_LANES + i < b->n; i++) {
            size_t item = group * N_LANES + i;
            bool is_good = (good >> i & 1) && (odd >> i & 1) == b->signatures[item][64];
            verdicts[item] = (undecided >> i & 1)
                                 ? CODEC_KNOWN_UNDECIDED
                                 : (is_good ? CODEC_KNOWN_GOOD : CODEC_KNOWN_BAD);
        }
    }
}

static IFMA_TARGET void verify(const codec_points *g, const codec_points *q,
                               const uint8_t (*digests)[32],
                               const uint8_t (*signatures)[65], size_t n,
                               uint8_t *verdicts, void *workspace) {
    batch b = {.g = g,
               .q = q,
               .digests = digests,
               .signatures = signatures,
               .n = n,
               .n_groups = (n + N_LANES - 1) / N_LANES,
               .n_shares = 1,
               .n_terms = 2 * g->n_rows};
    work *w = (work *)workspace;
    if (n == 0)
        return;
    memset(w->undecided, 0, sizeof w->undecided);
    /* Two shares would gain nothing over two parts. */
    if (n <= 2 && b.n_terms % 4 == 0)
        b.n_shares = n == 1 && b.n_terms % 8 == 0 ? 8 : 4;
    b.n_terms /= b.n_shares;
    b.apart = N_LANES / b.n_shares;
    digits_make(&b, w);
    if (b.n_shares > 1) {
        shares_sum(&b, w);
    } else if (b.n_groups <= PROJECTIVE_GROUPS) {
        projective_sum(&b, w);
    } else {
        size_t n_parts = MAX_ELEMENTS / b.n_groups;
        affine_sum(&b, w, n_parts < g->n_rows ? n_parts : g->n_rows);
    }
    verdicts_write(&b, w, verdicts);
}

const codec_known_path codec_known_ifma = {"ifma", sizeof(work), verify};
#endif
