/* keccak256 of many inputs, four at a time, for AVX2. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#define LANES_TARGET __attribute__((target("avx2")))

typedef __m256i lanes;
#define LANES_XOR(a, b) _mm256_xor_si256(a, b)
#define LANES_XOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define LANES_CHI(a, b, c) _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
#define LANES_ROTATE(a, n)                                                             \
    _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define LANES_ALL(x) _mm256_set1_epi64x((long long)(x))

#include "keccak_permute.h"

enum { N_LANES = 4 };

/* Where each lane stands in its input, and where its digest goes; NULL: nothing left
 * to do. */
typedef struct {
    const uint8_t *data[N_LANES];
    size_t len[N_LANES];
    uint8_t *digest[N_LANES];
} work;

LANES_TARGET static inline void transpose(__m256i r[4]) {
    __m256i t0 = _mm256_unpacklo_epi64(r[0], r[1]);
    __m256i t1 = _mm256_unpackhi_epi64(r[0], r[1]);
    __m256i t2 = _mm256_unpacklo_epi64(r[2], r[3]);
    __m256i t3 = _mm256_unpackhi_epi64(r[2], r[3]);
    r[0] = _mm256_permute2x128_si256(t0, t2, 0x20);
    r[1] = _mm256_permute2x128_si256(t1, t3, 0x20);
    r[2] = _mm256_permute2x128_si256(t0, t2, 0x31);
    r[3] = _mm256_permute2x128_si256(t1, t3, 0x31);
}

/* Adds the next block of every lane; returns the lanes whose last one it was. */
LANES_TARGET static inline unsigned absorb(lanes a[25], work *w) {
    uint8_t padded[N_LANES][KECCAK_RATE];
    const uint8_t *blocks[N_LANES];
    unsigned ending = 0;
    for (int i = 0; i < N_LANES; i++) {
        size_t n = w->len[i];
        blocks[i] = w->data[i];
        if (n >= KECCAK_RATE) {
            w->data[i] += KECCAK_RATE;
            w->len[i] = n - KECCAK_RATE;
            continue;
        }
        ending |= 1U << i;
        memset(padded[i], 0, KECCAK_RATE);
        if (n)
            memcpy(padded[i], blocks[i], n);
        padded[i][n] = 0x01;
        padded[i][KECCAK_RATE - 1] |= 0x80;
        blocks[i] = padded[i];
    }
    for (int j = 0; j < 16; j += 4) {
        __m256i words[4];
        for (int i = 0; i < N_LANES; i++)
            words[i] =
                _mm256_loadu_si256((const __m256i *)(const void *)(blocks[i] + 8 * j));
        transpose(words);
        for (int i = 0; i < 4; i++)
            a[j + i] = LANES_XOR(a[j + i], words[i]);
    }
    __m256i last = _mm256_set_epi64x(
        (long long)load_le64(blocks[3] + 128), (long long)load_le64(blocks[2] + 128),
        (long long)load_le64(blocks[1] + 128), (long long)load_le64(blocks[0] + 128));
    a[16] = LANES_XOR(a[16], last);
    return ending;
}

/* Digests of the lanes that have ended, which begin anew. */
LANES_TARGET static inline void squeeze(lanes a[25], work *w, unsigned ending) {
    __m256i words[4] = {a[0], a[1], a[2], a[3]};
    transpose(words);
    for (int i = 0; i < N_LANES; i++) {
        if (ending >> i & 1 && w->digest[i])
            _mm256_storeu_si256((__m256i *)(void *)w->digest[i], words[i]);
    }
    __m256i bits =
        _mm256_and_si256(_mm256_set1_epi64x(ending), _mm256_set_epi64x(8, 4, 2, 1));
    __m256i stays = _mm256_cmpeq_epi64(bits, _mm256_setzero_si256());
    for (int i = 0; i < 25; i++)
        a[i] = _mm256_and_si256(a[i], stays);
}

LANES_TARGET void codec_keccak256_many_avx2(uint8_t *digests, const codec_span *data,
                                            size_t n) {
    lanes a[25];
    work w;
    size_t next = 0, n_ended = 0;
    unsigned free_lanes = (1U << N_LANES) - 1;
    for (int i = 0; i < 25; i++)
        a[i] = _mm256_setzero_si256();
    while (n_ended < n) {
        for (; free_lanes; free_lanes &= free_lanes - 1) {
            int i = __builtin_ctz(free_lanes);
            bool any = next < n;
            w.data[i] = any ? data[next].data : (const uint8_t *)"";
            w.len[i] = any ? data[next].len : 0;
            w.digest[i] = any ? digests + 32 * next : NULL;
            next += any;
        }
        unsigned ending = absorb(a, &w);
        keccak_permute(a);
        if (!ending)
            continue;
        squeeze(a, &w, ending);
        for (int i = 0; i < N_LANES; i++)
            n_ended += ending >> i & 1 && w.digest[i];
        free_lanes = ending;
    }
}
#endif
