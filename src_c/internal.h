/* What the files of the core share with one another. */
#ifndef CODEC_INTERNAL_H
#define CODEC_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "codec.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stork-codec's rows are little-endian memory images"
#endif

#define CODEC_SIGNATURE_LEN 65
/* The compact signed frame: this around the digits of a payload. */
#define FRAME_HEAD "{\"type\":\"signed_ecdsa\",\"p\":\"0x"
#define FRAME_TAIL "\"}"
#define FRAME_HEAD_LEN (sizeof FRAME_HEAD - 1)
#define FRAME_TAIL_LEN (sizeof FRAME_TAIL - 1)
#define HEADER_LEN 75 /* of layout 1: signature, taxonomy id, timestamp */
#define RECORD_LEN 18 /* asset id, value; one more with a market status */
/* Results beyond this would push everything else out of the caches. */
#define CODEC_STREAM_MIN ((size_t)16 << 20)
/* The upper half of 10^38 - 1. Beyond it a value does not fit 38 digits; with it, the
 * lower half decides. */
#define DECIMAL_HI UINT64_C(5421010862427522170)
#define CODEC_LIKELY(x) __builtin_expect(!!(x), 1)
#define CODEC_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* What all rows of a message have in common, as the row's last two words. It is handed
 * over in registers: a vector read from where narrower stores have just been would wait
 * for them. */
typedef struct {
    uint64_t timestamp_ns;
    uint64_t rest; /* taxonomy id, room for the asset id, market status, padding */
} codec_common;

static inline codec_common common_make(uint64_t timestamp_ns, uint16_t taxonomy_id) {
    return (codec_common){timestamp_ns, taxonomy_id | 255ULL << 32};
}

/* Where rows go as columns. */
typedef struct {
    codec_value *values;
    uint64_t *timestamps_ns;
    uint16_t *taxonomy_ids, *asset_ids;
    uint8_t *statuses;
} codec_columns;

static inline codec_columns columns_from(const codec_columns *columns, size_t row) {
    return (codec_columns){columns->values + row, columns->timestamps_ns + row,
                           columns->taxonomy_ids + row, columns->asset_ids + row,
                           columns->statuses + row};
}

/* Whether a row may hold what a decimal of 38 digits, or a signed time, cannot. */
static inline uint64_t row_is_wide(const codec_update *row) {
    return ((uint64_t)row->value.hi + DECIMAL_HI >= 2 * DECIMAL_HI) |
           row->timestamp_ns >> 63;
}

/* The narrow fields of row i to their columns; whether the row is wide. */
static inline uint64_t narrow_split(const codec_columns *to, const codec_update *rows,
                                    size_t i) {
    to->taxonomy_ids[i] = rows[i].taxonomy_id;
    to->asset_ids[i] = rows[i].asset_id;
    to->statuses[i] = rows[i].market_status;
    return row_is_wide(rows + i);
}

/* The work that depends on the instruction set. */
typedef struct {
    const char *name;
    /* Reads 2 * n digits, writes n bytes; true where every digit was one. */
    bool (*hex_decode)(uint8_t *dst, const uint8_t *digits, size_t n);
    /* Reads n records of 18 bytes (19 with a status), writes n rows: the record's
     * value, asset id and status, and what is common to all rows. With `stream` rows go
     * around the caches; they are aligned to 32 then. */
    void (*rows_unpack)(codec_update *rows, const uint8_t *records, size_t n,
                        size_t record_len, codec_common common, bool stream);
    /* A whole payload of layout 1 from its digits to bytes (unless `payload` is NULL)
     * and rows, without reading anything back from memory; true where every digit was
     * one. May be NULL. */
    bool (*payload_decode)(codec_update *rows, uint8_t *payload, const uint8_t *digits,
                           size_t n_rows, codec_common *common, bool stream);
    /* Writes n rows to columns; whether one of them is `wide`. With `stream` the values
     * and timestamps go around the caches; all are aligned to 64 then. */
    int (*columns_split)(const codec_columns *to, const codec_update *rows, size_t n,
                         bool stream);
    /* Copies 64-byte lines around the caches; dst is aligned to 64. */
    void (*lines_stream)(uint8_t *dst, const uint8_t *src, size_t n_lines);
    /* Makes what was written around the caches visible to other threads. */
    void (*stream_end)(void);
    /* codec_keccak256_many, several inputs at a time. May be NULL. */
    void (*keccak256_many)(uint8_t *digests, const codec_span *data, size_t n);
} codec_kernels;

