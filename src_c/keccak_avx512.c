/* keccak256 of many inputs, eight at a time, for AVX-512. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

/* gcc schedules the rounds best for this one, on AMD's Zen 5 too: 182 ns, not 190. */
#define LANES_TARGET                                                                   \
    __attribute__((                                                                    \
        target("avx512f,avx512bw,avx512dq,avx512vl,bmi2,tune=icelake-server")))

typedef __m512i lanes;
#define LANES_XOR(a, b) _mm512_xor_si512(a, b)
#define LANES_XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define LANES_CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xD2)
#define LANES_ROTATE(a, n) _mm512_rol_epi64(a, n)
#define LANES_ALL(x) _mm512_set1_epi64((long long)(x))

#include "keccak_permute.h"

enum { N_LANES = 8 };

/* What every lane has still to absorb, and where its digest goes. Addresses are numbers
 * because they are moved on eight at a time. */
typedef struct {
    uint64_t data[N_LANES] __attribute__((aligned(64)));
    uint64_t len[N_LANES] __attribute__((aligned(64)));
    uint64_t digest[N_LANES] __attribute__((aligned(64)));
    unsigned busy; /* lanes that have an input; the others absorb nothing, for nobody */
} work;

/* Eight registers of eight words to eight registers of the first words, the second
 * words, and so on. */
LANES_TARGET static inline void transpose(__m512i r[8]) {
    __m512i t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = 0; j < 2; j++) {
            u[i + j] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0x88);
            u[i + j + 2] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0xDD);
        }
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0x88);
        r[j + 4] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0xDD);
    }
}

