/* Kernels for AVX-512 with VBMI (Ice Lake, Zen 4 and later): 64 bytes at a time. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#define TARGET                                                                         \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi2")))

/* A digit's value by its seven low bits; bit 7 marks what is no digit. */
/* clang-format off */
#define N -128
static const int8_t digit_values[128] __attribute__((aligned(64))) = {
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 0x00 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 0x10 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 0x20 */
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, N, N, N, N, N, N, /* 0x30 */
    N, 10, 11, 12, 13, 14, 15, N, N, N, N, N, N, N, N, N, /* 0x40 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 0x50 */
    N, 10, 11, 12, 13, 14, 15, N, N, N, N, N, N, N, N, N, /* 0x60 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 0x70 */
};
#undef N
/* clang-format on */

/* The low byte of each 16-bit sum, out of two registers. */
static const uint8_t even_bytes[64] __attribute__((aligned(64))) = {
    0,  2,  4,   6,   8,   10,  12,  14,  16,  18,  20,  22,  24,  26,  28,  30,
    32, 34, 36,  38,  40,  42,  44,  46,  48,  50,  52,  54,  56,  58,  60,  62,
    64, 66, 68,  70,  72,  74,  76,  78,  80,  82,  84,  86,  88,  90,  92,  94,
    96, 98, 100, 102, 104, 106, 108, 110, 112, 114, 116, 118, 120, 122, 124, 126,
};

/* Where the bytes of two rows come from in a pair of records of `len` bytes, of which a
 * register holds the first 32 bytes and the last 32: for each row, the value reversed,
 * the asset id and (19 bytes) the status. Other bytes are common to all rows. */
#define AT(i, len) (uint8_t)((i) < 32 ? (i) : (i) + 64 - 2 * (len))
#define FOUR(i, len) AT((i) + 3, len), AT((i) + 2, len), AT((i) + 1, len), AT(i, len)
#define ROW(first, len)                                                                \
    FOUR((first) + 14, len), FOUR((first) + 10, len), FOUR((first) + 6, len),          \
        FOUR((first) + 2, len), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, AT((first) + 1, len),    \
        AT(first, len), AT((first) + 18, len), 0, 0, 0
static const uint8_t row_sources[2][64] __attribute__((aligned(64))) = {
    {ROW(0, 18), ROW(18, 18)},
    {ROW(0, 19), ROW(19, 19)},
};
static const uint32_t row_masks[2] = {0x0C00FFFF, 0x1C00FFFF};

typedef struct {
    __m512i table_low, table_high, all;
} hex_state;

TARGET static inline hex_state hex_prepare(void) {
    hex_state state = {_mm512_load_si512(digit_values),
                       _mm512_load_si512(digit_values + 64), _mm512_setzero_si512()};
    return state;
}

/* Sixty-four characters to 32 sums of 16 times one and the next; collects in `all` the
 * marks, and the characters above 0x7F, whose low bits the look-up takes for digits. */
TARGET static inline __m512i digits_to_sums(hex_state *state, __m512i c) {
    __m512i values = _mm512_permutex2var_epi8(state->table_low, c, state->table_high);
    state->all = _mm512_ternarylogic_epi32(state->all, c, values, 0xFE);
    return _mm512_maddubs_epi16(values, _mm512_set1_epi16(0x0110));
}

TARGET static inline bool all_are_digits(const hex_state *state) {
    return _mm512_movepi8_mask(state->all) == 0;
}

/* Sixty-four bytes from the sums of their digits. */
TARGET static inline __m512i sums_pack(__m512i low, __m512i high) {
    return _mm512_permutex2var_epi8(low, _mm512_load_si512(even_bytes), high);
}

TARGET static inline void hex_block(hex_state *state, uint8_t *dst,
                                    const uint8_t *digits) {
    _mm512_storeu_si512(
        dst, sums_pack(digits_to_sums(state, _mm512_loadu_si512(digits)),
                       digits_to_sums(state, _mm512_loadu_si512(digits + 64))));
}

TARGET static bool hex_decode(uint8_t *dst, const uint8_t *digits, size_t n) {
    if (n < 64)
        return codec_kernels_avx2.hex_decode(dst, digits, n);
    hex_state state = hex_prepare();
    for (size_t i = 0; i + 64 < n; i += 64)
        hex_block(&state, dst + i, digits + 2 * i);
    /* The last block ends with the last byte, and may overlap the one before. */
    hex_block(&state, dst + n - 64, digits + 2 * (n - 64));
    return all_are_digits(&state);
}

