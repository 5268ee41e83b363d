/* AVX-512 IFMA: the arithmetic of eight lanes against slow code in 64-bit words, and
 * verdicts against a slow sum of multiples of points. */
#include "check.h"

#if defined(__x86_64__)
#include "known.h"
#include "scalar_ifma.h"

__extension__ typedef unsigned __int128 wide;
typedef codec_u256 number;

/* 2^256 - fold */
typedef struct {
    number value, fold;
} modulus;

static const modulus mod_p = {
    {{0xFFFFFFFEFFFFFC2F, ~0ULL, ~0ULL, ~0ULL}},
    {{0x1000003D1, 0, 0, 0}},
};
static const modulus mod_n = {
    {{0xBFD25E8CD0364141, 0xBAAEDCE6AF48A03B, 0xFFFFFFFFFFFFFFFE, ~0ULL}},
    {{0x402DA1732FC9BEBF, 0x4551231950B75FC4, 1, 0}},
};

static int compare(const number *a, const number *b) {
    for (int i = 3; i >= 0; i--)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

static bool is_zero(const number *a) {
    return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static number minus(number a, const number *b) {
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        wide d = (wide)a.w[i] - b->w[i] - borrow;
        a.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return a;
}

/* A number of nine words mod m, by hi 2^256 + lo = hi fold + lo. */
static number reduce(const uint64_t x[9], const modulus *m) {
    uint64_t t[9];
    number r;
    memcpy(t, x, sizeof t);
    while (t[4] | t[5] | t[6] | t[7] | t[8]) {
        uint64_t sum[9] = {t[0], t[1], t[2], t[3]};
        for (int i = 0; i < 5; i++) {
            uint64_t carry = 0;
            for (int j = 0; i + j < 9; j++) {
                wide s =
                    (wide)t[4 + i] * (j < 4 ? m->fold.w[j] : 0) + sum[i + j] + carry;
                sum[i + j] = (uint64_t)s;
                carry = (uint64_t)(s >> 64);
            }
        }
        memcpy(t, sum, sizeof t);
    }
    memcpy(r.w, t, sizeof r.w);
    while (compare(&r, &m->value) >= 0)
        r = minus(r, &m->value);
    return r;
}

static number mul(number a, number b, const modulus *m) {
    uint64_t t[9] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++) {
            wide s = (wide)a.w[i] * b.w[j] + t[i + j] + carry;
            t[i + j] = (uint64_t)s;
            carry = (uint64_t)(s >> 64);
        }
        t[i + 4] = carry;
    }
    return reduce(t, m);
}

