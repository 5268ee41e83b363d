/* Verification by a known key with 64-bit instructions.
 *
 * The 2 K entries that a signature's windows name are added up as a tree: first half
 * the entries to the other half, then half of the sums, and so on. All additions of a
 * level, over many signatures, share one inversion. */
#include "curve64.h"
#include "scalar64.h"

enum {
    MAX_PAIRS = 2048,                /* additions with one inversion */
    MAX_SIGNATURES = MAX_PAIRS / 16, /* 16 windows a scalar, at least */
    MIN_PAIRS = 16, /* below, additions without an inversion are faster: measured */
    AHEAD = 12,     /* pairs that entries are fetched ahead: measured */
};

/* Of a group of n signatures. What belongs to signature i of place j is at j n + i. */
typedef struct {
    point sums[MAX_PAIRS];
    field products[MAX_PAIRS]; /* of the differences before each pair's */
    jacobian totals[MAX_SIGNATURES];
    codec_u256 scalars[MAX_SIGNATURES][2]; /* u1, u2, as they are cut into windows */
    codec_u256 scalar_products[MAX_SIGNATURES];
    uint32_t entries[2 * MAX_PAIRS];
    uint8_t undecided[MAX_SIGNATURES];
} workshop;

/* An entry: its place in the table * 4, + 2 where it counts negatively, + 1 where the
 * table is Q's. A table has 2^19 points at most. */
static inline uint32_t entry_make(size_t place, unsigned digit, unsigned window) {
    /* A digit d stands for 2 d - (2^window - 1). */
    uint32_t row_len = 1U << (window - 1), negative = (digit >> (window - 1)) - 1;
    uint32_t at =
        (uint32_t)(place / 2) * row_len + ((digit ^ negative) & (row_len - 1));
    return at * 4 + (negative & 2) + place % 2;
}

static inline const uint64_t *entry_find(const uint64_t *const tables[2], uint32_t e) {
    return tables[e & 1] + (size_t)(e >> 2) * CODEC_POINT_WORDS;
}

static inline point entry_load(const uint64_t *const tables[2], uint32_t e) {
    return point_load(entry_find(tables, e), 0 - (uint64_t)(e >> 1 & 1));
}

static inline void entry_fetch(const uint64_t *const tables[2], uint32_t e) {
    __builtin_prefetch(entry_find(tables, e));
}

/* u1 = z / s and u2 = r / s, with one inversion for all, and their windows. */
static void entries_fill(workshop *w, const codec_points *g,
                         const uint8_t (*digests)[32], const uint8_t (*signatures)[65],
                         size_t n) {
    const codec_u256 shift = codec_window_shift(g->window, g->n_rows);
    codec_u256 product = {{1, 0, 0, 0}};
    for (size_t i = 0; i < n; i++) {
        w->scalar_products[i] = product;
        product = scalar_mul(scalar_load_be(signatures[i] + 32), product);
    }
    /* In scalar_mul's sense, where a b is a b / 2^256, this is 2^256 / product. */
    codec_u256 inverse = scalar_mul(scalar_square, codec_inverse_mod_n(product));
    for (size_t i = n; i-- > 0;) {
        codec_u256 here = scalar_mul(w->scalar_products[i], inverse); /* 2^256 / s */
        inverse = scalar_mul(scalar_load_be(signatures[i] + 32), inverse);
        codec_u256 u1 = scalar_mul(scalar_load_be(digests[i]), here);
        codec_u256 u2 = scalar_mul(scalar_load_be(signatures[i]), here);
        w->scalars[i][0] = scalar_add(u1, shift);
        w->scalars[i][1] = scalar_add(u2, shift);
    }
    /* Places belong to the bases by turns: place K + j, which is added to place j, so
     * is of rows far apart, which no small relation of the bases makes equal. */
    for (size_t j = 0; j < 2 * (size_t)g->n_rows; j++) {
        unsigned at = g->window * (unsigned)(j / 2);
        for (size_t i = 0; i < n; i++) {
            unsigned digit = scalar_window(&w->scalars[i][j % 2], at, g->window);
            w->entries[j * n + i] = entry_make(j, digit, g->window);
        }
    }
}

/* b - a, or 1 and `*same` where that is 0. Magnitude 3. */
static inline field difference(field a, field b, uint8_t *same) {
    field dx = field_sub(b, a, 1);
    if (field_is_zero(dx)) {
        *same = 1;
        return FIELD_ONE;
    }
    return dx;
}

