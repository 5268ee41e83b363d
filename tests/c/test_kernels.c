/* Every instruction set's kernels against naive loops written here, on memory between
 * guard pages: a read or write outside of what a kernel was given ends the program.
 *
 * With the argument "quick", fewer bad characters are tried in long texts. */
#include "check.h"
#include "internal.h"

#define HEX_MAX 400
#define ROWS_MAX 70
#define LINES_MAX 40

static const codec_kernels *tables[4];
static size_t n_tables;
static bool quick;

/* The tables of this machine, by way of the names that it lists. */
static void tables_collect(void) {
    const char *name;
    for (size_t i = 0; (name = codec_isa_name(i)); i++) {
        CHECK(codec_isa_select(name) == 0, "%s", name);
        CHECK(strcmp(codec_isa_selected(), name) == 0, "%s", name);
        tables[n_tables++] = codec_kernels_active;
    }
    CHECK(codec_isa_select("none") == -1, "an unknown set was taken");
    CHECK(tables[n_tables - 1] == &codec_kernels_scalar, "scalar is not the last");
}

static int naive_digit(unsigned c) {
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (int)(c - 'a' + 10);
    return c >= 'A' && c <= 'F' ? (int)(c - 'A' + 10) : -1;
}

static void digits_fill(uint8_t *digits, size_t n_digits) {
    static const char all[] = "0123456789abcdefABCDEF";
    for (size_t i = 0; i < n_digits; i++)
        digits[i] = (uint8_t)all[random_below(22)];
}

static void hex_check_good(const codec_kernels *k, guarded out, const uint8_t *digits,
                           uint8_t *dst, size_t n) {
    guarded_fill(out);
    CHECK(k->hex_decode(dst, digits, n), "%s refuses %zu bytes", k->name, n);
    for (size_t i = 0; i < n; i++) {
        int value = naive_digit(digits[2 * i]) * 16 + naive_digit(digits[2 * i + 1]);
        CHECK(dst[i] == value, "%s, byte %zu of %zu", k->name, i, n);
    }
    CHECK(guarded_clean(out, dst, n), "%s writes outside of %zu bytes", k->name, n);
}

/* Characters next to digits, and with their low bits but others above. */
static bool is_telling(unsigned c) {
    return c == 0 || c == ' ' || c == '\n' || c == '/' || c == ':' || c == '@' ||
           c == 'G' || c == '`' || c == 'g' || c == 0x10 || c == 0x7F || c == 0x80 ||
           c == 0xB0 || c == 0xC1 || c == 0xE1 || c == 0xFF;
}

/* Each character of a good text made each of the 256 possible ones; the scalar kernel,
 * which looks at one byte after the other, gets fewer in long texts. */
static void hex_check_bad(const codec_kernels *k, uint8_t *digits, uint8_t *dst,
                          size_t n) {
    bool few = quick || k == &codec_kernels_scalar;
    for (size_t at = 0; at < 2 * n; at++) {
        uint8_t good = digits[at];
        for (unsigned c = 0; c < 256; c++) {
            if (few && n > 70 && !is_telling(c))
                continue;
            digits[at] = (uint8_t)c;
            bool expected = naive_digit(c) >= 0;
            CHECK(k->hex_decode(dst, digits, n) == expected,
                  "%s, character %02x at %zu of %zu bytes", k->name, c, at, n);
        }
        digits[at] = good;
    }
}

static void hex_test(const codec_kernels *k, guarded in, guarded out) {
    for (size_t n = 0; n <= HEX_MAX; n++) {
        for (int flush = 0; flush < 4; flush++) {
            uint8_t *digits = flush & 1 ? in.start : in.end - 2 * n;
            uint8_t *dst = flush & 2 ? out.start : out.end - n;
            digits_fill(digits, 2 * n);
            hex_check_good(k, out, digits, dst, n);
        }
        /* Digits and bytes that end and begin where nothing more may be touched. */
        digits_fill(in.end - 2 * n, 2 * n);
        hex_check_bad(k, in.end - 2 * n, out.start, n);
    }
    for (int round = 0; round < 20000; round++) {
        size_t n = random_below(40);
        uint8_t *digits = in.end - 2 * n;
        random_fill(digits, 2 * n);
        uint8_t ignored[40];
        CHECK(k->hex_decode(out.end - n, digits, n) ==
                  codec_kernels_scalar.hex_decode(ignored, digits, n),
              "%s and scalar differ on random bytes", k->name);
    }
}

