/* Kernels for AVX2: 32 bytes at a time. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#define TARGET __attribute__((target("avx2")))

/* As in kernels_sse41.c: a character's value, 16 and more for what is no digit. */
TARGET static inline __m256i digits_to_values(__m256i c) {
    __m256i digit = _mm256_add_epi8(c, _mm256_set1_epi8((char)(0xFF - '9')));
    digit = _mm256_sub_epi8(_mm256_subs_epu8(digit, _mm256_set1_epi8(6)),
                            _mm256_set1_epi8((char)0xF0));
    __m256i letter = _mm256_and_si256(c, _mm256_set1_epi8((char)0xDF));
    letter = _mm256_adds_epu8(_mm256_sub_epi8(letter, _mm256_set1_epi8('A')),
                              _mm256_set1_epi8(10));
    return _mm256_min_epu8(digit, letter);
}

TARGET static inline bool all_are_digits(__m256i all) {
    return _mm256_testz_si256(all, _mm256_set1_epi8((char)0xF0));
}

TARGET static inline __m256i digits_load(const uint8_t *digits, __m256i *all) {
    __m256i values = digits_to_values(_mm256_loadu_si256((const __m256i *)digits));
    *all = _mm256_or_si256(*all, values);
    return _mm256_maddubs_epi16(values, _mm256_set1_epi16(0x0110));
}

/* Sixty-four characters to 32 bytes; their values are collected in `all`. The pack
 * works in each half: the permutation puts the quarters into order. */
TARGET static inline void hex_block(uint8_t *dst, const uint8_t *digits, __m256i *all) {
    __m256i bytes =
        _mm256_packus_epi16(digits_load(digits, all), digits_load(digits + 32, all));
    _mm256_storeu_si256((__m256i *)dst, _mm256_permute4x64_epi64(bytes, 0xD8));
}

TARGET static bool hex_decode(uint8_t *dst, const uint8_t *digits, size_t n) {
    if (n < 32)
        return codec_kernels_sse41.hex_decode(dst, digits, n);
    __m256i all = _mm256_setzero_si256();
    for (size_t i = 0; i + 32 < n; i += 32)
        hex_block(dst + i, digits + 2 * i, &all);
    /* The last block ends with the last byte, and may overlap the one before. */
    hex_block(dst + n - 32, digits + 2 * (n - 32), &all);
    return all_are_digits(all);
}

TARGET static inline void row_store(codec_update *row, __m256i bytes, bool stream) {
    if (stream)
        _mm256_stream_si256((__m256i *)row, bytes);
    else
        _mm256_storeu_si256((__m256i *)row, bytes);
}

/* Both halves of a row in one shuffle: the value reversed, and the asset id in the
 * place where the pattern has zeros. */
TARGET static void rows_unpack(codec_update *rows, const uint8_t *records, size_t n,
                               size_t record_len, codec_common common, bool stream) {
    const __m256i order =
        _mm256_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, -1,
                         -1, -1, -1, -1, -1, -1, -1, -1, 1, 0, -1, -1, -1, -1);
    const __m256i row =
        _mm256_set_epi64x((int64_t)common.rest, (int64_t)common.timestamp_ns, 0, 0);
    for (size_t i = 0; i < n; i++, records += record_len) {
        __m256i bytes = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(records + 2))),
            _mm_loadu_si128((const __m128i *)records), 1);
        bytes = _mm256_or_si256(_mm256_shuffle_epi8(bytes, order), row);
        if (record_len > RECORD_LEN)
            bytes = _mm256_insert_epi8(bytes, (char)records[RECORD_LEN], 28);
        row_store(rows + i, bytes, stream);
    }
}

TARGET static void lines_stream(uint8_t *dst, const uint8_t *src, size_t n_lines) {
    for (size_t i = 0; i < 2 * n_lines; i++)
        _mm256_stream_si256((__m256i *)dst + i,
                            _mm256_loadu_si256((const __m256i *)src + i));
}

TARGET static inline void lane_store(void *to, __m256i bytes, bool stream) {
    if (stream)
        _mm256_stream_si256((__m256i *)to, bytes);
    else
        _mm256_storeu_si256((__m256i *)to, bytes);
}

/* Four rows at a time: values and timestamps by halves of rows, the narrow fields one
 * by one. */
TARGET static inline int columns_make(const codec_columns *to, const codec_update *rows,
                                      size_t n, bool stream) {
    uint64_t wide = 0;
    for (size_t i = 0; i < n; i += 4) {
        const __m256i *row = (const __m256i *)(rows + i);
        __m256i a = _mm256_loadu_si256(row), b = _mm256_loadu_si256(row + 1);
        __m256i c = _mm256_loadu_si256(row + 2), d = _mm256_loadu_si256(row + 3);
        lane_store(to->values + i, _mm256_permute2x128_si256(a, b, 0x20), stream);
        lane_store(to->values + i + 2, _mm256_permute2x128_si256(c, d, 0x20), stream);
        __m256i times = _mm256_unpacklo_epi64(_mm256_permute2x128_si256(a, b, 0x31),
                                              _mm256_permute2x128_si256(c, d, 0x31));
        lane_store(to->timestamps_ns + i, _mm256_permute4x64_epi64(times, 0xD8),
                   stream);
        for (size_t k = i; k < i + 4; k++)
            wide |= narrow_split(to, rows, k);
    }
    return wide != 0;
}

TARGET static int columns_split(const codec_columns *to, const codec_update *rows,
                                size_t n, bool stream) {
    size_t whole = n & ~(size_t)3;
    int wide = stream ? columns_make(to, rows, whole, true)
                      : columns_make(to, rows, whole, false);
    const codec_columns rest = columns_from(to, whole);
    return wide | codec_columns_split(&rest, rows + whole, n - whole);
}

static void stream_end(void) { _mm_sfence(); }

const codec_kernels codec_kernels_avx2 = {
    .name = "avx2",
    .hex_decode = hex_decode,
    .rows_unpack = rows_unpack,
    .columns_split = columns_split,
    .lines_stream = lines_stream,
    .stream_end = stream_end,
    .keccak256_many = codec_keccak256_many_avx2,
};
#endif
