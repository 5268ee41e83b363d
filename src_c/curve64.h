/* Points of the curve y^2 = x^3 + 7 in field64.h's arithmetic, none of them infinity.
 */
#ifndef CODEC_CURVE64_H
#define CODEC_CURVE64_H

#include "field64.h"

/* Magnitudes are 1, and 2 for a y that point_load has negated. */
typedef struct {
    field x, y;
} point;

typedef struct {
    field x, y, z; /* x / z^2, y / z^3; magnitude 1 */
} jacobian;

/* `from` or its opposite; `negative` is 0 or ~0. */
FIELD_INLINE point point_load(const uint64_t *from, uint64_t negative) {
    point a = {field_from(from), field_from(from + 4)};
    field minus = field_negate(a.y, 1);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        a.y.limb[i] ^= (a.y.limb[i] ^ minus.limb[i]) & negative;
    return a;
}

static inline void point_store(uint64_t *to, field x, field y) {
    field_to(to, field_normalise(x));
    field_to(to + 4, field_normalise(y));
}

/* a + b with 1 / (b.x - a.x), which has magnitude 1. */
FIELD_INLINE point point_add(point a, point b, field inverse) {
    field slope = field_mul(field_sub(b.y, a.y, 2), inverse); /* 5, 1 */
    point sum;
    sum.x = field_sqr_add(slope, field_negate(field_add(a.x, b.x), 2));
    sum.y =
        field_mul_add(slope, field_sub(a.x, sum.x, 1), field_negate(a.y, 2)); /* 3 */
    return sum;
}

static inline jacobian jacobian_from(point a) {
    return (jacobian){a.x, a.y, FIELD_ONE};
}

static inline jacobian jacobian_double(jacobian a) {
    field yy = field_sqr(a.y);
    field d = field_times(field_mul(a.x, yy), 4); /* 4 x y^2 */
    field e = field_times(field_sqr(a.x), 3);     /* 3 x^2 */
    field c = field_times(field_sqr(yy), 8);      /* 8 y^4 */
    field x = field_sqr_add(e, field_negate(field_times(d, 2), 8));
    field y = field_mul_add(e, field_sub(d, x, 1), field_negate(c, 8)); /* 3, 6, 9 */
    return (jacobian){x, y, field_mul(field_times(a.y, 2), a.z)};
}

/* b.x z^2 - a.x, which is 0 where b is a or -a; magnitude 3. `zz` is a.z^2. */
static inline field jacobian_difference(const jacobian *a, point b, field zz) {
    return field_sub(field_mul(b.x, zz), a->x, 1);
}

/* a + b, of which the `zz` and the difference are known. */
static inline jacobian jacobian_add(jacobian a, point b, field zz, field dx) {
    field dy = field_sub(field_mul(b.y, field_mul(zz, a.z)), a.y, 1); /* 3 */
    field dx2 = field_sqr(dx), dx3 = field_mul(dx2, dx), v = field_mul(a.x, dx2);
    jacobian sum;
    sum.x = field_sqr_add(dy, field_negate(field_add(dx3, field_times(v, 2)), 3));
    sum.y = field_mul_add(dy, field_sub(v, sum.x, 1), /* 3 */
                          field_negate(field_mul(a.y, dx3), 1));
    sum.z = field_mul(a.z, dx);
    return sum;
}

/* The same point with 1 / a.z known. */
static inline point jacobian_to(jacobian a, field inverse) {
    field zz = field_sqr(inverse);
    return (point){field_mul(a.x, zz), field_mul(a.y, field_mul(zz, inverse))};
}

#endif