/* A row by the letter of the layout: big-endian id and value. */
static void naive_row(uint8_t row[32], const uint8_t *record, size_t record_len,
                      codec_common common) {
    memcpy(row + 16, &common.timestamp_ns, 8);
    memcpy(row + 24, &common.rest, 8);
    for (int i = 0; i < 16; i++)
        row[i] = record[17 - i];
    row[26] = record[1];
    row[27] = record[0];
    if (record_len == 19)
        row[28] = record[18];
}

/* What is common is itself a row's end: taxonomy id, and a status of 255. */
static void common_test(void) {
    const codec_update expected = {.timestamp_ns = 0x0102030405060708,
                                   .taxonomy_id = 0xABCD,
                                   .market_status = 255};
    const codec_common common = common_make(0x0102030405060708, 0xABCD);
    CHECK(memcmp((const uint8_t *)&expected + 16, &common, 16) == 0, "common words");
}

static codec_common common_random(void) {
    return common_make(random_u64(), (uint16_t)random_u64());
}

static void rows_same(const codec_kernels *k, const uint8_t *rows,
                      const uint8_t *records, size_t n, size_t record_len,
                      codec_common common) {
    for (size_t i = 0; i < n; i++) {
        uint8_t expected[32];
        naive_row(expected, records + i * record_len, record_len, common);
        CHECK(memcmp(rows + 32 * i, expected, 32) == 0,
              "%s, row %zu of %zu from records of %zu", k->name, i, n, record_len);
    }
}

/* Where the rows go: at either end, and on an odd multiple of 32. */
static uint8_t *rows_place(guarded out, size_t n, int which) {
    return which == 0 ? out.end - 32 * n : which == 1 ? out.start : out.start + 32;
}

static void rows_test(const codec_kernels *k, bool stream, guarded in, guarded out) {
    for (size_t record_len = 18; record_len <= 19; record_len++) {
        for (size_t n = 0; n <= ROWS_MAX; n++) {
            size_t len = n * record_len;
            for (int flush = 0; flush < 8; flush++) {
                if (flush > 5 && stream)
                    break;
                uint8_t *records = flush & 1 ? in.start : in.end - len;
                /* What malloc gives is a multiple of 16. */
                uint8_t *rows =
                    flush > 5 ? out.start + 16 : rows_place(out, n, flush / 2);
                const codec_common common = common_random();
                random_fill(records, len);
                guarded_fill(out);
                k->rows_unpack((codec_update *)(void *)rows, records, n, record_len,
                               common, stream);
                k->stream_end();
                rows_same(k, rows, records, n, record_len, common);
                CHECK(guarded_clean(out, rows, 32 * n), "%s writes outside of %zu rows",
                      k->name, n);
            }
        }
    }
}

/* A payload of layout 1 straight from its digits; `bytes` may be NULL. */
static void payload_check(const codec_kernels *k, bool stream, guarded out,
                          guarded arena, uint8_t *rows, uint8_t *bytes,
                          const uint8_t *digits, size_t n) {
    static uint8_t expected[75 + ROWS_MAX * 18];
    codec_common common, wanted;
    size_t len = 75 + 18 * n;
    for (size_t i = 0; i < len; i++)
        expected[i] =
            (uint8_t)(naive_digit(digits[2 * i]) * 16 + naive_digit(digits[2 * i + 1]));
    wanted = common_make(load_be64(expected + 67), load_be16(expected + 65));
    guarded_fill(out);
    guarded_fill(arena);
    bool good = k->payload_decode((codec_update *)(void *)rows, bytes, digits, n,
                                  &common, stream);
    k->stream_end();
    CHECK(good, "%s refuses a payload of %zu records", k->name, n);
    CHECK(memcmp(&common, &wanted, 16) == 0, "%s, header before %zu records", k->name,
          n);
    rows_same(k, rows, expected + 75, n, 18, wanted);
    CHECK(guarded_clean(out, rows, 32 * n), "%s writes outside of %zu rows", k->name,
          n);
    CHECK(!bytes || memcmp(bytes, expected, len) == 0, "%s, payload of %zu records",
          k->name, n);
    CHECK(guarded_clean(arena, bytes ? bytes : arena.start, bytes ? len : 0),
          "%s writes outside of a payload of %zu records", k->name, n);
}

