/* The compiled core of stork-codec: Stork Fast messages into rows of fixed size.
 *
 * No function here knows Python, prints, or aborts. What a message must look like, and
 * which fault stands at which byte, is docs/messages.md; the wire format is Stork's.
 *
 * Status: functions that return `int` return 0 for success, a positive CODEC_ERROR_*
 * for a fault in the input (its byte in `*offset`), or CODEC_NO_MEMORY. */
#ifndef CODEC_H
#define CODEC_H

#include <stddef.h>
#include <stdint.h>

#define CODEC_NO_MEMORY (-1)
#define CODEC_MAX_DEPTH 64

enum {
    CODEC_ERROR_EMPTY = 1,
    CODEC_ERROR_PYTHON_TYPE,
    CODEC_ERROR_INVALID_UTF8,
    CODEC_ERROR_INVALID_JSON,
    CODEC_ERROR_TOO_DEEP,
    CODEC_ERROR_DUPLICATE_KEY,
    CODEC_ERROR_NOT_DATA,
    CODEC_ERROR_MISSING_FIELD,
    CODEC_ERROR_WRONG_TYPE,
    CODEC_ERROR_INVALID_NUMBER,
    CODEC_ERROR_OUT_OF_RANGE,
    CODEC_ERROR_INVALID_HEX,
    CODEC_ERROR_ODD_HEX,
    CODEC_ERROR_INVALID_LENGTH,
    CODEC_ERROR_UNKNOWN_VERSION,
    CODEC_ERROR_UNKNOWN_MASK,
    CODEC_ERROR_INVALID_RECEIVE_TIME,
    CODEC_ERROR_TOO_LARGE,
};

/* int128, two's complement, scaled by 10^18 */
typedef struct {
    uint64_t lo;
    int64_t hi;
} codec_value;

typedef struct {
    codec_value value;
    uint64_t timestamp_ns;
    uint16_t taxonomy_id;
    uint16_t asset_id;
    uint8_t market_status; /* 255: none */
    uint8_t padding[3];
} codec_update;

typedef struct {
    uint64_t timestamp_ns;
    uint64_t receive_ns; /* 0: unknown */
    uint64_t first_update;
    uint64_t payload_offset;
    uint32_t payload_len;
    uint32_t update_count;
    uint16_t taxonomy_id;
    uint8_t kind;   /* 0 unsigned, 1 signed */
    uint8_t layout; /* 0 unsigned, 1, 2 */
    uint8_t padding[4];
} codec_message;

typedef struct {
    uint64_t index;
    uint64_t offset;
    uint16_t code;
    uint8_t padding[6];
} codec_error;

/* Memory that grows. `{NULL, 0}` is a valid empty one. Blocks of CODEC_MAP_MIN bytes
 * and more are page-aligned mappings, and a bounded stock of released ones is used
 * again. */
#define CODEC_MAP_MIN ((size_t)64 << 10)
typedef struct {
    uint8_t *data;
    size_t capacity;
} codec_buffer;

/* Where decoded messages go. Zero-initialise, then set `keep_payloads`. The caller owns
 * it and ends it with codec_output_release. While `pinned` is set, a block that is
 * outgrown is not freed but kept in `retired`, because somebody still looks at it. */
typedef struct {
    codec_buffer updates, messages, payloads, errors;
    size_t n_updates, n_messages, payloads_len, n_errors;
    int keep_payloads, pinned;
    int stream; /* results are too large for the caches: write around them */
    codec_buffer scratch, text, stage, retired;
    size_t stage_len, n_retired;
} codec_output;

/* A message where it lies. `data` NULL: no message, but a fault that the caller found;
 * `len` is 256 * offset + code. */
typedef struct {
    const uint8_t *data;
    size_t len;
} codec_span;

/* What a span holds. */
enum { CODEC_TEXT, CODEC_BINARY };

/* Forgets the results, keeps the memory. */
void codec_output_clear(codec_output *out);
void codec_output_release(codec_output *out);
/* Frees the retired blocks: nobody looks at them any more. */
void codec_output_unpin(codec_output *out);
/* Gives back memory far beyond the results. */
void codec_output_trim(codec_output *out);
/* Makes `out` (empty) a copy of the results of `from`. */
int codec_output_copy(codec_output *out, const codec_output *from);
/* Makes room for what `len` bytes of messages of about `typical_len` bytes give, and
 * sets `stream`; only a guess, buffers grow where it was too low. */
int codec_output_expect(codec_output *out, size_t len, size_t typical_len);
/* Ends a run of decode calls: every result is in its buffer afterwards. */
void codec_output_finish(codec_output *out);

/* Decodes spans, or the lines of one text, behind what `out` holds already. Faults are
 * appended to `out->errors`, with `index` counted from `first_index`; with `stop` the
 * first one ends the call. Nothing of the input is kept. */
int codec_spans_decode(codec_output *out, const codec_span *spans, size_t n, int form,
                       uint64_t first_index, int stop);
int codec_lines_decode(codec_output *out, const uint8_t *text, size_t len, int stop,
                       uint64_t *n_lines);
/* The bytes before the first line end, or all. */
size_t codec_line_len(const uint8_t *text, size_t len);
int codec_error_append(codec_output *out, uint64_t index, uint64_t offset, int code);

/* Several threads on one input (job.c). */
typedef struct codec_job codec_job;
codec_job *codec_job_new(codec_output *out, int stop);
void codec_job_free(codec_job *job); /* NULL is fine */
/* Each worker enters (0: the job has ended) and leaves. codec_job_end waits until all
 * who entered have left, and returns the job's status; with `early` it makes them stop.
 * Only then may the input and the output go away. */
int codec_job_enter(codec_job *job);
void codec_job_leave(codec_job *job);
int codec_job_end(codec_job *job, int early);
/* One worker's share of the lines of a text: returns when none are left. */
int codec_job_lines(codec_job *job, const uint8_t *text, size_t len);
/* The next number of a block of spans. */
uint64_t codec_job_claim(codec_job *job);
/* Appends a block's results (`part`) in the order of the blocks' numbers. */
int codec_job_commit(codec_job *job, uint64_t block, codec_output *part, int status,
                     uint64_t n_indices);
int codec_job_stopped(codec_job *job);

/* Packs records behind a 65-byte signature. Strides count bytes. `statuses` NULL gives
 * layout 1, else layout 2. `payload` has codec_payload_len bytes; the signature is left
 * alone. */
size_t codec_payload_len(size_t n, int with_status);
void codec_payload_pack(uint8_t *payload, size_t n, uint64_t timestamp_ns,
                        uint16_t taxonomy_id, const uint8_t *asset_ids,
                        ptrdiff_t asset_stride, const uint8_t *values,
                        ptrdiff_t value_stride, const uint8_t *statuses,
                        ptrdiff_t status_stride);
/* Writes the compact frame: 32 + 2 * len bytes. */
void codec_frame_write(uint8_t *frame, const uint8_t *payload, size_t len);

/* Each value / 10^18, correctly rounded (to nearest, ties to even). */
void codec_values_to_double(double *dst, const uint8_t *values, size_t n,
                            ptrdiff_t stride);

void codec_keccak256(uint8_t digest[32], const uint8_t *data, size_t len);

/* Instruction sets by name: `index` counts from the best this machine has to "scalar".
 */
const char *codec_isa_name(size_t index);
const char *codec_isa_selected(void);
/* 0, or -1 where the machine has no such set. Not while another thread decodes. */
int codec_isa_select(const char *name);

#endif