TARGET static inline void line_store(void *to, __m512i bytes, bool stream) {
    if (stream)
        _mm512_stream_si512((__m512i *)to, bytes);
    else
        _mm512_storeu_si512(to, bytes);
}

TARGET static inline void half_store(void *to, __m256i bytes, bool stream) {
    if (stream)
        _mm256_stream_si256((__m256i *)to, bytes);
    else
        _mm256_storeu_si256((__m256i *)to, bytes);
}

/* One row or two; streaming pairs are whole lines of 64 bytes. */
TARGET static inline void rows_store(codec_update *rows, __m512i bytes, bool single,
                                     bool stream) {
    __m256i first = _mm512_castsi512_si256(bytes);
    if (single && stream)
        _mm256_stream_si256((__m256i *)rows, first);
    else if (single)
        _mm256_storeu_si256((__m256i *)rows, first);
    else if (stream)
        _mm512_stream_si512((__m512i *)rows, bytes);
    else
        _mm512_storeu_si512(rows, bytes);
}

/* Two records to two rows. (One masked load instead of the two halves takes as long as
 * all the rest of a small message.) */
TARGET static inline __m512i pair_make(const uint8_t *records, size_t record_len,
                                       __m512i base, __m512i sources, __mmask64 mask) {
    const uint8_t *last = records + 2 * record_len - 32;
    __m512i bytes = _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)records)),
        _mm256_loadu_si256((const __m256i *)last), 1);
    return _mm512_mask_permutexvar_epi8(base, mask, sources, bytes);
}

TARGET static inline void rows_make(codec_update *rows, const uint8_t *records,
                                    size_t n, size_t record_len, codec_common common,
                                    bool stream) {
    const size_t kind = record_len - RECORD_LEN;
    const __m512i base = _mm512_broadcast_i64x4(
        _mm256_set_epi64x((int64_t)common.rest, (int64_t)common.timestamp_ns, 0, 0));
    const __m512i sources = _mm512_load_si512(row_sources[kind]);
    const __mmask64 mask = (uint64_t)row_masks[kind] << 32 | row_masks[kind];
    for (; n > 1; n -= 2, rows += 2, records += 2 * record_len) {
        __m512i pair = pair_make(records, record_len, base, sources, mask);
        rows_store(rows, pair, false, stream);
    }
    if (n)
        codec_kernels_avx2.rows_unpack(rows, records, 1, record_len, common, stream);
}

/* Streaming pairs are whole lines of 64 bytes: a single row first completes one. */
TARGET static void rows_unpack(codec_update *rows, const uint8_t *records, size_t n,
                               size_t record_len, codec_common common, bool stream) {
    if (stream && n && ((uintptr_t)rows & 32)) {
        codec_kernels_avx2.rows_unpack(rows, records, 1, record_len, common, true);
        rows++, records += record_len, n--;
    }
    if (stream)
        rows_make(rows, records, n, record_len, common, true);
    else
        rows_make(rows, records, n, record_len, common, false);
}

/* The same out of bytes 0 to 35 of the 128 in two registers. */
#define ROW_36(first)                                                                  \
    (first) + 17, (first) + 16, (first) + 15, (first) + 14, (first) + 13,              \
        (first) + 12, (first) + 11, (first) + 10, (first) + 9, (first) + 8,            \
        (first) + 7, (first) + 6, (first) + 5, (first) + 4, (first) + 3, (first) + 2,  \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (first) + 1, (first), 0, 0, 0, 0
static const uint8_t window_rows[64]
    __attribute__((aligned(64))) = {ROW_36(0), ROW_36(RECORD_LEN)};
/* Timestamp and taxonomy id, least significant byte first. */
static const uint8_t window_header[16]
    __attribute__((aligned(16))) = {74, 73, 72, 71, 70, 69, 68, 67, 66, 65};