extern const codec_kernels codec_kernels_scalar;
#if defined(__x86_64__)
extern const codec_kernels codec_kernels_sse41, codec_kernels_avx2,
    codec_kernels_avx512;
#elif defined(__aarch64__)
extern const codec_kernels codec_kernels_neon;
#endif
/* The chosen table; never NULL. */
extern const codec_kernels *codec_kernels_active;

/* keccak_avx2.c, keccak_avx512.c */
void codec_keccak256_many_avx2(uint8_t *digests, const codec_span *data, size_t n);
void codec_keccak256_many_avx512(uint8_t *digests, const codec_span *data, size_t n);

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

static inline uint16_t load_be16(const uint8_t *p) {
    uint16_t x;
    memcpy(&x, p, 2);
    return __builtin_bswap16(x);
}

static inline uint64_t load_be64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return __builtin_bswap64(x);
}

static inline uint64_t load_le64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline void store_be16(uint8_t *p, uint16_t x) {
    x = __builtin_bswap16(x);
    memcpy(p, &x, 2);
}

static inline void store_be64(uint8_t *p, uint64_t x) {
    x = __builtin_bswap64(x);
    memcpy(p, &x, 8);
}

/* memory.c. Makes room for `capacity` bytes; the first `used` bytes are kept. */
int codec_buffer_reserve(codec_buffer *buffer, size_t used, size_t capacity);
/* Gives back what lies far beyond `used`. */
void codec_buffer_trim(codec_buffer *buffer, size_t used);

/* output.c: the same for one of the output's four results. */
int codec_output_grow(codec_output *out, codec_buffer *buffer, size_t used,
                      size_t capacity);

static inline int output_reserve(codec_output *out, codec_buffer *buffer, size_t used,
                                 size_t more) {
    if (CODEC_LIKELY(used + more <= buffer->capacity))
        return 0;
    return codec_output_grow(out, buffer, used, used + more);
}

/* columns.c. Room in the columns for n_rows in all. */
int codec_columns_reserve(codec_output *out, size_t n_rows);
/* Moves rows from the window to the columns: once there are many; all of them. */
void codec_output_window_check(codec_output *out);
void codec_output_window_end(codec_output *out);
/* columns_split in portable C; nothing goes around the caches. */
int codec_columns_split(const codec_columns *to, const codec_update *rows, size_t n);

/* Bytes of rows in `updates`. */
static inline size_t output_rows_used(const codec_output *out) {
    return (out->n_updates - out->n_split) * sizeof(codec_update);
}

/* Room for one more message of n rows: where each goes. */
static inline int output_message_room(codec_output *out, size_t n_rows,
                                      codec_message **message, codec_update **rows) {
    size_t messages_used = out->n_messages * sizeof **message;
    size_t rows_used = output_rows_used(out);
    if (out->columnar && out->n_updates + n_rows > out->columns_room &&
        codec_columns_reserve(out, out->n_updates + n_rows))
        return CODEC_NO_MEMORY;
    if (output_reserve(out, &out->messages, messages_used, sizeof **message) ||
        output_reserve(out, &out->updates, rows_used,
                       (n_rows + (n_rows == 0)) * sizeof **rows)) /* never NULL */
        return CODEC_NO_MEMORY;
    *message = (codec_message *)(void *)(out->messages.data + messages_used);
    *rows = (codec_update *)(void *)(out->updates.data + rows_used);
    return 0;
}

/* Makes a message that has been written to its place, and its rows, count. */
static inline void output_message_count(codec_output *out, size_t n_rows) {
    out->n_updates += n_rows;
    out->n_messages++;
    if (out->columnar)
        codec_output_window_check(out);
}

/* How many ticks are missing between two messages: the nearest number of periods, less
 * the one that is there. The phase of the sender's ticks is not known. */
static inline uint64_t ticks_missing(uint64_t interval_ns, uint64_t period_ns) {
    uint64_t ticks = interval_ns / period_ns, rest = interval_ns % period_ns;
    ticks += rest >= period_ns - rest;
    return ticks ? ticks - 1 : 0;
}