static number add(number a, number b, const modulus *m) {
    uint64_t t[9] = {0}, carry = 0;
    for (int i = 0; i < 4; i++) {
        wide s = (wide)a.w[i] + b.w[i] + carry;
        t[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    t[4] = carry;
    return reduce(t, m);
}

static number neg(number a, const modulus *m) {
    return is_zero(&a) ? a : minus(m->value, &a);
}

static number sub(number a, number b, const modulus *m) { return add(a, neg(b, m), m); }

/* a^(m - 2) */
static number invert(number a, const modulus *m) {
    const number two = {{2}}, exponent = minus(m->value, &two);
    number r = {{1}};
    for (int i = 255; i >= 0; i--) {
        r = mul(r, r, m);
        if (exponent.w[i / 64] >> i % 64 & 1)
            r = mul(r, a, m);
    }
    return r;
}

static number random_number(const modulus *m) {
    uint64_t t[9] = {random_u64(), random_u64(), random_u64(), random_u64()};
    return reduce(t, m);
}

/* Lanes. */

typedef struct {
    uint64_t limb[5][8];
} lanes;

IFMA_TARGET static lanes lanes_from(const limbs *a) {
    lanes x;
    for (int i = 0; i < 5; i++)
        _mm512_storeu_si512(x.limb[i], a->limb[i]);
    return x;
}

IFMA_TARGET static limbs lanes_to(const lanes *x) {
    limbs a;
    for (int i = 0; i < 5; i++)
        a.limb[i] = _mm512_loadu_si512(x->limb[i]);
    return a;
}

/* The sum of limb i * 2^(52 i), mod m. Limbs are below 2^64. */
static number lane_value(const lanes *x, int lane, const modulus *m) {
    uint64_t t[9] = {0};
    for (int i = 0; i < 5; i++) {
        unsigned word = 52 * (unsigned)i / 64, shift = 52 * (unsigned)i % 64;
        wide s = (wide)x->limb[i][lane] << shift;
        uint64_t carry = 0;
        for (unsigned j = word; j < 9; j++) {
            wide sum = (wide)t[j] + (j == word       ? (uint64_t)s
                                     : j == word + 1 ? (uint64_t)(s >> 64)
                                                     : 0);
            sum += carry;
            t[j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
    }
    return reduce(t, m);
}

static uint64_t limb_below(unsigned bits) {
    uint64_t end = 1ULL << bits;
    switch (random_below(8)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return end - 1;
    case 3:
        return end - 1 - random_below(16);
    case 4:
        return 1ULL << random_below(bits);
    default:
        return random_u64() & (end - 1);
    }
}

/* A number that is near 0, p, n, 2^256 or 2p, or anywhere, in every lane. */
static lanes lanes_random(unsigned bits, unsigned top_bits) {
    lanes x;
    for (int lane = 0; lane < 8; lane++)
        for (int i = 0; i < 5; i++)
            x.limb[i][lane] = limb_below(i < 4 ? bits : top_bits);
    return x;
}

/* Small multiples of the modulus, and a little more or less, in normal limbs. */
static lanes lanes_near(const modulus *m, unsigned max_multiple) {
    lanes x;
    for (int lane = 0; lane < 8; lane++) {
        uint64_t k = random_below(max_multiple + 1), t[6] = {0}, carry = 0;
        int64_t delta = (int64_t)random_below(5) - 2;
        if (random_below(4) == 0)
            delta = (int64_t)(random_u64() >> 30) - (1LL << 33);
        if (k == 0 && delta < 0)
            delta = -delta;
        for (int i = 0; i < 5; i++) {
            wide s = (wide)k * (i < 4 ? m->value.w[i] : 0) + carry;
            t[i] = (uint64_t)s;
            carry = (uint64_t)(s >> 64);
        }
        carry = 0;
        for (int i = 0; i < 5; i++) {
            uint64_t more = i == 0 ? (uint64_t)delta : delta < 0 ? ~0ULL : 0;
            wide s = (wide)t[i] + more + carry;
            t[i] = (uint64_t)s;
            carry = (uint64_t)(s >> 64);
        }
        for (unsigned i = 0; i < 5; i++) {
            unsigned word = 52 * i / 64, shift = 52 * i % 64;
            wide two = (wide)t[word + 1] << 64 | t[word];
            x.limb[i][lane] = (uint64_t)(two >> shift) & (i < 4 ? LIMB_MASK : ~0ULL);
        }
    }
    return x;
}

static lanes lanes_normal(const modulus *m, unsigned top_bits) {
    switch (random_below(3)) {
    case 0:
        return lanes_near(m, top_bits > 49 ? 4 : 1);
    case 1:
        return lanes_near(m == &mod_p ? &mod_n : &mod_p, 1);
    default:
        return lanes_random(52, top_bits);
    }
}

/* Limb 4 at most 2^48 + 31, as it is behind a multiplication. */
static lanes lanes_tight(void) {
    lanes x = random_below(2) ? lanes_near(&mod_p, 1) : lanes_random(52, 48);
    for (int lane = 0; lane < 8; lane++)
        if (random_below(8) == 0)
            x.limb[4][lane] = (1ULL << 48) + random_below(32);
    return x;
}

#define EXPECT(m, what, expected)                                                      \
    do {                                                                               \
        lanes got_ = lanes_from(&(what));                                              \
        for (int lane = 0; lane < 8; lane++) {                                         \
            number have = lane_value(&got_, lane, m), want = (expected);               \
            CHECK(compare(&have, &want) == 0, "%s, lane %d", #what, lane);             \
        }                                                                              \
    } while (0)

static void expect_limbs(const limbs *a, uint64_t top_end, const char *what) {
    lanes x = lanes_from(a);
    for (int lane = 0; lane < 8; lane++) {
        for (int i = 0; i < 4; i++)
            CHECK(x.limb[i][lane] <= LIMB_MASK, "%s, limb %d, lane %d", what, i, lane);
        CHECK(x.limb[4][lane] < top_end, "%s, lane %d", what, lane);
    }
}

#define TIGHT_END ((1ULL << 48) + 32)

IFMA_TARGET static void test_field_products(void) {
    for (int round = 0; round < 20000; round++) {
        lanes xa = lanes_normal(&mod_p, 51), xb = lanes_normal(&mod_p, 51);
        lanes xe = lanes_random(55, 55);
        limbs a = lanes_to(&xa), b = lanes_to(&xb), e = lanes_to(&xe);
        limbs product = field_mul(&a, &b), sum = field_mul_add(&a, &b, &e);
        limbs square = field_square(&a), square_sum = field_square_add(&a, &e);
#define A lane_value(&xa, lane, &mod_p)
#define B lane_value(&xb, lane, &mod_p)
#define E lane_value(&xe, lane, &mod_p)
        EXPECT(&mod_p, product, mul(A, B, &mod_p));
        EXPECT(&mod_p, sum, add(mul(A, B, &mod_p), E, &mod_p));
        EXPECT(&mod_p, square, mul(A, A, &mod_p));
        EXPECT(&mod_p, square_sum, add(mul(A, A, &mod_p), E, &mod_p));
        expect_limbs(&product, TIGHT_END, "product");
        expect_limbs(&sum, TIGHT_END, "sum");
        expect_limbs(&square, TIGHT_END, "square");
        expect_limbs(&square_sum, TIGHT_END, "square_sum");
    }
}

IFMA_TARGET static void test_field_sums(void) {
    for (int round = 0; round < 20000; round++) {
        lanes xa = lanes_tight(), xb = lanes_tight(), xc = lanes_normal(&mod_p, 51);
        if (random_below(4) == 0)
            xb = xa;
        limbs a = lanes_to(&xa), b = lanes_to(&xb), c = lanes_to(&xc);
        limbs difference = field_sub(&a, &b), negative = field_minus(&b, 2);
        limbs canonical = field_canonical(c);
        lanes xd = lanes_from(&difference), xr = lanes_from(&canonical);
        EXPECT(&mod_p, difference, sub(A, B, &mod_p));
        EXPECT(&mod_p, negative, neg(B, &mod_p));
        EXPECT(&mod_p, canonical, lane_value(&xc, lane, &mod_p));
        expect_limbs(&difference, 1ULL << 50, "difference");
        expect_limbs(&canonical, 1ULL << 48, "canonical");
        unsigned zeros = field_zeros(&difference);
        for (int lane = 0; lane < 8; lane++) {
            number d = lane_value(&xd, lane, &mod_p), r;
            CHECK((zeros >> lane & 1) == is_zero(&d), "lane %d", lane);
            /* below p already: from words that say so without a reduction */
            __m512i w[4];
            limbs_to_words(w, canonical);
            for (int i = 0; i < 4; i++) {
                uint64_t words[8];
                _mm512_storeu_si512(words, w[i]);
                r.w[i] = words[lane];
            }
            CHECK(compare(&r, &mod_p.value) < 0, "lane %d", lane);
        }
        limbs again = limbs_carry(canonical);
        EXPECT(&mod_p, again, lane_value(&xr, lane, &mod_p));
    }
#undef A
#undef B
#undef E
}

IFMA_TARGET static void test_field_zeros(void) {
    for (int round = 0; round < 20000; round++) {
        lanes x = lanes_near(&mod_p, 4);
        limbs a = lanes_to(&x);
        unsigned zeros = field_zeros(&a);
        for (int lane = 0; lane < 8; lane++) {
            number v = lane_value(&x, lane, &mod_p);
            CHECK((zeros >> lane & 1) == is_zero(&v), "lane %d", lane);
        }
    }
}

IFMA_TARGET static void test_scalars(void) {
    const uint64_t r_words[9] = {0, 0, 0, 0, 16};
    number r_inverse = invert(reduce(r_words, &mod_n), &mod_n);
    for (int round = 0; round < 20000; round++) {
        lanes xa = lanes_normal(&mod_n, 49), xb = lanes_normal(&mod_n, 49);
        lanes xc = lanes_near(&mod_n, 1), xd = lanes_random(52, 48);
        limbs a = lanes_to(&xa), b = lanes_to(&xb), c = lanes_to(&xc);
        limbs product = scalar_mul(&a, &b);
        EXPECT(&mod_n, product,
               mul(mul(lane_value(&xa, lane, &mod_n), lane_value(&xb, lane, &mod_n),
                       &mod_n),
                   r_inverse, &mod_n));
        expect_limbs(&product, (1ULL << 48) + (1ULL << 46), "product");
        for (int lane = 0; lane < 8; lane++) /* below n */
            if (xd.limb[4][lane] == TOP_MASK)
                xd.limb[4][lane]--;
        limbs d = lanes_to(&xd);
        limbs sums[2] = {scalar_add(product, d), scalar_add(c, d)};
        lanes xp = lanes_from(&product);
        for (int k = 0; k < 2; k++) {
            EXPECT(&mod_n, sums[k],
                   add(lane_value(k ? &xc : &xp, lane, &mod_n),
                       lane_value(&xd, lane, &mod_n), &mod_n));
            expect_limbs(&sums[k], 1ULL << 48, "sum");
        }
    }
}

IFMA_TARGET static void test_words(void) {
    for (int round = 0; round < 1000; round++) {
        uint64_t words[4][8], back[8];
        __m512i w[4];
        for (int i = 0; i < 4; i++) {
            for (int lane = 0; lane < 8; lane++)
                words[i][lane] = limb_below(63) << 1 | (random_u64() & 1);
            w[i] = _mm512_loadu_si512(words[i]);
        }
        limbs a = limbs_from_words(w);
        EXPECT(&mod_p, a,
               reduce((const uint64_t[9]){words[0][lane], words[1][lane],
                                          words[2][lane], words[3][lane]},
                      &mod_p));
        expect_limbs(&a, 1ULL << 48, "words");
        limbs_to_words(w, a);
        for (int i = 0; i < 4; i++) {
            _mm512_storeu_si512(back, w[i]);
            CHECK(memcmp(back, words[i], sizeof back) == 0, "word %d", i);
        }
    }
}

/* Points: y^2 = x^3 + 7, as X / Z^2, Y / Z^3; infinity has Z = 0. */

typedef struct {
    number x, y, z;
} point;

static const point generator = {
    {{0x59F2815B16F81798, 0x029BFCDB2DCE28D9, 0x55A06295CE870B07, 0x79BE667EF9DCBBAC}},
    {{0x9C47D08FFB10D4B8, 0xFD17B448A6855419, 0x5DA4FBFC0E1108A8, 0x483ADA7726A3C465}},
    {{1}},
};

#define M(a, b) mul(a, b, &mod_p)
#define S(a, b) sub(a, b, &mod_p)
#define T(a, b) add(a, b, &mod_p)

static point twice(point a) {
    number yy = M(a.y, a.y), s = M(a.x, yy), xx = M(a.x, a.x), m = T(T(xx, xx), xx);
    number y4 = M(yy, yy);
    point r;
    s = T(s, s);
    s = T(s, s);
    y4 = T(y4, y4);
    y4 = T(y4, y4);
    y4 = T(y4, y4);
    r.x = S(S(M(m, m), s), s);
    r.y = S(M(m, S(s, r.x)), y4);
    r.z = M(a.y, a.z);
    r.z = T(r.z, r.z);
    return r;
}

static point plus(point a, point b) {
    if (is_zero(&a.z))
        return b;
    if (is_zero(&b.z))
        return a;
    number za = M(a.z, a.z), zb = M(b.z, b.z);
    number xa = M(a.x, zb), xb = M(b.x, za);
    number ya = M(a.y, M(b.z, zb)), yb = M(b.y, M(a.z, za));
    number h = S(xb, xa), d = S(yb, ya), hh = M(h, h), hhh = M(h, hh), v = M(xa, hh);
    point r;
    if (is_zero(&h) && is_zero(&d))
        return twice(a);
    r.x = S(S(S(M(d, d), hhh), v), v);
    r.y = S(M(d, S(v, r.x)), M(ya, hhh));
    r.z = M(h, M(a.z, b.z));
    return r;
}

/* u a + v b, affine. */
static point combine(number u, point a, number v, point b) {
    point r = {{{1}}, {{1}}, {{0}}}, both = plus(a, b);
    for (int i = 255; i >= 0; i--) {
        bool bit_u = u.w[i / 64] >> i % 64 & 1, bit_v = v.w[i / 64] >> i % 64 & 1;
        r = twice(r);
        if (bit_u || bit_v)
            r = plus(r, bit_u && bit_v ? both : bit_u ? a : b);
    }
    if (!is_zero(&r.z)) {
        number i = invert(r.z, &mod_p), ii = M(i, i);
        r = (point){M(r.x, ii), M(r.y, M(i, ii)), {{1}}};
    }
    return r;
}

static number load_be(const uint8_t *p) {
    return (number){
        {load_be64(p + 24), load_be64(p + 16), load_be64(p + 8), load_be64(p)}};
}

static void store_be(uint8_t *p, number x) {
    for (int i = 0; i < 4; i++)
        store_be64(p + 8 * i, x.w[3 - i]);
}

/* Signs with a nonce, as the contract of a path wants it. */
static void sign(uint8_t signature[65], number digest, number key, number nonce) {
    point k = combine(nonce, generator, (number){{0}}, generator);
    const uint64_t x[9] = {k.x.w[0], k.x.w[1], k.x.w[2], k.x.w[3]};
    number r = reduce(x, &mod_n);
    number s =
        mul(add(digest, mul(r, key, &mod_n), &mod_n), invert(nonce, &mod_n), &mod_n);
    number other = neg(s, &mod_n);
    unsigned v = (unsigned)k.y.w[0] & 1;
    if (compare(&other, &s) < 0) {
        s = other;
        v ^= 1;
    }
    store_be(signature, r);
    store_be(signature + 32, s);
    signature[64] = (uint8_t)v;
}

static bool is_good(const uint8_t *signature, const uint8_t *digest, point key) {
    number r = load_be(signature), w = invert(load_be(signature + 32), &mod_n);
    number digest_number = load_be(digest);
    const uint64_t z[9] = {digest_number.w[0], digest_number.w[1], digest_number.w[2],
                           digest_number.w[3]};
    point sum =
        combine(mul(reduce(z, &mod_n), w, &mod_n), generator, mul(r, w, &mod_n), key);
    return !is_zero(&sum.z) && compare(&sum.x, &r) == 0 &&
           (sum.y.w[0] & 1) == signature[64];
}

enum { N_POOL = 160 };

typedef struct {
    uint8_t digests[N_POOL][32], signatures[N_POOL][65];
    bool good[N_POOL];
    point key;
} pool;

/* Signatures by `key` that are good, nearly good and random. Item 0 has digest 0
 * (u1 = 0), 1 and 2 have u1 G = +-u2 Q: the sum of 2 is infinity. */
static void pool_make(pool *p, number key) {
    p->key = combine(key, generator, (number){{0}}, generator);
    for (int i = 0; i < N_POOL; i++) {
        uint8_t *signature = p->signatures[i], *digest = p->digests[i];
        number nonce = random_number(&mod_n), z = random_number(&mod_n);
        if (i == 0)
            z = (number){{0}};
        if (i % 11 == 3) /* the same key added or taken again, nearly */
            nonce = random_below(2) ? key : (number){{1 + random_below(3)}};
        sign(signature, z, key, nonce);
        store_be(digest, z);
        if (i == 1 || i == 2) {
            z = mul(load_be(signature), key, &mod_n);
            z = i == 1 ? z : neg(z, &mod_n);
            store_be(digest, z);
        }
        if (i == 3)
            memset(digest, 0xFF, 32);
        if (i == 4)
            store_be(digest, mod_n.value);
        switch (i < 6 ? 0 : i % 9) {
        case 1:
            signature[64] ^= 1;
            break;
        case 2:
            digest[random_below(32)] ^= (uint8_t)(1 << random_below(8));
            break;
        case 3:
            signature[random_below(32)] ^= (uint8_t)(1 << random_below(8));
            break;
        case 4:
            signature[33 + random_below(31)] ^= (uint8_t)(1 << random_below(8));
            break;
        }
        number r = load_be(signature);
        if (is_zero(&r) || compare(&r, &mod_n.value) >= 0)
            signature[0] = 0x80;
        if (signature[32] > 0x7F || load_be64(signature + 32) >= 0x7FFFFFFFFFFFFFFF)
            signature[32] = 0x70;
        p->good[i] = is_good(signature, digest, p->key);
    }
}

static codec_points points_make(point base, unsigned window) {
    unsigned n_rows = (256 + window - 1) / window;
    size_t len = (size_t)n_rows << (window - 1) << 6;
    codec_points points = {window, n_rows, aligned_alloc(64, len)};
    size_t scratch_len = (codec_points_scratch_len(window) + 63) & ~(size_t)63;
    void *scratch = aligned_alloc(64, scratch_len);
    if (!points.points || !scratch)
        exit(2);
    codec_points_build(&points, base.x, base.y, scratch);
    free(scratch);
    return points;
}

/* n items of the pool between guard pages, from `first` on, in a batch of their own.
 * Returns how many were undecided. */
static unsigned verify_some(const pool *p, const codec_points *g, const codec_points *q,
                            size_t first, size_t n, bool at_end) {
    static guarded digest_pages, signature_pages, verdict_pages, work_pages;
    const codec_known_path *path = &codec_known_ifma;
    unsigned undecided = 0;
    if (!digest_pages.start) {
        digest_pages = guarded_new(CODEC_KNOWN_BATCH * 32);
        signature_pages = guarded_new(CODEC_KNOWN_BATCH * 65);
        verdict_pages = guarded_new(CODEC_KNOWN_BATCH);
        work_pages = guarded_new(path->workspace_len);
    }
    uint8_t *digests = at_end ? digest_pages.end - 32 * n : digest_pages.start;
    uint8_t *signatures = at_end ? signature_pages.end - 65 * n : signature_pages.start;
    guarded_fill(verdict_pages);
    guarded_fill(work_pages);
    uint8_t *verdicts = at_end ? verdict_pages.end - n : verdict_pages.start;
    for (size_t i = 0; i < n; i++) {
        memcpy(digests + 32 * i, p->digests[(first + i) % N_POOL], 32);
        memcpy(signatures + 65 * i, p->signatures[(first + i) % N_POOL], 65);
    }
    size_t room = (size_t)(work_pages.end - work_pages.start);
    uint8_t *workspace = work_pages.start + (room - path->workspace_len) / 64 * 64;
    path->verify(g, q, (const uint8_t (*)[32])digests,
                 (const uint8_t (*)[65])signatures, n, verdicts, workspace);
    CHECK(guarded_clean(verdict_pages, verdicts, n), "n = %zu", n);
    for (size_t i = 0; i < n; i++) {
        size_t item = (first + i) % N_POOL;
        undecided += verdicts[i] == CODEC_KNOWN_UNDECIDED;
        CHECK(verdicts[i] == CODEC_KNOWN_UNDECIDED || verdicts[i] == p->good[item],
              "window %u, n = %zu, item %zu: %d, not %d", g->window, n, item,
              verdicts[i], p->good[item]);
    }
    return undecided;
}

static void test_windows(const pool *p, bool chosen) {
    for (unsigned window = 2; window <= 16; window++) {
        static const size_t sizes[] = {17, 64, 100, 127, 333, 800, 1023, 1024};
        codec_points g = points_make(generator, window),
                     q = points_make(p->key, window);
        unsigned undecided = 0, n_infinite = 0;
        for (size_t n = 1; n <= 40; n++)
            undecided += verify_some(p, &g, &q, 5 + random_below(80), n, n & 1);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            n_infinite += (unsigned)(sizes[i] / N_POOL);
            undecided += verify_some(p, &g, &q, i * 37 % N_POOL, sizes[i], i & 1);
        }
        /* Nobody can say what x infinity has. With any key but the chosen ones, little
         * else is beyond a path. */
        CHECK(undecided >= n_infinite, "window %u: %u", window, undecided);
        CHECK(chosen || undecided <= 4 * n_infinite, "window %u: %u", window,
              undecided);
        free(g.points);
        free(q.points);
    }
}

static void test_paths(void) {
    static pool p;
    const number two = {{2}}, one = {{1}};
    number keys[] = {random_number(&mod_n), {{1}},           {{2}}, {{3}},
                     invert(two, &mod_n),   neg(one, &mod_n)};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        unsigned n_good = 0;
        pool_make(&p, keys[i]);
        for (int k = 0; k < N_POOL; k++)
            n_good += p.good[k];
        CHECK(n_good > N_POOL / 3 && n_good < N_POOL, "key %zu: %u", i, n_good);
        test_windows(&p, i != 0);
    }
}

static int is_supported(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}

int main(void) {
    if (!is_supported()) {
        printf("test_ifma: good, for there is no AVX-512 IFMA to test\n");
        return 0;
    }
    test_words();
    test_field_products();
    test_field_sums();
    test_field_zeros();
    test_scalars();
    test_paths();
    return check_report("test_ifma");
}

#else
int main(void) {
    printf("test_ifma: good, for it is of x86-64 alone\n");
    return 0;
}
#endif
