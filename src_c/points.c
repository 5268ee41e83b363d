/* Tables of the multiples of a point.
 *
 * With P = 2^(W i) (B / 2) a row is the odd multiples of P below 2^W. It is made of a
 * head, the first 2^h of them, and of centres, the multiples c 2^(h+2) P: every other
 * entry is a centre plus or minus an entry of the head. These two have the same
 * difference of x to invert, which saves a quarter of the multiplications.
 *
 * No addition here is exceptional. Each adds two multiples a P and b P with distinct
 * positive a and b below 2^17 (the sum for B / 2 apart): equal or opposite they could
 * only be if n, a prime of 256 bits, divided a - b or a + b; and no multiple is
 * infinity because n is the order of P. Nor has any point y = 0, which only order 2
 * has. */
#include "curve64.h"

enum {
    MAX_WINDOW = 16,
    MAX_CHAIN = 256 + MAX_WINDOW, /* n_rows * window + 1, at most */
    MAX_SUMS = 512,
};

/* To add: b to a and, where `difference` is not NULL, -b as well; `sum` may be NULL. */
typedef struct {
    const uint64_t *a, *b;
    uint64_t *sum, *difference;
} addition;

typedef struct {
    uint64_t chain[MAX_CHAIN][CODEC_POINT_WORDS]; /* 2^i (B / 2) */
    addition sums[MAX_SUMS];
    field products[MAX_SUMS];
    jacobian doubled[MAX_CHAIN];
    size_t n_sums;
    uint64_t centres[]; /* n_rows * (n_centres + 1) points */
} workshop;

/* How a window's rows divide up: 4 * head * n_centres = 2^window. */
static inline size_t head_len(unsigned window) { return (size_t)1 << (window - 2) / 2; }

static inline size_t centres_len(unsigned window) {
    return ((size_t)1 << (window - 2)) / head_len(window);
}

static inline size_t rows_len(unsigned window) { return (256 + window - 1) / window; }

size_t codec_points_scratch_len(unsigned window) {
    size_t n = rows_len(window) * (centres_len(window) + 1);
    return sizeof(workshop) + n * CODEC_POINT_WORDS * sizeof(uint64_t);
}

/* Does the additions that have been listed, with one inversion. They must not need one
 * another's results. */
static void sums_flush(workshop *w) {
    field product = FIELD_ONE;
    if (!w->n_sums)
        return;
    for (size_t i = 0; i < w->n_sums; i++) {
        field xa = field_from(w->sums[i].a), xb = field_from(w->sums[i].b);
        w->products[i] = product;
        product = field_mul(product, field_sub(xb, xa, 1)); /* 3 */
    }
    field inverse = field_inverse(product);
    for (size_t i = w->n_sums; i-- > 0;) {
        const addition *s = &w->sums[i];
        point a = point_load(s->a, 0), b = point_load(s->b, 0), sum;
        field here = field_mul(inverse, w->products[i]);
        inverse = field_mul(inverse, field_sub(b.x, a.x, 1));
        if (s->sum) {
            sum = point_add(a, b, here);
            point_store(s->sum, sum.x, sum.y);
        }
        if (s->difference) {
            b.y = field_negate(b.y, 1);
            sum = point_add(a, b, here);
            point_store(s->difference, sum.x, sum.y);
        }
    }
    w->n_sums = 0;
}

static inline void sums_push(workshop *w, const uint64_t *a, const uint64_t *b,
                             uint64_t *sum, uint64_t *difference) {
    w->sums[w->n_sums++] = (addition){a, b, sum, difference};
    if (w->n_sums == MAX_SUMS)
        sums_flush(w);
}

/* Makes n points affine. */
static void points_store(workshop *w, uint64_t (*to)[CODEC_POINT_WORDS],
                         const jacobian *from, size_t n) {
    field product = FIELD_ONE;
    for (size_t i = 0; i < n; i++) {
        w->products[i] = product;
        product = field_mul(product, from[i].z);
    }
    field inverse = field_inverse(product);
    for (size_t i = n; i-- > 0;) {
        point a = jacobian_to(from[i], field_mul(inverse, w->products[i]));
        inverse = field_mul(inverse, from[i].z);
        point_store(to[i], a.x, a.y);
    }
}

static inline jacobian chain_add(jacobian a, point b) {
    field zz = field_sqr(a.z);
    return jacobian_add(a, b, zz, jacobian_difference(&a, b, zz));
}

