/* Kernels for SSSE3 and SSE4.1: 16 bytes at a time. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#define TARGET __attribute__((target("ssse3,sse4.1")))

/* Sixteen characters to their values; 16 and more for what is no digit. Digits go to
 * 0xF6..0xFF first, so that the saturating subtraction of 6 parts them from all that
 * lies below '0'; letters, in either case, to 10..15. Each half maps what is not its
 * own to 16 or more, so the smaller one is right. */
TARGET static inline __m128i digits_to_values(__m128i c) {
    __m128i digit = _mm_add_epi8(c, _mm_set1_epi8((char)(0xFF - '9')));
    digit =
        _mm_sub_epi8(_mm_subs_epu8(digit, _mm_set1_epi8(6)), _mm_set1_epi8((char)0xF0));
    __m128i letter = _mm_and_si128(c, _mm_set1_epi8((char)0xDF));
    letter = _mm_adds_epu8(_mm_sub_epi8(letter, _mm_set1_epi8('A')), _mm_set1_epi8(10));
    return _mm_min_epu8(digit, letter);
}

/* Thirty-two characters to sixteen bytes; their values are collected in `all`. */
TARGET static inline __m128i hex_block(const uint8_t *digits, __m128i *all) {
    const __m128i weights = _mm_set1_epi16(0x0110);
    __m128i a = digits_to_values(_mm_loadu_si128((const __m128i *)digits));
    __m128i b = digits_to_values(_mm_loadu_si128((const __m128i *)(digits + 16)));
    *all = _mm_or_si128(*all, _mm_or_si128(a, b));
    return _mm_packus_epi16(_mm_maddubs_epi16(a, weights),
                            _mm_maddubs_epi16(b, weights));
}

TARGET static inline bool all_are_digits(__m128i all) {
    return _mm_testz_si128(all, _mm_set1_epi8((char)0xF0));
}

TARGET static bool hex_decode(uint8_t *dst, const uint8_t *digits, size_t n) {
    if (n < 16)
        return codec_kernels_scalar.hex_decode(dst, digits, n);
    __m128i all = _mm_setzero_si128();
    for (size_t i = 0; i + 16 < n; i += 16)
        _mm_storeu_si128((__m128i *)(dst + i), hex_block(digits + 2 * i, &all));
    /* The last block ends with the last byte, and may overlap the one before. */
    _mm_storeu_si128((__m128i *)(dst + n - 16), hex_block(digits + 2 * (n - 16), &all));
    return all_are_digits(all);
}

/* A row is two halves: the value's 16 bytes reversed, and the pattern with the asset id
 * in its bytes 10 and 11 and, where records have one, the status in byte 12. */
TARGET static inline void row_store(codec_update *row, __m128i value, __m128i rest,
                                    bool stream) {
    const __m128i reverse =
        _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m128i *halves = (__m128i *)row;
    value = _mm_shuffle_epi8(value, reverse);
    if (stream) {
        _mm_stream_si128(halves, value);
        _mm_stream_si128(halves + 1, rest);
    } else {
        _mm_storeu_si128(halves, value);
        _mm_storeu_si128(halves + 1, rest);
    }
}

TARGET static inline __m128i half_make(codec_common common) {
    return _mm_set_epi64x((int64_t)common.rest, (int64_t)common.timestamp_ns);
}

TARGET static void rows_unpack(codec_update *rows, const uint8_t *records, size_t n,
                               size_t record_len, codec_common common, bool stream) {
    const __m128i half = half_make(common);
    for (size_t i = 0; i < n; i++, records += record_len) {
        __m128i rest = _mm_insert_epi16(half, load_be16(records), 5);
        if (record_len > RECORD_LEN)
            rest = _mm_insert_epi8(rest, records[RECORD_LEN], 12);
        row_store(rows + i, _mm_loadu_si128((const __m128i *)(records + 2)), rest,
                  stream);
    }
}

TARGET static void lines_stream(uint8_t *dst, const uint8_t *src, size_t n_lines) {
    for (size_t i = 0; i < 4 * n_lines; i++)
        _mm_stream_si128((__m128i *)dst + i, _mm_loadu_si128((const __m128i *)src + i));
}

TARGET static inline void half_store(void *to, __m128i bytes, bool stream) {
    if (stream)
        _mm_stream_si128((__m128i *)to, bytes);
    else
        _mm_storeu_si128((__m128i *)to, bytes);
}

/* Two rows at a time, the narrow fields one by one. */
TARGET static inline int columns_make(const codec_columns *to, const codec_update *rows,
                                      size_t n, bool stream) {
    uint64_t wide = 0;
    for (size_t i = 0; i < n; i += 2) {
        const __m128i *half = (const __m128i *)(rows + i);
        half_store(to->values + i, _mm_loadu_si128(half), stream);
        half_store(to->values + i + 1, _mm_loadu_si128(half + 2), stream);
        half_store(
            to->timestamps_ns + i,
            _mm_unpacklo_epi64(_mm_loadu_si128(half + 1), _mm_loadu_si128(half + 3)),
            stream);
        wide |= narrow_split(to, rows, i) | narrow_split(to, rows, i + 1);
    }
    return wide != 0;
}

TARGET static int columns_split(const codec_columns *to, const codec_update *rows,
                                size_t n, bool stream) {
    size_t whole = n & ~(size_t)1;
    int wide = stream ? columns_make(to, rows, whole, true)
                      : columns_make(to, rows, whole, false);
    const codec_columns rest = columns_from(to, whole);
    return wide | codec_columns_split(&rest, rows + whole, n - whole);
}

static void stream_end(void) { _mm_sfence(); }

const codec_kernels codec_kernels_sse41 = {
    .name = "sse41",
    .hex_decode = hex_decode,
    .rows_unpack = rows_unpack,
    .columns_split = columns_split,
    .lines_stream = lines_stream,
    .stream_end = stream_end,
};
#endif