/* Fewer than 64 bytes from their digits; zeros behind them. */
TARGET static inline __m512i tail_load(hex_state *state, const uint8_t *digits,
                                       size_t n) {
    __m512i low = _mm512_set1_epi8('0'), high = low;
    __mmask64 first = _bzhi_u64(~0ULL, n < 32 ? 2 * (unsigned)n : 64);
    low = _mm512_mask_loadu_epi8(low, first, digits);
    if (n > 32)
        high = _mm512_mask_loadu_epi8(high, _bzhi_u64(~0ULL, 2 * (unsigned)n - 64),
                                      digits + 64);
    return sums_pack(digits_to_sums(state, low), digits_to_sums(state, high));
}

/* Two blocks of 64 bytes of payload, and where the next ones come from and go to. */
typedef struct {
    __m512i before, block;
    const uint8_t *digits;
    uint8_t *payload; /* NULL: nowhere */
    size_t left;
} window;

/* Brings the next block in, of which fewer bytes than 64 or none may be left. */
TARGET static inline void window_move(window *w, hex_state *state) {
    w->before = w->block;
    if (w->left >= 64) {
        w->block = sums_pack(digits_to_sums(state, _mm512_loadu_si512(w->digits)),
                             digits_to_sums(state, _mm512_loadu_si512(w->digits + 64)));
        w->digits += 128;
        w->left -= 64;
        if (w->payload) {
            _mm512_storeu_si512(w->payload, w->block);
            w->payload += 64;
        }
    } else if (w->left) {
        w->block = tail_load(state, w->digits, w->left);
        if (w->payload)
            _mm512_mask_storeu_epi8(w->payload, _bzhi_u64(~0ULL, (unsigned)w->left),
                                    w->block);
        w->left = 0;
    }
}

/* What the rows have in common, out of the first window, as the last half of a row. */
TARGET static inline __m128i header_make(const window *first) {
    const __m512i places =
        _mm512_castsi128_si512(_mm_load_si128((const __m128i *)window_header));
    __m128i header = _mm512_castsi512_si128(
        _mm512_permutex2var_epi8(first->before, places, first->block));
    uint64_t taxonomy_id = (uint16_t)_mm_extract_epi16(header, 4);
    return _mm_insert_epi64(header, (int64_t)(taxonomy_id | 255ULL << 32), 1);
}

TARGET static inline bool payload_make(codec_update *rows, uint8_t *payload,
                                       const uint8_t *digits, size_t n_rows,
                                       codec_common *common, bool stream) {
    const __m512i sources = _mm512_load_si512(window_rows);
    const __mmask64 mask = (uint64_t)row_masks[0] << 32 | row_masks[0];
    hex_state state = hex_prepare();
    window w = {_mm512_setzero_si512(), _mm512_setzero_si512(), digits, payload,
                HEADER_LEN + n_rows * RECORD_LEN};
    window_move(&w, &state);
    window_move(&w, &state);
    const __m128i header = header_make(&w);
    *common = (codec_common){(uint64_t)_mm_cvtsi128_si64(header),
                             (uint64_t)_mm_extract_epi64(header, 1)};
    const __m512i base = _mm512_broadcast_i64x4(
        _mm256_inserti128_si256(_mm256_setzero_si256(), header, 1));
    /* `at` is the next record's place in the window. */
    for (size_t at = HEADER_LEN; n_rows; at -= 64, window_move(&w, &state)) {
        while (n_rows && at + 2 * RECORD_LEN <= 128) {
            __m512i from = _mm512_add_epi8(sources, _mm512_set1_epi8((char)at));
            __m512i made = _mm512_mask_mov_epi8(
                base, mask, _mm512_permutex2var_epi8(w.before, from, w.block));
            bool single = n_rows == 1 || (stream && ((uintptr_t)rows & 32));
            rows_store(rows, made, single, stream);
            size_t done = single ? 1 : 2;
            rows += done, n_rows -= done, at += done * RECORD_LEN;
        }
    }
    return all_are_digits(&state);
}

TARGET static bool payload_decode(codec_update *rows, uint8_t *payload,
                                  const uint8_t *digits, size_t n_rows,
                                  codec_common *common, bool stream) {
    if (stream)
        return payload_make(rows, payload, digits, n_rows, common, true);
    return payload_make(rows, payload, digits, n_rows, common, false);
}

TARGET static void lines_stream(uint8_t *dst, const uint8_t *src, size_t n_lines) {
    for (size_t i = 0; i < n_lines; i++)
        _mm512_stream_si512((__m512i *)dst + i, _mm512_loadu_si512(src + 64 * i));
}

