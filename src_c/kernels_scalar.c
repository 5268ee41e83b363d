/* Kernels in portable C: the fallback, and the model for the others. */
#include "internal.h"

/* A digit's value with bit 4 set; 0 for what is no digit. */
static const uint8_t digit_values[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21,
    ['6'] = 22, ['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27,
    ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['A'] = 26, ['B'] = 27,
    ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31,
};

/* Two digits to a byte; false where one is none. */
static inline bool hex_pair_decode(uint8_t *dst, const uint8_t *digits) {
    uint8_t high = digit_values[digits[0]], low = digit_values[digits[1]];
    *dst = (uint8_t)(high << 4 | (low & 15));
    return (high & low) != 0;
}

static bool hex_decode(uint8_t *dst, const uint8_t *digits, size_t n) {
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good &= hex_pair_decode(dst + i, digits + 2 * i);
    return good;
}

/* One row by plain loads and stores. */
static inline void row_unpack(codec_update *row, const uint8_t *record,
                              size_t record_len, codec_common common) {
    *row = (codec_update){
        .value = {load_be64(record + 10), (int64_t)load_be64(record + 2)},
        .timestamp_ns = common.timestamp_ns,
        .taxonomy_id = (uint16_t)common.rest,
        .asset_id = load_be16(record),
        .market_status = record_len > RECORD_LEN ? record[RECORD_LEN] : 255,
    };
}

static void rows_unpack(codec_update *rows, const uint8_t *records, size_t n,
                        size_t record_len, codec_common common, bool stream) {
    (void)stream;
    for (size_t i = 0; i < n; i++)
        row_unpack(rows + i, records + i * record_len, record_len, common);
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

const codec_kernels codec_kernels_scalar = {
    .name = "scalar",
    .hex_decode = hex_decode,
    .rows_unpack = rows_unpack,
    .columns_split = columns_split,
    .lines_stream = lines_stream,
    .stream_end = stream_end,
};