/* output.c. Room for a payload of n bytes at the end of what is there, NULL without
 * memory; then the commit that makes it stay. */
uint8_t *codec_output_payload_room(codec_output *out, size_t n);
void codec_output_payload_commit(codec_output *out, size_t n);

/* Copies around the caches, whatever the alignment. */
void codec_stream_copy(uint8_t *dst, const uint8_t *src, size_t n);

/* payload.c: appends the message in `payload`, which codec_output_payload_room gave. */
int codec_payload_append(codec_output *out, const uint8_t *payload, size_t n,
                         uint64_t receive_ns, uint64_t *offset);

/* The same from 2 * n digits; where one is none or the payload is at fault, anything
 * but 0. `ahead` (or NULL) is an address from which about as many bytes will be read
 * soon. */
int codec_digits_append(codec_output *out, const uint8_t *digits, size_t n,
                        uint64_t receive_ns, const uint8_t *ahead);

/* message.c: one text message. The compact form alone gives CODEC_NOT_COMPACT or any
 * CODEC_ERROR_* where it does not apply, and has appended nothing then. */
#define CODEC_NOT_COMPACT (-2)
int codec_text_append(codec_output *out, const uint8_t *text, size_t len,
                      uint64_t receive_ns, const uint8_t *ahead, uint64_t *offset);
int codec_text_append_compact(codec_output *out, const uint8_t *text, size_t len,
                              uint64_t receive_ns, const uint8_t *ahead);
/* frame.c: any text message, and the authority on what is wrong with it. */
int codec_text_append_general(codec_output *out, const uint8_t *text, size_t len,
                              uint64_t receive_ns, uint64_t *offset);
/* unsigned.c: a compact unsigned frame; CODEC_NOT_COMPACT where it is anything else. */
int codec_unsigned_append_compact(codec_output *out, const uint8_t *text, size_t len,
                                  uint64_t receive_ns);

/* lines.c: the receive time at the start of a line. `*len` is that of the prefix with
 * its space, 0 where there is none. */
int codec_receive_time_read(const uint8_t *line, size_t n, uint64_t *receive_ns,
                            size_t *len);

/* decimal.c: `0` or `-`? and digits without a leading zero, all of the n bytes. */
int codec_decimal_to_value(const uint8_t *text, size_t n, codec_value *value);
int codec_decimal_to_u64(const uint8_t *text, size_t n, uint64_t max, uint64_t *value);

/* utf8.c: where the first ill-formed sequence starts, or len. */
size_t codec_utf8_check(const uint8_t *text, size_t len);

/* json.c */
typedef struct {
    size_t start, end; /* of the value's text; a string's includes its quotes */
    bool found;
    bool escaped; /* a string with a backslash in it */
} codec_json_value;

static inline bool codec_json_is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
size_t codec_json_space_skip(const uint8_t *text, size_t len, size_t at);
/* Reads the object at `at` (its `{`), which stands at nesting level `depth`. Values of
 * the keys in `names` go to `values`; `*duplicate` is where the first of them stands a
 * second time, or SIZE_MAX. Returns the status; `*end` is the byte behind the object,
 * or the fault. */
int codec_json_object_read(const uint8_t *text, size_t len, size_t at, int depth,
                           const char *const *names, size_t n_names,
                           codec_json_value *values, size_t *duplicate, size_t *end);
/* Moves `*at` from the first byte of a value, which stands inside `depth` levels, to
 * the byte behind it, or to the fault. `*escaped` is of a string. */
int codec_json_value_read(const uint8_t *text, size_t len, size_t *at, int depth,
                          bool *escaped);
/* A string's characters into dst, one byte each, 0xFF for what is not ASCII; returns
 * how many (at most end - start). */
size_t codec_json_unescape(uint8_t *dst, const uint8_t *text, codec_json_value string);
/* Where in the text the string's character number `index` stands. */
size_t codec_json_source(const uint8_t *text, codec_json_value string, size_t index);

/* sort.c. Sorts by a, then by b; equal ones stay in order. What is in order already, or
 * in few ascending runs, is done soon. `spare` has room for n. Returns where the result
 * is: `items` or `spare`. */
typedef struct {
    uint64_t a, b;
    size_t index;
} codec_item;
codec_item *codec_items_sort(codec_item *items, codec_item *spare, size_t n);

#endif