/* Which of four values' upper halves, the odd words, may exceed 38 digits. */
TARGET static inline __mmask8 values_wide(__m512i values) {
    __m512i shifted = _mm512_add_epi64(values, _mm512_set1_epi64(DECIMAL_HI));
    return _mm512_mask_cmpge_epu64_mask(0xAA, shifted,
                                        _mm512_set1_epi64(2 * DECIMAL_HI));
}

/* Of eight rows' timestamps and last words, as `first` and `second` below hold them:
 * the asset ids, the taxonomy ids and the statuses, one behind the other. */
#define REST(k, byte) (uint8_t)(((k) & 3) * 8 + 32 + ((k) >> 2) * 64 + (byte))
#define REST_PAIRS(byte)                                                               \
    REST(0, byte), REST(0, byte + 1), REST(1, byte), REST(1, byte + 1), REST(2, byte), \
        REST(2, byte + 1), REST(3, byte), REST(3, byte + 1), REST(4, byte),            \
        REST(4, byte + 1), REST(5, byte), REST(5, byte + 1), REST(6, byte),            \
        REST(6, byte + 1), REST(7, byte), REST(7, byte + 1)
static const uint8_t rest_sources[64] __attribute__((aligned(64))) = {
    REST_PAIRS(2), REST_PAIRS(0), REST(0, 4), REST(1, 4), REST(2, 4),
    REST(3, 4),    REST(4, 4),    REST(5, 4), REST(6, 4), REST(7, 4),
};

/* Eight rows at a time. Pairs of rows give four values at once, and four timestamps
 * beside the four words that hold the narrow fields. */
TARGET static inline int columns_make(const codec_columns *to, const codec_update *rows,
                                      size_t n, bool stream) {
    const __m512i value_words = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
    const __m512i other_words = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i sources = _mm512_load_si512(rest_sources);
    __m512i all = _mm512_setzero_si512();
    __mmask8 wide = 0;
    for (size_t i = 0; i < n; i += 8) {
        __m512i a = _mm512_loadu_si512(rows + i), b = _mm512_loadu_si512(rows + i + 2);
        __m512i c = _mm512_loadu_si512(rows + i + 4);
        __m512i d = _mm512_loadu_si512(rows + i + 6);
        __m512i first = _mm512_permutex2var_epi64(a, value_words, b);
        __m512i second = _mm512_permutex2var_epi64(c, value_words, d);
        line_store(to->values + i, first, stream);
        line_store(to->values + i + 4, second, stream);
        wide |= values_wide(first) | values_wide(second);
        first = _mm512_permutex2var_epi64(a, other_words, b);
        second = _mm512_permutex2var_epi64(c, other_words, d);
        all = _mm512_ternarylogic_epi64(all, first, second, 0xFE);
        half_store(to->timestamps_ns + i, _mm512_castsi512_si256(first), stream);
        half_store(to->timestamps_ns + i + 4, _mm512_castsi512_si256(second), stream);
        __m512i rest = _mm512_permutex2var_epi8(first, sources, second);
        _mm_storeu_si128((__m128i *)(to->asset_ids + i), _mm512_castsi512_si128(rest));
        _mm_storeu_si128((__m128i *)(to->taxonomy_ids + i),
                         _mm512_extracti32x4_epi32(rest, 1));
        _mm_storel_epi64((__m128i *)(to->statuses + i),
                         _mm512_extracti32x4_epi32(rest, 2));
    }
    return wide || _mm512_movepi64_mask(all) & 0x0F;
}

TARGET static int columns_split(const codec_columns *to, const codec_update *rows,
                                size_t n, bool stream) {
    size_t whole = n & ~(size_t)7;
    int wide = stream ? columns_make(to, rows, whole, true)
                      : columns_make(to, rows, whole, false);
    const codec_columns rest = columns_from(to, whole);
    return wide | codec_columns_split(&rest, rows + whole, n - whole);
}

static void stream_end(void) { _mm_sfence(); }

const codec_kernels codec_kernels_avx512 = {
    .name = "avx512",
    .hex_decode = hex_decode,
    .rows_unpack = rows_unpack,
    .payload_decode = payload_decode,
    .columns_split = columns_split,
    .lines_stream = lines_stream,
    .stream_end = stream_end,
    .keccak256_many = codec_keccak256_many_avx512,
};
#endif