static void payload_check_bad(const codec_kernels *k, bool stream, uint8_t *rows,
                              uint8_t *bytes, uint8_t *digits, size_t n) {
    codec_common common;
    for (size_t at = 0; at < 150 + 36 * n; at++) {
        uint8_t good = digits[at];
        for (unsigned c = 0; c < 256; c++) {
            if (n > 6 && !is_telling(c))
                continue;
            digits[at] = (uint8_t)c;
            bool result = k->payload_decode((codec_update *)(void *)rows, bytes, digits,
                                            n, &common, stream);
            CHECK(result == (naive_digit(c) >= 0),
                  "%s, character %02x at %zu before %zu records", k->name, c, at, n);
        }
        digits[at] = good;
    }
}

static void payloads_test(const codec_kernels *k, bool stream, guarded in, guarded out,
                          guarded arena) {
    if (!k->payload_decode)
        return;
    for (size_t n = 0; n <= ROWS_MAX; n++) {
        size_t len = 75 + 18 * n;
        uint8_t *places[3] = {arena.end - len, arena.start, NULL};
        for (int flush = 0; flush < 18; flush++) {
            uint8_t *digits = flush & 1 ? in.start : in.end - 2 * len;
            uint8_t *rows = rows_place(out, n, flush / 2 % 3);
            digits_fill(digits, 2 * len);
            payload_check(k, stream, out, arena, rows, places[flush / 6], digits, n);
        }
        digits_fill(in.end - 2 * len, 2 * len);
        if (n <= 13)
            payload_check_bad(k, stream, rows_place(out, n, n & 2 ? 0 : 2),
                              places[n & 1 ? 2 : 0], in.end - 2 * len, n);
    }
}

/* Whether a row is wide, by the number that it is: |value| of 10^38 and more, or near
 * it by as much as the upper half tells; a time of 2^63 and more. */
static bool naive_wide(const codec_update *row) {
    const int64_t most = 5421010862427522170;
    return row->value.hi >= most || row->value.hi < -most || row->timestamp_ns >> 63;
}

/* Rows of every kind, narrow ones but for the one at `wide_at`. */
static void split_rows_fill(codec_update *rows, size_t n, size_t wide_at) {
    static const int64_t edges[] = {0,
                                    -1,
                                    INT64_MIN,
                                    INT64_MAX,
                                    5421010862427522170,
                                    5421010862427522169,
                                    -5421010862427522170,
                                    -5421010862427522171};
    random_fill((uint8_t *)rows, n * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].value.hi = i & 1 ? edges[random_below(8)] : rows[i].value.hi / 4;
        rows[i].timestamp_ns >>= random_below(2);
        while (i != wide_at && naive_wide(&rows[i])) {
            rows[i].value.hi /= 2;
            rows[i].timestamp_ns >>= 1;
        }
    }
}

static void split_check(const codec_kernels *k, const codec_columns *to,
                        const codec_update *rows, size_t n, bool stream) {
    bool expected = false;
    for (size_t i = 0; i < n; i++)
        expected |= naive_wide(&rows[i]);
    int wide = k->columns_split(to, rows, n, stream);
    k->stream_end();
    CHECK(!!wide == expected, "%s, wide among %zu rows", k->name, n);
    for (size_t i = 0; i < n; i++)
        CHECK(!memcmp(&to->values[i], &rows[i].value, 16) &&
                  to->timestamps_ns[i] == rows[i].timestamp_ns &&
                  to->taxonomy_ids[i] == rows[i].taxonomy_id &&
                  to->asset_ids[i] == rows[i].asset_id &&
                  to->statuses[i] == rows[i].market_status,
              "%s, row %zu of %zu", k->name, i, n);
}