/* Entries n_pairs + t to entries t, for t < n_pairs = K n. */
static void entries_add(workshop *w, const uint64_t *const tables[2], size_t n_pairs,
                        size_t n) {
    const uint32_t *a = w->entries, *b = a + n_pairs;
    field product = FIELD_ONE;
    for (size_t t = 0; t < n_pairs && t < AHEAD; t++) {
        entry_fetch(tables, a[t]);
        entry_fetch(tables, b[t]);
    }
    for (size_t t = 0; t < n_pairs; t++) {
        uint8_t same; /* the way back sees it again */
        if (t + AHEAD < n_pairs) {
            entry_fetch(tables, a[t + AHEAD]);
            entry_fetch(tables, b[t + AHEAD]);
        }
        field dx = difference(field_from(entry_find(tables, a[t])),
                              field_from(entry_find(tables, b[t])), &same);
        w->products[t] = product;
        product = field_mul(product, dx);
    }
    field inverse = field_inverse(product);
    for (size_t t = n_pairs, i = n; t-- > 0;) {
        i = (i ? i : n) - 1;
        point p = entry_load(tables, a[t]), q = entry_load(tables, b[t]);
        field here = field_mul(inverse, w->products[t]);
        inverse = field_mul(inverse, difference(p.x, q.x, &w->undecided[i]));
        w->sums[t] = point_add(p, q, here);
    }
}

/* Of `places` sums a signature, adds the last half to the first. */
static void sums_add(workshop *w, size_t places, size_t n) {
    const size_t n_pairs = places / 2 * n, distance = (places - places / 2) * n;
    const point *b = w->sums + distance;
    point *a = w->sums;
    field product = FIELD_ONE;
    for (size_t t = 0; t < n_pairs; t++) {
        uint8_t same; /* the way back sees it again */
        w->products[t] = product;
        product = field_mul(product, difference(a[t].x, b[t].x, &same));
    }
    field inverse = field_inverse(product);
    for (size_t t = n_pairs, i = n; t-- > 0;) {
        i = (i ? i : n) - 1;
        field here = field_mul(inverse, w->products[t]);
        inverse = field_mul(inverse, difference(a[t].x, b[t].x, &w->undecided[i]));
        a[t] = point_add(a[t], b[t], here);
    }
}

/* Adds up each signature's `places` sums without inversions but for one at the end. */
static void sums_total(workshop *w, size_t places, size_t n) {
    field product = FIELD_ONE;
    for (size_t i = 0; i < n; i++) {
        jacobian total = jacobian_from(w->sums[i]);
        for (size_t j = 1; j < places; j++) {
            point b = w->sums[j * n + i];
            field zz = field_sqr(total.z), dx = jacobian_difference(&total, b, zz);
            if (field_is_zero(dx)) {
                w->undecided[i] = 1;
                break;
            }
            total = jacobian_add(total, b, zz, dx);
        }
        w->totals[i] = total;
        w->products[i] = product;
        product = field_mul(product, total.z);
    }
    field inverse = field_inverse(product);
    for (size_t i = n; i-- > 0;) {
        field here = field_mul(inverse, w->products[i]);
        inverse = field_mul(inverse, w->totals[i].z);
        w->sums[i] = jacobian_to(w->totals[i], here);
    }
}

static inline uint8_t judge(const point *sum, const uint8_t signature[65]) {
    uint64_t x[4];
    codec_u256 r = scalar_load_be(signature);
    field_to(x, field_normalise(sum->x));
    if (memcmp(x, r.w, sizeof x) != 0)
        return CODEC_KNOWN_BAD;
    uint64_t parity = field_normalise(sum->y).limb[0] & 1;
    return parity == signature[64] ? CODEC_KNOWN_GOOD : CODEC_KNOWN_BAD;
}

/* n is at most MAX_PAIRS / n_rows. */
static void group_verify(workshop *w, const codec_points *g, const codec_points *q,
                         const uint8_t (*digests)[32], const uint8_t (*signatures)[65],
                         size_t n, uint8_t *verdicts) {
    memset(w->undecided, 0, n);
    entries_fill(w, g, digests, signatures, n);
    entries_add(w, (const uint64_t *const[2]){g->points, q->points}, g->n_rows * n, n);
    size_t places = g->n_rows;
    for (; places == 2 || (places > 2 && places / 2 * n >= MIN_PAIRS);
         places -= places / 2)
        sums_add(w, places, n);
    if (places > 1)
        sums_total(w, places, n);
    for (size_t i = 0; i < n; i++)
        verdicts[i] =
            w->undecided[i] ? CODEC_KNOWN_UNDECIDED : judge(&w->sums[i], signatures[i]);
}

static void verify(const codec_points *g, const codec_points *q,
                   const uint8_t (*digests)[32], const uint8_t (*signatures)[65],
                   size_t n, uint8_t *verdicts, void *workspace) {
    const size_t most = MAX_PAIRS / g->n_rows;
    const size_t n_groups = (n + most - 1) / most;
    for (size_t k = 0, at = 0; k < n_groups; k++) {
        size_t end = n * (k + 1) / n_groups;
        group_verify(workspace, g, q, digests + at, signatures + at, end - at,
                     verdicts + at);
        at = end;
    }
}

const codec_known_path codec_known_portable = {"portable", sizeof(workshop), verify};