/* The low words of eight registers as one. */
LANES_TARGET static inline __m512i first_words(const __m128i r[8]) {
    __m256i low = _mm256_set_m128i(_mm_unpacklo_epi64(r[2], r[3]),
                                   _mm_unpacklo_epi64(r[0], r[1]));
    __m256i high = _mm256_set_m128i(_mm_unpacklo_epi64(r[6], r[7]),
                                    _mm_unpacklo_epi64(r[4], r[5]));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Up to 64 bytes at an address; what is masked out is not read. */
LANES_TARGET static inline __m512i bytes_load(uint64_t address, uint64_t n) {
    return _mm512_maskz_loadu_epi8(_bzhi_u64(~0ULL, (uint32_t)n),
                                   (const void *)(uintptr_t)address);
}

/* Reads the next block of every lane, zeros behind its end. `n`: how many bytes each
 * has, at most a block. */
LANES_TARGET static inline void blocks_load(__m512i words[17], const work *w,
                                            __m512i n) {
    uint64_t head_len[N_LANES] __attribute__((aligned(64)));
    uint64_t tail_len[N_LANES] __attribute__((aligned(64)));
    _mm512_store_si512(head_len, n);
    _mm512_store_si512(tail_len, _mm512_subs_epu16(n, LANES_ALL(64)));
#pragma GCC unroll 8
    for (int i = 0; i < N_LANES; i++) {
        words[i] = bytes_load(w->data[i], head_len[i]);
        words[8 + i] = bytes_load(w->data[i] + 64, tail_len[i]);
    }
    transpose(words);
    transpose(words + 8);
    words[16] = _mm512_setzero_si512();
    if (_mm512_cmpgt_epu64_mask(n, LANES_ALL(128))) {
        uint64_t rest_len[N_LANES] __attribute__((aligned(64)));
        __m128i rest[N_LANES];
        _mm512_store_si512(rest_len, _mm512_subs_epu16(n, LANES_ALL(128)));
#pragma GCC unroll 8
        for (int i = 0; i < N_LANES; i++)
            rest[i] = _mm512_castsi512_si128(bytes_load(w->data[i] + 128, rest_len[i]));
        words[16] = first_words(rest);
    }
}

/* Adds the next block of every lane to the state, of which only the lanes in `keep`
 * are there yet. Returns the lanes whose last block it was. */
LANES_TARGET static inline __mmask8 absorb(lanes a[25], work *w, __mmask8 keep) {
    __m512i words[17];
    __m512i len = _mm512_load_si512(w->len);
    __m512i n = _mm512_min_epu64(len, LANES_ALL(KECCAK_RATE));
    __mmask8 ending = _mm512_cmplt_epu64_mask(len, LANES_ALL(KECCAK_RATE));
    blocks_load(words, w, n);
    _mm512_store_si512(w->len, _mm512_sub_epi64(len, n));
    _mm512_store_si512(w->data, _mm512_add_epi64(_mm512_load_si512(w->data), n));
    /* The padding: a byte 1 behind the end, the highest bit of the block. */
    __m512i shift = _mm512_slli_epi64(_mm512_and_si512(n, LANES_ALL(7)), 3);
    __m512i one = _mm512_maskz_sllv_epi64(ending, LANES_ALL(1), shift);
    __m512i place = _mm512_srli_epi64(n, 3);
    words[16] =
        _mm512_mask_xor_epi64(words[16], ending, words[16], LANES_ALL(1ULL << 63));
#pragma GCC unroll 17
    for (int i = 0; i < 17; i++) {
        __mmask8 here = _mm512_cmpeq_epi64_mask(place, LANES_ALL(i));
        words[i] = _mm512_mask_xor_epi64(words[i], here, words[i], one);
        a[i] = _mm512_mask_xor_epi64(words[i], keep, words[i], a[i]);
    }
#pragma GCC unroll 8
    for (int i = 17; i < 25; i++)
        a[i] = _mm512_maskz_mov_epi64(keep, a[i]);
    return ending;
}

/* One pair of lanes' four words, which lie in four registers, to their digests. */
#define PAIR_STORE(i)                                                                  \
    do {                                                                               \
        __m128i *even = (__m128i *)to[2 * i], *odd = (__m128i *)to[2 * i + 1];         \
        _mm_storeu_si128(even, _mm512_extracti64x2_epi64(even_low, i));                \
        _mm_storeu_si128(even + 1, _mm512_extracti64x2_epi64(even_high, i));           \
        _mm_storeu_si128(odd, _mm512_extracti64x2_epi64(odd_low, i));                  \
        _mm_storeu_si128(odd + 1, _mm512_extracti64x2_epi64(odd_high, i));             \
    } while (0)

LANES_TARGET static inline void digests_store(const lanes a[25],
                                              const uint64_t to[N_LANES]) {
    __m512i even_low = _mm512_unpacklo_epi64(a[0], a[1]);
    __m512i odd_low = _mm512_unpackhi_epi64(a[0], a[1]);
    __m512i even_high = _mm512_unpacklo_epi64(a[2], a[3]);
    __m512i odd_high = _mm512_unpackhi_epi64(a[2], a[3]);
    PAIR_STORE(0);
    PAIR_STORE(1);
    PAIR_STORE(2);
    PAIR_STORE(3);
}

/* Gives the lanes in `free` their next inputs, while there are any. */
static inline void refill(work *w, unsigned free, uint8_t *digests,
                          const codec_span *data, size_t *next, size_t n) {
    for (free &= w->busy; free; free &= free - 1) {
        int i = __builtin_ctz(free);
        if (*next == n) {
            w->busy &= ~(1U << i);
            w->len[i] = 0;
            continue;
        }
        w->data[i] = (uintptr_t)data[*next].data;
        w->len[i] = data[*next].len;
        w->digest[i] = (uintptr_t)(digests + 32 * (*next)++);
    }
}

LANES_TARGET void codec_keccak256_many_avx512(uint8_t *digests, const codec_span *data,
                                              size_t n) {
    uint64_t to[N_LANES] __attribute__((aligned(64)));
    uint8_t nowhere[32];
    const __m512i away = LANES_ALL((uintptr_t)nowhere);
    lanes a[25];
    work w = {.busy = 0xFF};
    size_t next = 0;
    __mmask8 keep = 0;
    for (int i = 0; i < 25; i++)
        a[i] = _mm512_setzero_si512();
    refill(&w, 0xFF, digests, data, &next, n);
    while (w.busy) {
        __mmask8 ending = absorb(a, &w, keep);
        __m512i due = _mm512_load_si512(w.digest);
        due = _mm512_mask_mov_epi64(away, ending & (__mmask8)w.busy, due);
        _mm512_store_si512(to, due);
        /* Now, because absorb's vector loads would wait for stores just before them. */
        refill(&w, ending, digests, data, &next, n);
        keccak_permute(a);
        digests_store(a, to);
        keep = (__mmask8)~ending;
    }
}
#endif
