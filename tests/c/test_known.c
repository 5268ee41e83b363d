/* Verification by a known key: its arithmetic, tables and paths against slow code of
 * the test's own, which works bit by bit. With an argument, less of it. */
#include "check.h"
#include "curve64.h"
#include "known.h"
#include "scalar64.h"

static int quick;

/* Slow numbers of 256 bits. */

typedef codec_u256 u256;

static const u256 P = {{0xFFFFFFFEFFFFFC2F, ~0ULL, ~0ULL, ~0ULL}};
static const u256 N = {{SCALAR_N0, SCALAR_N1, SCALAR_N2, SCALAR_N3}};
static const u256 ONE = {{1, 0, 0, 0}}, ZERO;

static u256 u(uint64_t x) { return (u256){{x, 0, 0, 0}}; }

static int compare(u256 a, u256 b) {
    for (int i = 4; i-- > 0;)
        if (a.w[i] != b.w[i])
            return a.w[i] < b.w[i] ? -1 : 1;
    return 0;
}

static bool equal(u256 a, u256 b) { return compare(a, b) == 0; }

static unsigned add_to(u256 *a, u256 b) {
    unsigned carry = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t x = a->w[i] + b.w[i], y = x + carry;
        carry = (x < b.w[i]) | (y < x);
        a->w[i] = y;
    }
    return carry;
}

static u256 sub(u256 a, u256 b) {
    for (int i = 0; i < 4; i++)
        b.w[i] = ~b.w[i];
    add_to(&a, b);
    add_to(&a, ONE);
    return a;
}

/* Whether bit i is set. */
static bool bit(u256 a, unsigned i) { return a.w[i / 64] >> i % 64 & 1; }

static u256 half(u256 a) {
    for (int i = 0; i < 3; i++)
        a.w[i] = a.w[i] >> 1 | a.w[i + 1] << 63;
    a.w[3] >>= 1;
    return a;
}

/* Any a to [0, m); m > 2^255. */
static u256 reduce(u256 a, u256 m) { return compare(a, m) < 0 ? a : sub(a, m); }

/* The rest is modulo m and takes reduced numbers. */
static u256 add_mod(u256 a, u256 b, u256 m) {
    return add_to(&a, b) ? sub(a, m) : reduce(a, m);
}

static u256 sub_mod(u256 a, u256 b, u256 m) {
    return compare(a, b) < 0 ? sub(m, sub(b, a)) : sub(a, b);
}