static void columns_test(const codec_kernels *k, bool stream, guarded in,
                         const guarded out[CODEC_N_COLUMNS]) {
    for (size_t n = 0; n <= ROWS_MAX; n++) {
        for (size_t wide_at = 0; wide_at <= n; wide_at++) {
            codec_update *rows = (codec_update *)(void *)(in.end - n * sizeof *rows);
            uint8_t *places[CODEC_N_COLUMNS];
            for (int i = 0; i < CODEC_N_COLUMNS; i++) {
                guarded_fill(out[i]);
                places[i] = stream || wide_at & 1
                                ? out[i].start
                                : out[i].end - n * codec_column_widths[i];
            }
            const codec_columns to = {
                .values = (codec_value *)(void *)places[CODEC_COLUMN_VALUE],
                .timestamps_ns = (uint64_t *)(void *)places[CODEC_COLUMN_TIMESTAMP],
                .taxonomy_ids = (uint16_t *)(void *)places[CODEC_COLUMN_TAXONOMY],
                .asset_ids = (uint16_t *)(void *)places[CODEC_COLUMN_ASSET],
                .statuses = places[CODEC_COLUMN_STATUS],
            };
            split_rows_fill(rows, n, wide_at);
            split_check(k, &to, rows, n, stream);
            for (int i = 0; i < CODEC_N_COLUMNS; i++)
                CHECK(guarded_clean(out[i], places[i], n * codec_column_widths[i]),
                      "%s writes outside of column %d of %zu rows", k->name, i, n);
        }
    }
}

static void lines_test(const codec_kernels *k, guarded in, guarded out) {
    for (size_t n = 0; n <= LINES_MAX; n++) {
        for (int flush = 0; flush < 3; flush++) {
            size_t len = 64 * n;
            uint8_t *src = flush == 0   ? in.end - len
                           : flush == 1 ? in.start
                                        : in.end - len - 13;
            uint8_t *dst = flush ? out.start : out.end - len;
            random_fill(src, len);
            guarded_fill(out);
            k->lines_stream(dst, src, n);
            k->stream_end();
            CHECK(memcmp(dst, src, len) == 0, "%s, %zu lines", k->name, n);
            CHECK(guarded_clean(out, dst, len), "%s writes outside of %zu lines",
                  k->name, n);
        }
    }
}

/* codec_stream_copy cuts any place and length into lines and rests. */
static void copy_test(const codec_kernels *k, guarded in, guarded out) {
    codec_kernels_active = k;
    for (size_t n = 0; n < 700; n += 1 + n / 16) {
        for (size_t shift = 0; shift < 64; shift++) {
            uint8_t *src = in.end - n, *dst = out.start + shift;
            random_fill(src, n);
            guarded_fill(out);
            codec_stream_copy(dst, src, n);
            k->stream_end();
            CHECK(memcmp(dst, src, n) == 0, "%s, copy of %zu", k->name, n);
            CHECK(guarded_clean(out, dst, n), "%s copies more than %zu", k->name, n);
        }
    }
    codec_stream_copy(out.end, in.end, 0);
}

int main(int argc, char **argv) {
    quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    guarded in = guarded_new(4096), out = guarded_new(4096), arena = guarded_new(4096);
    guarded columns[CODEC_N_COLUMNS];
    for (int i = 0; i < CODEC_N_COLUMNS; i++)
        columns[i] = guarded_new(4096);
    tables_collect();
    common_test();
    for (size_t i = 0; i < n_tables; i++) {
        hex_test(tables[i], in, out);
        for (int stream = 0; stream < 2; stream++) {
            rows_test(tables[i], stream, in, out);
            payloads_test(tables[i], stream, in, out, arena);
            columns_test(tables[i], stream, in, columns);
        }
        lines_test(tables[i], in, out);
        copy_test(tables[i], in, out);
        printf("%s\n", tables[i]->name);
    }
    return check_report("kernels");
}