/* Fills chain[0] to chain[n]. B / 2 = 2^255 B - c B with c = 2^255 - (n + 1) / 2. The
 * part of c B that is there is always below the next power of two, and c < 2^128, so
 * that no addition is exceptional. */
static void chain_fill(workshop *w, size_t n, codec_u256 x, codec_u256 y) {
    static const uint64_t c[2] = {0x2016D0B997E4DF5FULL, 0xA2A8918CA85BAFE2ULL};
    const point base = {field_from(x.w), field_from(y.w)};
    jacobian p = jacobian_from(base);
    for (size_t i = 0; i < n; i++) {
        w->doubled[i] = p;
        p = jacobian_double(p);
    }
    points_store(w, w->chain + 1, w->doubled, n);
    p = jacobian_from(base); /* c is odd */
    for (unsigned i = 1; i < 128; i++)
        if (c[i / 64] >> i % 64 & 1)
            p = chain_add(p, point_load(w->chain[1 + i], 0));
    p = chain_add(p, point_load(w->chain[256], ~0ULL));
    p.y = field_negate(p.y, 1); /* 2 */
    points_store(w, w->chain, &p, 1);
}

/* Heads: entry m + j is entry j and 2 m P, for m of 1, 2, 4 ... and j < m. */
static void heads_fill(workshop *w, const codec_points *table) {
    const size_t row_words = (size_t)CODEC_POINT_WORDS << (table->window - 1);
    for (size_t i = 0; i < table->n_rows; i++)
        memcpy(table->points + i * row_words, w->chain[i * table->window],
               sizeof w->chain[0]);
    for (size_t m = 1, bit = 1; m < head_len(table->window); m *= 2, bit++) {
        for (size_t i = 0; i < table->n_rows; i++) {
            uint64_t *row = table->points + i * row_words;
            for (size_t j = 0; j < m; j++)
                sums_push(w, row + j * CODEC_POINT_WORDS,
                          w->chain[i * table->window + bit],
                          row + (m + j) * CODEC_POINT_WORDS, NULL);
        }
        sums_flush(w);
    }
}

/* Centres: number m + j is number m and number j, for m of 1, 2, 4 ... and j < m;
 * number m itself is in the chain. */
static void centres_fill(workshop *w, const codec_points *table) {
    const size_t n_centres = centres_len(table->window);
    size_t bit = 2 + (table->window - 2) / 2; /* of number 1: 4 * head_len */
    for (size_t m = 1; m <= n_centres; m *= 2, bit++) {
        for (size_t i = 0; i < table->n_rows; i++) {
            uint64_t *row = w->centres + i * (n_centres + 1) * CODEC_POINT_WORDS;
            uint64_t *middle = row + m * CODEC_POINT_WORDS;
            memcpy(middle, w->chain[i * table->window + bit], sizeof w->chain[0]);
            for (size_t j = 1; j < m && m < n_centres; j++)
                sums_push(w, middle, row + j * CODEC_POINT_WORDS,
                          middle + j * CODEC_POINT_WORDS, NULL);
        }
        sums_flush(w);
    }
}

/* Entry k is (2 k + 1) P, centre c is 4 c heads P; so c and entry j of the head give
 * the entries 2 c heads + j and 2 c heads - 1 - j. The last centre is the row's end. */
static void rows_fill(workshop *w, const codec_points *table) {
    const size_t n_centres = centres_len(table->window);
    const size_t n_heads = head_len(table->window);
    for (size_t i = 0; i < table->n_rows; i++) {
        uint64_t *row = table->points + (i << (table->window - 1)) * CODEC_POINT_WORDS;
        const uint64_t *centres = w->centres + i * (n_centres + 1) * CODEC_POINT_WORDS;
        for (size_t c = 1; c <= n_centres; c++) {
            uint64_t *middle = row + 2 * c * n_heads * CODEC_POINT_WORDS;
            for (size_t j = 0; j < n_heads; j++)
                sums_push(w, centres + c * CODEC_POINT_WORDS,
                          row + j * CODEC_POINT_WORDS,
                          c < n_centres ? middle + j * CODEC_POINT_WORDS : NULL,
                          middle - (j + 1) * CODEC_POINT_WORDS);
        }
    }
    sums_flush(w);
}

void codec_points_build(codec_points *table, codec_u256 x, codec_u256 y,
                        void *scratch) {
    workshop *w = scratch;
    w->n_sums = 0;
    chain_fill(w, (size_t)table->n_rows * table->window, x, y);
    heads_fill(w, table);
    centres_fill(w, table);
    rows_fill(w, table);
}