/* high 2^256 + low = a b + c, schoolbook. */
static u256 mul_wide(u256 a, u256 b, u256 c, u256 *high) {
    uint64_t t[8] = {c.w[0], c.w[1], c.w[2], c.w[3], 0, 0, 0, 0};
    for (int i = 0; i < 4; i++) {
        codec_u128 carry = 0;
        for (int j = 0; j < 4; j++) {
            carry += (codec_u128)a.w[i] * b.w[j] + t[i + j];
            t[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        for (int j = i + 4; j < 8; j++) {
            carry += t[j];
            t[j] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    memcpy(high->w, t + 4, sizeof high->w);
    return (u256){{t[0], t[1], t[2], t[3]}};
}

static u256 mul_mod(u256 a, u256 b, u256 m) {
    u256 high, fold = sub(ZERO, m); /* 2^256 mod m */
    u256 low = mul_wide(a, b, ZERO, &high);
    while (!equal(high, ZERO))
        low = mul_wide(high, fold, low, &high);
    return reduce(low, m);
}

/* The core's, but it proves itself. */
static u256 inverse_mod(u256 a, u256 m) {
    u256 x = equal(m, P) ? codec_inverse_mod_p(a) : codec_inverse_mod_n(a);
    CHECK(compare(x, m) < 0 && equal(mul_mod(a, x, m), ONE), "1 / %llx ... mod %s",
          (unsigned long long)a.w[0], equal(m, P) ? "p" : "n");
    return x;
}

static u256 power_mod(u256 a, u256 e, u256 m) {
    u256 r = ONE;
    for (int i = 256; i-- > 0;) {
        r = mul_mod(r, r, m);
        if (bit(e, (unsigned)i))
            r = mul_mod(r, a, m);
    }
    return r;
}

static u256 bytes_load(const uint8_t *p) { return scalar_load_be(p); }

static void bytes_store(uint8_t *p, u256 x) {
    for (int i = 0; i < 4; i++)
        store_be64(p + 8 * i, x.w[3 - i]);
}

/* Where arithmetic goes wrong if it does: few bits, long runs, near m and 2^256. */
static u256 random_number(u256 m) {
    u256 x;
    for (int i = 0; i < 4; i++)
        x.w[i] = random_u64();
    switch (random_below(8)) {
    case 0:
        x = u(random_below(4));
        break;
    case 1:
        x = sub(m, u(random_below(4)));
        break;
    case 2:
        x = sub(ZERO, u(1 + random_below(4)));
        break;
    case 3:
        for (int i = 0; i < 4; i++)
            x.w[i] = random_u64() & 1 ? 0 : ~0ULL;
        break;
    case 4: /* 2^i, or 2^i - 1 */
        x = ZERO;
        x.w[random_below(4)] = 1ULL << random_below(64);
        if (random_u64() & 1)
            x = sub(x, ONE);
        break;
    }
    return x;
}

static u256 random_reduced(u256 m) {
    u256 x = reduce(random_number(m), m);
    return equal(x, ZERO) ? ONE : x;
}

static u256 random_even(u256 m) { /* evenly, that is */
    u256 x;
    for (int i = 0; i < 4; i++)
        x.w[i] = random_u64();
    return reduce(x, m);
}

/* Slow points. */

typedef struct {
    u256 x, y;
    bool infinite;
} spot;

static const spot G = {
    {{0x59F2815B16F81798, 0x029BFCDB2DCE28D9, 0x55A06295CE870B07, 0x79BE667EF9DCBBAC}},
    {{0x9C47D08FFB10D4B8, 0xFD17B448A6855419, 0x5DA4FBFC0E1108A8, 0x483ADA7726A3C465}},
    false};
static const spot INFINITE = {.infinite = true};

static spot spot_negate(spot a) {
    a.y = sub_mod(ZERO, a.y, P);
    return a;
}

static spot spot_add(spot a, spot b) {
    u256 slope;
    if (a.infinite)
        return b;
    if (b.infinite)
        return a;
    if (!equal(a.x, b.x)) {
        slope = mul_mod(sub_mod(b.y, a.y, P), inverse_mod(sub_mod(b.x, a.x, P), P), P);
    } else {
        if (!equal(a.y, b.y))
            return INFINITE;
        u256 xx = mul_mod(a.x, a.x, P);
        slope = mul_mod(mul_mod(u(3), xx, P), inverse_mod(add_mod(a.y, a.y, P), P), P);
    }
    spot c = {.infinite = false};
    c.x = sub_mod(sub_mod(mul_mod(slope, slope, P), a.x, P), b.x, P);
    c.y = sub_mod(mul_mod(slope, sub_mod(a.x, c.x, P), P), a.y, P);
    return c;
}

/* 2^i times a point, for i up to 271. */
typedef struct {
    spot at[272];
} ladder;

static void ladder_fill(ladder *l, spot a) {
    for (int i = 0; i < 272; i++, a = spot_add(a, a))
        l->at[i] = a;
}

static spot spot_times(const ladder *l, u256 k) {
    spot sum = INFINITE;
    for (unsigned i = 0; i < 256; i++)
        if (bit(k, i))
            sum = spot_add(sum, l->at[i]);
    return sum;
}

/* Whether x is a curve point's; then the one with the even y. */
static bool spot_from(u256 x, spot *a) {
    u256 square = add_mod(mul_mod(x, mul_mod(x, x, P), P), u(7), P);
    u256 e = half(half(sub(P, u(3))));
    add_to(&e, ONE); /* (p + 1) / 4 */
    u256 y = power_mod(square, e, P);
    if (y.w[0] & 1)
        y = sub_mod(ZERO, y, P);
    *a = (spot){x, y, false};
    return equal(mul_mod(y, y, P), square);
}

/* Arithmetic. */

static u256 field_value(field a) {
    u256 value = ZERO, base = u(1ULL << 52);
    for (int i = 5; i-- > 0;)
        value = add_mod(mul_mod(base, value, P), u(a.limb[i]), P);
    return value;
}

static bool field_is(field a, u256 expected) {
    u256 x;
    field_to(x.w, field_normalise(a));
    return equal(x, expected);
}

static field random_field(uint64_t magnitude) {
    const uint64_t top = (1ULL << 48) + (1ULL << 40);
    field a;
    switch (random_below(4)) {
    case 0:
        for (int i = 0; i < 5; i++) {
            uint64_t most = magnitude * (i < 4 ? FIELD_MASK : top);
            a.limb[i] = random_u64() & 1 ? most - random_below(2) : random_below(3);
        }
        return a;
    case 1: { /* k p, and a little more or less */
        uint64_t k = random_below(magnitude + 1);
        a = (field){{k * FIELD_P0, k * FIELD_MASK, k * FIELD_MASK, k * FIELD_MASK,
                     k * FIELD_TOP_MASK}};
        if (k && random_u64() & 1)
            a.limb[0] += random_below(3) - 1;
        if (k && random_u64() & 1) { /* another of its representations */
            a.limb[1] -= 1;
            a.limb[0] += k < magnitude ? 1ULL << 52 : 0;
        }
        return a;
    }
    case 2: {
        u256 x = random_number(P);
        return field_from(x.w);
    }
    default:
        for (int i = 0; i < 5; i++)
            a.limb[i] = random_u64() % (magnitude * (i < 4 ? FIELD_MASK : top) + 1);
        return a;
    }
}

static void field_test(int rounds) {
    for (int round = 0; round < rounds; round++) {
        uint64_t m = 1 + random_below(8);
        field a = random_field(m), b = random_field(1 + random_below(8));
        field c = random_field(9);
        u256 va = field_value(a), vb = field_value(b), vc = field_value(c);
        CHECK(field_is(a, va) && field_is(c, vc), "normalise");
        CHECK(field_is(field_mul(a, b), mul_mod(va, vb, P)), "product");
        CHECK(field_is(field_sqr(a), mul_mod(va, va, P)), "square");
        CHECK(field_is(field_mul_add(a, b, c), add_mod(mul_mod(va, vb, P), vc, P)),
              "product and sum");
        CHECK(field_is(field_sqr_add(a, c), add_mod(mul_mod(va, va, P), vc, P)),
              "square and sum");
        CHECK(field_is(field_negate(a, m), sub_mod(ZERO, va, P)), "negation");
        CHECK(field_is_zero(a) == equal(va, ZERO), "zero?");
        CHECK(field_is_zero(c) == equal(vc, ZERO), "zero?");
        field d = random_field(3), e = random_field(4);
        u256 vd = field_value(d), ve = field_value(e);
        CHECK(field_is(field_sub(d, e, 4), sub_mod(vd, ve, P)), "difference");
        CHECK(field_is(field_add(d, e), add_mod(vd, ve, P)), "sum");
        CHECK(field_is(field_times(d, 2), add_mod(vd, vd, P)), "double");
        if (!equal(va, ZERO))
            CHECK(field_is(field_inverse(a), inverse_mod(va, P)), "inverse");
        u256 x = random_number(P);
        CHECK(field_is(field_from(x.w), reduce(x, P)), "from words");
    }
}

static void inverses_test(int rounds) {
    for (int round = 0; round < rounds; round++) {
        inverse_mod(random_reduced(P), P);
        inverse_mod(random_reduced(N), N);
    }
    for (unsigned i = 0; i < 256; i++) {
        u256 power = ZERO;
        power.w[i / 64] = 1ULL << i % 64;
        inverse_mod(power, P);
        inverse_mod(power, N);
        inverse_mod(sub(P, power), P);
        inverse_mod(sub_mod(ZERO, reduce(power, N), N), N);
    }
}

static void scalar_test(int rounds) {
    u256 radix = sub(ZERO, N); /* 2^256 mod n */
    CHECK(equal(mul_mod(radix, radix, N), scalar_square), "2^512");
    for (int round = 0; round < rounds; round++) {
        u256 a = random_number(N), b = reduce(random_number(N), N);
        u256 product = scalar_mul(a, b), sum = scalar_add(reduce(a, N), b);
        CHECK(compare(product, N) < 0 && compare(sum, N) < 0, "reduced");
        CHECK(equal(mul_mod(product, radix, N), mul_mod(reduce(a, N), b, N)),
              "product mod n");
        CHECK(equal(sum, add_mod(reduce(a, N), b, N)), "sum mod n");
    }
    for (unsigned window = 2; window <= 16; window++) {
        unsigned n_rows = (255 + window) / window;
        u256 shift = codec_window_shift(window, n_rows), e = ONE;
        for (unsigned i = 0; i < window * n_rows; i++)
            e = add_mod(e, e, N);
        CHECK(equal(add_mod(shift, shift, N), sub_mod(e, ONE, N)), "shift, %u", window);
        u256 x = random_number(N);
        for (unsigned i = 0; i < 256; i++)
            CHECK(
                bit(x, i) ==
                    (scalar_window(&x, i / window * window, window) >> i % window & 1),
                "window %u, bit %u", window, i);
    }
}

/* Tables. */

typedef struct {
    codec_points points;
    guarded pages;
} table;

static table table_new(unsigned window, spot base) {
    table t = {.points = {.window = window, .n_rows = (255 + window) / window}};
    size_t len = ((size_t)t.points.n_rows << (window - 1)) * 64;
    size_t scratch_len = (codec_points_scratch_len(window) + 63) / 64 * 64;
    guarded scratch = guarded_new(scratch_len);
    t.pages = guarded_new(len);
    guarded_fill(t.pages);
    guarded_fill(scratch);
    t.points.points = (uint64_t *)(void *)(t.pages.end - len);
    codec_points_build(&t.points, base.x, base.y, scratch.end - scratch_len);
    CHECK(guarded_clean(t.pages, t.pages.end - len, len), "beside the table");
    munmap(scratch.start, (size_t)(scratch.end - scratch.start));
    return t;
}

static void table_free(table t) {
    munmap(t.pages.start, (size_t)(t.pages.end - t.pages.start));
}

static bool point_is(const uint64_t *words, spot a) {
    return memcmp(words, a.x.w, 32) == 0 && memcmp(words + 4, a.y.w, 32) == 0;
}

/* `n_full` rows, one by one, and some entries of the others. */
static void table_check(const codec_points *t, spot base, const char *what,
                        size_t n_full) {
    static ladder l;
    size_t row_len = (size_t)1 << (t->window - 1);
    u256 half_n = half(N);
    add_to(&half_n, ONE);
    ladder_fill(&l, base);
    ladder_fill(&l, spot_times(&l, half_n));
    for (size_t i = 0; i < t->n_rows; i++) {
        const uint64_t *row = t->points + i * row_len * CODEC_POINT_WORDS;
        spot first = l.at[i * t->window], twice = spot_add(first, first), a = first;
        for (size_t j = 0; j < row_len && i < n_full; j++, a = spot_add(a, twice))
            CHECK(point_is(row + j * CODEC_POINT_WORDS, a),
                  "window %u, row %zu, entry %zu, %s", t->window, i, j, what);
        for (int k = 0; k < 6; k++) {
            size_t j = k == 0 ? 0 : k == 1 ? row_len - 1 : random_below(row_len);
            a = first;
            for (unsigned b = 0; b < t->window; b++)
                if (j >> b & 1)
                    a = spot_add(a, l.at[i * t->window + b + 1]);
            CHECK(point_is(row + j * CODEC_POINT_WORDS, a),
                  "window %u, row %zu, entry %zu, %s", t->window, i, j, what);
        }
    }
}

/* Keys whose multiples meet the generator's, and an ordinary one. */
enum { N_KEYS = 8 };
static struct {
    const char *name;
    u256 d;
    spot q;
} keys[N_KEYS];
static ladder g_ladder;

static void keys_make(void) {
    ladder_fill(&g_ladder, G);
    static const char *const names[N_KEYS] = {"ordinary", "1",     "2",     "3",
                                              "1/2",      "n - 1", "n - 2", "2^128"};
    const u256 ds[N_KEYS] = {
        random_even(N),       ONE,         u(2),         u(3),
        inverse_mod(u(2), N), sub(N, ONE), sub(N, u(2)), {{0, 0, 1, 0}},
    };
    for (int i = 0; i < N_KEYS; i++) {
        keys[i].name = names[i];
        keys[i].d = ds[i];
        keys[i].q = spot_times(&g_ladder, ds[i]);
    }
}

static void tables_test(void) {
    for (unsigned window = 2; window <= (quick ? 9 : 16); window++) {
        for (int i = 0; i < (window > 9 ? 1 : N_KEYS); i++) {
            table t = table_new(window, keys[i].q);
            table_check(&t.points, keys[i].q, keys[i].name,
                        i > 1          ? 0
                        : window < 8   ? 1000
                        : window <= 13 ? 2
                                       : 0);
            table_free(t);
        }
    }
}

/* Signatures. */

typedef struct {
    uint8_t digest[32], signature[65];
} signed_digest;

static signed_digest signed_make(u256 z, u256 r, u256 s, unsigned v) {
    signed_digest d;
    bytes_store(d.digest, z);
    bytes_store(d.signature, r);
    bytes_store(d.signature + 32, s);
    d.signature[64] = (uint8_t)v;
    return d;
}

static bool high(u256 s) { return compare(s, half(N)) > 0; }

/* With the nonce's point; z any number. */
static signed_digest sign(u256 d, u256 z, u256 k, spot point) {
    u256 r = reduce(point.x, N);
    u256 s = add_mod(reduce(z, N), mul_mod(r, d, N), N);
    s = mul_mod(s, inverse_mod(k, N), N);
    unsigned v = (unsigned)point.y.w[0] & 1;
    return high(s) ? signed_make(z, r, sub(N, s), v ^ 1) : signed_make(z, r, s, v);
}

/* Fills with good signatures, by nonces in even steps. */
static void signed_fill(signed_digest *to, size_t n, u256 d) {
    u256 k = random_even(N), step = random_even(N);
    spot point = spot_times(&g_ladder, k), point_step = spot_times(&g_ladder, step);
    for (size_t i = 0; i < n; i++) {
        u256 z = random_number(N);
        if (equal(reduce(z, N), ZERO)) /* which paths need not decide */
            z = ONE;
        to[i] = sign(d, z, k, point);
        k = add_mod(k, step, N);
        point = spot_add(point, point_step);
    }
}

/* Whether a path may be asked. */
static bool admissible(const signed_digest *d) {
    u256 r = bytes_load(d->signature), s = bytes_load(d->signature + 32);
    return d->signature[64] < 2 && !equal(r, ZERO) && compare(r, N) < 0 &&
           !equal(s, ZERO) && !high(s);
}

static uint8_t verdict_slow(const signed_digest *d, const ladder *q) {
    u256 r = bytes_load(d->signature), s = bytes_load(d->signature + 32);
    u256 z = reduce(bytes_load(d->digest), N), w = inverse_mod(s, N);
    spot sum = spot_add(spot_times(&g_ladder, mul_mod(z, w, N)),
                        spot_times(q, mul_mod(r, w, N)));
    return !sum.infinite && equal(sum.x, r) && (sum.y.w[0] & 1) == d->signature[64]
               ? CODEC_KNOWN_GOOD
               : CODEC_KNOWN_BAD;
}

static const codec_known_path *paths[4];

static guarded digest_pages, signature_pages, verdict_pages, workspace_pages;
static unsigned long n_crafted, n_undecided;

/* All that lies against a guard page; the verdicts are good until the next call. */
static const uint8_t *path_run(const codec_known_path *path, const codec_points *g,
                               const codec_points *q, const signed_digest *d,
                               size_t n) {
    uint8_t *digests = digest_pages.end - 32 * n;
    uint8_t *signatures = signature_pages.end - 65 * n;
    uint8_t *verdicts = verdict_pages.end - n;
    size_t workspace_len = (path->workspace_len + 63) / 64 * 64;
    for (size_t i = 0; i < n; i++) {
        memcpy(digests + 32 * i, d[i].digest, 32);
        memcpy(signatures + 65 * i, d[i].signature, 65);
    }
    guarded_fill(verdict_pages);
    path->verify(g, q, (const uint8_t (*)[32])(const void *)digests,
                 (const uint8_t (*)[65])(const void *)signatures, n, verdicts,
                 workspace_pages.end - workspace_len);
    CHECK(guarded_clean(verdict_pages, verdicts, n), "%s: beside the verdicts",
          path->name);
    return verdicts;
}

/* A wrong one of a good one, for every path to decide. */
static signed_digest spoil(signed_digest d, size_t how) {
    signed_digest bad;
    do {
        bad = d;
        switch (how % 5) {
        case 0:
            bad.signature[random_below(32)] ^= (uint8_t)(1U << random_below(8));
            break;
        case 1:
            bad.signature[32 + random_below(32)] ^= (uint8_t)(1U << random_below(8));
            break;
        case 2:
            bad.digest[random_below(32)] ^= (uint8_t)(1U << random_below(8));
            break;
        case 3:
            bad.signature[64] ^= 1;
            break;
        default: { /* -s, were it allowed: s + 1 */
            u256 s = bytes_load(d.signature + 32);
            bytes_store(bad.signature + 32, add_mod(s, ONE, N));
        }
        }
    } while (!admissible(&bad) || equal(reduce(bytes_load(bad.digest), N), ZERO));
    return bad;
}

/* All good but for one; `spoiled` = n for none. */
static void one_bad_check(const codec_known_path *path, const codec_points *g,
                          const codec_points *q, signed_digest *d, size_t n,
                          size_t spoiled, size_t how) {
    signed_digest kept;
    if (spoiled < n) {
        kept = d[spoiled];
        d[spoiled] = spoil(kept, how);
    }
    const uint8_t *verdicts = path_run(path, g, q, d, n);
    for (size_t i = 0; i < n; i++)
        CHECK(verdicts[i] == (i == spoiled ? CODEC_KNOWN_BAD : CODEC_KNOWN_GOOD),
              "%s: window %u, %zu of %zu says %u where %zu is bad (%zu)", path->name,
              g->window, i, n, verdicts[i], spoiled, how % 5);
    if (spoiled < n)
        d[spoiled] = kept;
}

static void batches_test(const codec_known_path *path, unsigned window) {
    static signed_digest d[CODEC_KNOWN_BATCH];
    table g = table_new(window, G), q = table_new(window, keys[0].q);
    size_t most = quick ? 130 : CODEC_KNOWN_BATCH;
    signed_fill(d, most, keys[0].d);
    path_run(path, &g.points, &q.points, d, 0);
    for (size_t n = 1; n <= 40; n++)
        for (size_t i = 0; i <= n; i += quick ? 1 + n / 4 : 1)
            one_bad_check(path, &g.points, &q.points, d + random_below(most - n), n, i,
                          n + i);
    static const size_t sizes[] = {41,  63,  64,   65,   100, 127,
                                   128, 129, 1000, 1023, 1024};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes && sizes[k] <= most; k++)
        for (int round = 0; round < (quick ? 2 : 20); round++) {
            size_t n = sizes[k], at = round < 3 ? n - (size_t)round : random_below(n);
            one_bad_check(path, &g.points, &q.points, d, n, at, (size_t)round);
        }
    /* Good and bad in any order, and the wrong key. */
    for (int round = 0; round < (quick ? 3 : 30); round++) {
        static signed_digest mixed[CODEC_KNOWN_BATCH];
        static uint8_t expected[CODEC_KNOWN_BATCH];
        size_t n = 1 + random_below(most);
        for (size_t i = 0; i < n; i++) {
            expected[i] = random_u64() & 1 ? CODEC_KNOWN_GOOD : CODEC_KNOWN_BAD;
            mixed[i] = expected[i] == CODEC_KNOWN_GOOD ? d[i] : spoil(d[i], i);
        }
        const uint8_t *verdicts = path_run(path, &g.points, &q.points, mixed, n);
        CHECK(memcmp(verdicts, expected, n) == 0, "%s: window %u, %zu mixed",
              path->name, window, n);
        verdicts = path_run(path, &g.points, &g.points, mixed, n);
        for (size_t i = 0; i < n; i++)
            CHECK(verdicts[i] != CODEC_KNOWN_GOOD, "%s: not the generator's signature",
                  path->name);
    }
    table_free(g);
    table_free(q);
}

/* Never good where it is wrong, nor bad where it is right. */
static void crafted_check(const codec_known_path *path, unsigned window,
                          uint8_t verdict, uint8_t expected, const char *key,
                          size_t which, size_t n) {
    n_crafted++;
    n_undecided += verdict == CODEC_KNOWN_UNDECIDED;
    CHECK(verdict == CODEC_KNOWN_UNDECIDED || verdict == expected,
          "%s: window %u, key %s, crafted %zu, batch of %zu: %u", path->name, window,
          key, which, n, verdict);
}

/* A good signature that comes to these two scalars, or their opposites. */
static bool scalars_sign(signed_digest *to, u256 u1, u256 u2, const ladder *q) {
    if (equal(u2, ZERO))
        return false;
    spot sum = spot_add(spot_times(&g_ladder, u1), spot_times(q, u2));
    if (sum.infinite) /* then nothing is good */
        sum = G;
    u256 r = reduce(sum.x, N), s = mul_mod(r, inverse_mod(u2, N), N);
    u256 z = mul_mod(u1, s, N);
    unsigned v = (unsigned)sum.y.w[0] & 1;
    *to = high(s) ? signed_make(z, r, sub(N, s), v ^ 1) : signed_make(z, r, s, v);
    return admissible(to);
}

enum { MAX_CRAFTED = 256 };

static size_t crafted_make(signed_digest *d, unsigned window, u256 key,
                           const ladder *q) {
    const unsigned n_rows = (255 + window) / window;
    const u256 shift = codec_window_shift(window, n_rows);
    const u256 inverse_key = inverse_mod(key, N);
    size_t n = 0;
    u256 special[] = {ZERO,
                      ONE,
                      u(2),
                      sub(N, ONE),
                      sub(N, u(2)),
                      sub_mod(ZERO, shift, N), /* all digits 0 */
                      sub_mod(ONE, shift, N),
                      sub_mod(sub(N, ONE), shift, N),
                      sub_mod((u256){{0, ~0ULL, 0, ~0ULL >> 1}}, shift, N),
                      random_even(N)};
    const size_t n_special = sizeof special / sizeof *special;
    for (size_t i = 0; i < n_special; i++)
        for (size_t j = 0; j < n_special; j++)
            n += scalars_sign(&d[n], special[i], special[j], q);
    /* u1 G = +-u2 Q, and off by what few windows make. */
    for (int i = 0; i < 24; i++) {
        u256 u2 = random_even(N), u1 = mul_mod(u2, key, N), off = ZERO;
        if (i % 2)
            u1 = sub_mod(ZERO, u1, N);
        if (i >= 4) {
            unsigned at = window * (unsigned)random_below(n_rows);
            at = at < 254 ? at : 254;
            off.w[at / 64] = 1ULL << at % 64;
            off = i % 3 ? mul_mod(off, u(random_below(1U << window)), N) : off;
        }
        n += scalars_sign(&d[n], add_mod(u1, reduce(off, N), N), u2, q);
    }
    /* One scalar of which windows lie above the half is the other times the key's
     * inverse there: sums of parts meet. */
    for (int i = 0; i < 12; i++) {
        u256 u1 = random_even(N), u2;
        if (i % 2)
            u1.w[2] = u1.w[3] = 0;
        u2 = mul_mod(u1, inverse_key, N);
        n += scalars_sign(&d[n], u1, i % 4 < 2 ? u2 : sub_mod(ZERO, u2, N), q);
    }
    /* Digests around n. */
    u256 zs[] = {ZERO, ONE, sub(N, ONE), N, sub(N, sub(ZERO, ONE)), sub(ZERO, ONE)};
    for (size_t i = 0; i < sizeof zs / sizeof *zs; i++) {
        u256 k = random_even(N);
        d[n++] = sign(key, zs[i], k, spot_times(&g_ladder, k));
        d[n++] = sign(key, zs[i], ONE, G);
    }
    /* The sum is infinity: z = -r d. */
    for (int i = 0; i < 4; i++) {
        u256 r = random_reduced(N), s = half(random_even(N));
        d[n++] = signed_make(sub_mod(ZERO, mul_mod(r, key, N), N), r, s, i & 1);
    }
    /* r and s at their ends. */
    for (int i = 0; i < 8; i++) {
        u256 r = i & 1 ? ONE : sub(N, ONE), s = i & 2 ? ONE : half(N);
        d[n++] = signed_make(i & 4 ? random_even(N) : ZERO, r, s, 0);
    }
    for (size_t i = 0; i < n; i++)
        CHECK(admissible(&d[i]), "crafted %zu", i);
    return n;
}

/* All together; then each alone, and amid good ones, whose verdicts it must not touch:
 * only those of small keys may be undecided themselves. */
static void crafted_run(const codec_known_path *path, const codec_points *g,
                        const codec_points *q, const ladder *l, int key) {
    static signed_digest d[MAX_CRAFTED], good[40];
    static uint8_t expected[MAX_CRAFTED];
    const char *name = keys[key].name;
    size_t n = crafted_make(d, g->window, keys[key].d, l);
    const uint8_t *verdicts = path_run(path, g, q, d, n);
    for (size_t i = 0; i < n; i++) {
        expected[i] = verdict_slow(&d[i], l);
        crafted_check(path, g->window, verdicts[i], expected[i], name, i, n);
    }
    signed_fill(good, 40, keys[key].d);
    for (size_t i = 0; i < n; i += quick ? 3 : 1) {
        static const size_t sizes[] = {1, 8, 40};
        for (size_t k = 0; k < 3; k++) {
            size_t size = sizes[k], at = i % size;
            signed_digest kept = good[at];
            good[at] = d[i];
            verdicts = path_run(path, g, q, good, size);
            good[at] = kept;
            crafted_check(path, g->window, verdicts[at], expected[i], name, i, size);
            for (size_t j = 0; j < size; j++)
                CHECK(j == at || verdicts[j] == CODEC_KNOWN_GOOD ||
                          (key > 0 && verdicts[j] == CODEC_KNOWN_UNDECIDED),
                      "%s: window %u, key %s, %zu of %zu beside crafted %zu: %u",
                      path->name, g->window, name, j, size, i, verdicts[j]);
        }
    }
}

static void crafted_test(const codec_known_path *path, unsigned window) {
    static ladder l;
    table g = table_new(window, G);
    for (int i = 0; i < (quick ? 3 : N_KEYS); i++) {
        table q = table_new(window, keys[i].q);
        ladder_fill(&l, keys[i].q);
        crafted_run(path, &g.points, &q.points, &l, i);
        table_free(q);
    }
    table_free(g);
}

/* The sum of r and a key made for both: Q = (s R - z G) / r. So its coordinates can be
 * what no nonce would find. */
static void point_check(const codec_known_path *path, const codec_points *g, spot point,
                        u256 r, const char *what) {
    static ladder l;
    u256 z = random_even(N), s = half(random_even(N));
    ladder_fill(&l, point);
    spot q = spot_add(spot_times(&l, s), spot_negate(spot_times(&g_ladder, z)));
    ladder_fill(&l, q);
    q = spot_times(&l, inverse_mod(r, N));
    ladder_fill(&l, q);
    table t = table_new(g->window, q);
    for (unsigned v = 0; v < 2; v++) {
        signed_digest d = signed_make(z, r, s, v);
        uint8_t expected = verdict_slow(&d, &l);
        CHECK(expected == (equal(point.x, r) && (point.y.w[0] & 1) == v
                               ? CODEC_KNOWN_GOOD
                               : CODEC_KNOWN_BAD),
              "the test's own verdict: %s", what);
        const uint8_t *verdicts = path_run(path, g, &t.points, &d, 1);
        CHECK(verdicts[0] == expected, "%s: window %u, %s, v = %u: %u", path->name,
              g->window, what, v, verdicts[0]);
    }
    table_free(t);
}

/* Whether y is a curve point's. */
static bool spot_from_y(u256 y, spot *a) {
    u256 cube = sub_mod(mul_mod(y, y, P), u(7), P);
    /* (p + 2) / 9, as p = 7 mod 9 */
    const u256 e = {{0x1C71C71C555554E9, 0x71C71C71C71C71C7, 0xC71C71C71C71C71C,
                     0x1C71C71C71C71C71}};
    u256 x = power_mod(cube, e, P);
    *a = (spot){x, y, false};
    return equal(mul_mod(x, mul_mod(x, x, P), P), cube);
}

static void points_test(const codec_known_path *path, unsigned window) {
    static const struct {
        const char *what;
        u256 start;
        bool is_y, down;
    } searches[] = {
        {"x = 1 and up", {{1, 0, 0, 0}}, false, false},
        {"x below p", {{0xFFFFFFFEFFFFFC2E, ~0ULL, ~0ULL, ~0ULL}}, false, true},
        {"x from n", {{SCALAR_N0 + 1, SCALAR_N1, SCALAR_N2, SCALAR_N3}}, false, false},
        {"x below n", {{SCALAR_N0 - 1, SCALAR_N1, SCALAR_N2, SCALAR_N3}}, false, true},
        {"x below p - n",
         {{0x402DA1722FC9BAED, 0x4551231950B75FC4, 1, 0}},
         false,
         true},
        {"x from 2^32", {{1ULL << 32, 0, 0, 0}}, false, false},
        {"x below 2^52", {{1ULL << 52, 0, 0, 0}}, false, true},
        {"x below 2^208", {{0, 0, 0, 1ULL << 16}}, false, true},
        {"y = 1 and up", {{1, 0, 0, 0}}, true, false},
        {"y from 2^32", {{1ULL << 32, 0, 0, 0}}, true, false},
        {"y below 2^208", {{0, 0, 0, 1ULL << 16}}, true, true},
    };
    table g = table_new(window, G);
    spot point = G;
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        u256 start = searches[i].start;
        for (int n_found = 0; n_found < (quick ? 2 : 4);) {
            if (searches[i].is_y ? spot_from_y(start, &point)
                                 : spot_from(start, &point))
                point_check(path, &g.points, n_found++ & 1 ? spot_negate(point) : point,
                            reduce(point.x, N), searches[i].what);
            start = searches[i].down ? sub_mod(start, ONE, P) : add_mod(start, ONE, P);
        }
    }
    /* All bits of x count. */
    for (unsigned i = 0; i < 256; i += quick ? 17 : 5) {
        u256 r = spot_add(point, G).x;
        r.w[i / 64] ^= 1ULL << i % 64;
        if (compare(r, N) < 0)
            point_check(path, &g.points, spot_add(point, G), r, "r but for a bit");
    }
    table_free(g);
}

int main(int argc, char **argv) {
    (void)argv;
    quick = argc > 1;
    size_t n_paths = 0, workspace_len = 0;
    paths[n_paths++] = &codec_known_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2"))
        paths[n_paths++] = &codec_known_ifma;
#endif
    for (size_t i = 0; i < n_paths; i++)
        if (paths[i]->workspace_len > workspace_len)
            workspace_len = paths[i]->workspace_len;
    digest_pages = guarded_new(32 * CODEC_KNOWN_BATCH);
    signature_pages = guarded_new(65 * CODEC_KNOWN_BATCH);
    verdict_pages = guarded_new(CODEC_KNOWN_BATCH);
    workspace_pages = guarded_new(workspace_len + 64);
    random_fill(workspace_pages.start, workspace_len);

    field_test(quick ? 1000 : 20000);
    scalar_test(quick ? 1000 : 20000);
    inverses_test(quick ? 1000 : 20000);
    keys_make();
    tables_test();
    for (size_t i = 0; i < n_paths; i++) {
        n_crafted = n_undecided = 0;
        static const unsigned windows[] = {4, 8, 13, 2, 7, 16};
        for (size_t k = 0; k < (quick ? 2 : sizeof windows / sizeof *windows); k++) {
            batches_test(paths[i], windows[k]);
            if (windows[k] < 13)
                crafted_test(paths[i], windows[k]);
            if (windows[k] <= 8)
                points_test(paths[i], windows[k]);
        }
        printf("%s: %lu of %lu crafted signatures undecided\n", paths[i]->name,
               n_undecided, n_crafted);
    }
    return check_report("known signer");
}
