/* Kernels for NEON, which every aarch64 has: 16 bytes at a time. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "internal.h"

/* As in kernels_sse41.c: a character's value, 16 and more for what is no digit. */
static inline uint8x16_t digits_to_values(uint8x16_t c) {
    uint8x16_t digit = vaddq_u8(c, vdupq_n_u8(0xFF - '9'));
    digit = vsubq_u8(vqsubq_u8(digit, vdupq_n_u8(6)), vdupq_n_u8(0xF0));
    uint8x16_t letter = vandq_u8(c, vdupq_n_u8(0xDF));
    letter = vqaddq_u8(vsubq_u8(letter, vdupq_n_u8('A')), vdupq_n_u8(10));
    return vminq_u8(digit, letter);
}

/* Thirty-two characters to sixteen bytes; their values are collected in `all`. */
static inline uint8x16_t hex_block(const uint8_t *digits, uint8x16_t *all) {
    uint8x16x2_t pairs = vld2q_u8(digits); /* first and second digit of each byte */
    uint8x16_t high = digits_to_values(pairs.val[0]);
    uint8x16_t low = digits_to_values(pairs.val[1]);
    *all = vorrq_u8(*all, vorrq_u8(high, low));
    return vsliq_n_u8(low, high, 4);
}

static inline bool all_are_digits(uint8x16_t all) { return vmaxvq_u8(all) < 16; }

static bool hex_decode(uint8_t *dst, const uint8_t *digits, size_t n) {
    if (n < 16)
        return codec_kernels_scalar.hex_decode(dst, digits, n);
    uint8x16_t all = vdupq_n_u8(0);
    for (size_t i = 0; i + 16 < n; i += 16)
        vst1q_u8(dst + i, hex_block(digits + 2 * i, &all));
    /* The last block ends with the last byte, and may overlap the one before. */
    vst1q_u8(dst + n - 16, hex_block(digits + 2 * (n - 16), &all));
    return all_are_digits(all);
}

/* A row is two halves: the value's 16 bytes reversed, and the pattern with the asset id
 * in its bytes 10 and 11. */
static inline void row_store(codec_update *row, uint8x16_t value, uint16x8_t pattern,
                             uint16_t asset_id) {
    value = vrev64q_u8(value);
    vst1q_u8((uint8_t *)row, vextq_u8(value, value, 8));
    vst1q_u8((uint8_t *)row + 16,
             vreinterpretq_u8_u16(vsetq_lane_u16(asset_id, pattern, 5)));
}

static inline uint16x8_t half_make(codec_common common) {
    return vreinterpretq_u16_u64(
        vcombine_u64(vcreate_u64(common.timestamp_ns), vcreate_u64(common.rest)));
}

/* `stream` changes nothing: aarch64's caches need no way around them. */
static void rows_unpack(codec_update *rows, const uint8_t *records, size_t n,
                        size_t record_len, codec_common common, bool stream) {
    const uint16x8_t half = half_make(common);
    (void)stream;
    for (size_t i = 0; i < n; i++, records += record_len) {
        row_store(rows + i, vld1q_u8(records + 2), half, load_be16(records));
        if (record_len > RECORD_LEN)
            rows[i].market_status = records[RECORD_LEN];
    }
}

static void lines_stream(uint8_t *dst, const uint8_t *src, size_t n_lines) {
    memcpy(dst, src, 64 * n_lines);
}

static int columns_split(const codec_columns *to, const codec_update *rows, size_t n,
                         bool stream) {
    (void)stream;
    return codec_columns_split(to, rows, n);
}

static void stream_end(void) {}

const codec_kernels codec_kernels_neon = {
    .name = "neon",
    .hex_decode = hex_decode,
    .rows_unpack = rows_unpack,
    .columns_split = columns_split,
    .lines_stream = lines_stream,
    .stream_end = stream_end,
};
#endif
