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
    /* of signatures (docs/signatures.md) */
    CODEC_ERROR_UNSIGNED,
    CODEC_ERROR_INVALID_V,
    CODEC_ERROR_SCALAR_RANGE,
    CODEC_ERROR_HIGH_S,
    CODEC_ERROR_NO_POINT,
    CODEC_ERROR_WRONG_SIGNER,
    CODEC_ERROR_UNTRUSTED_SIGNER,
    /* of the aggregator's checks (docs/aggregator.md) */
    CODEC_ERROR_MISMATCH,
    CODEC_ERROR_UNSUPPORTED_SIGNATURE_TYPE,
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

/* Who signed a message; the address is zero where the status is not 0. */
typedef struct {
    uint8_t address[20];
    uint8_t status; /* 0 recovered, else CODEC_ERROR_UNSIGNED .. NO_POINT */
} codec_signer;

/* Memory that grows. `{NULL, 0}` is a valid empty one. Blocks of CODEC_MAP_MIN bytes
 * and more are page-aligned mappings, and a bounded stock of released ones is used
 * again. */
#define CODEC_MAP_MIN ((size_t)64 << 10)
typedef struct {
    uint8_t *data;
    size_t capacity;
} codec_buffer;

/* The columns that updates may come in: codec_value, then unsigned integers. */
enum {
    CODEC_COLUMN_VALUE,
    CODEC_COLUMN_TIMESTAMP,
    CODEC_COLUMN_TAXONOMY,
    CODEC_COLUMN_ASSET,
    CODEC_COLUMN_STATUS,
    CODEC_N_COLUMNS,
};
extern const uint8_t codec_column_widths[CODEC_N_COLUMNS]; /* bytes */

/* Where decoded messages go. Zero-initialise, then set `keep_payloads`, and `columnar`
 * where updates are wanted in `columns`: `updates` is only a window then, of rows that
 * codec_output_finish moves to theirs. The caller owns it and ends it with
 * codec_output_release. While `pinned` is set, a block that is outgrown is not freed
 * but kept in `retired`, because somebody still looks at it. */
typedef struct {
    codec_buffer updates, messages, payloads, errors, columns[CODEC_N_COLUMNS];
    size_t n_updates, n_messages, payloads_len, n_errors;
    size_t n_split;      /* rows that are in the columns */
    size_t columns_room; /* rows that they have room for */
    int keep_payloads, columnar, pinned;
    int wide; /* a value may exceed 38 digits, or a timestamp has its highest bit set */
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

/* Gives the memory back. */
void codec_buffer_release(codec_buffer *buffer);

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
/* Makes `out` (empty) the columns of n rows. */
int codec_output_split(codec_output *out, const codec_update *rows, size_t n);
/* The rows of a columnar result, padding zero. */
void codec_columns_join(codec_update *rows, const codec_output *from);
/* The receive times of n messages, once for each of their n_rows updates in all. */
void codec_receive_times(uint64_t *times, size_t n_rows, const codec_message *messages,
                         size_t n);
/* Sets marks[id] to 1 for each of n ids; `marks` are 65,536. */
void codec_marks_set(uint8_t *marks, const uint16_t *ids, size_t n);

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
/* The digests of n inputs, one behind the other: n * 32 bytes. */
void codec_keccak256_many(uint8_t *digests, const codec_span *data, size_t n);

/* libsecp256k1's functions, wherever they come from. They are called from several
 * threads at once; `context` may be the library's static one. Its opaque types are
 * CODEC_SECP256K1_*_LEN bytes each. */
#define CODEC_SECP256K1_SIGNATURE_LEN 65
#define CODEC_SECP256K1_KEY_LEN 64
typedef struct {
    const void *context;
    int (*signature_parse)(const void *context, void *signature, const uint8_t *rs,
                           int v);
    int (*recover)(const void *context, void *key, const void *signature,
                   const uint8_t *digest);
    int (*key_serialize)(const void *context, uint8_t *text, size_t *len,
                         const void *key, unsigned format);
} codec_secp256k1;

/* n things with a signature each. Messages with the arena of their payloads; or, where
 * `messages` is NULL, digests (32 bytes) and signatures (65), `*_stride` bytes apart,
 * whose v counts from `v_offset`. */
typedef struct {
    size_t n;
    const codec_message *messages;
    const uint8_t *arena;
    size_t arena_len;
    const uint8_t *digests, *signatures;
    ptrdiff_t digest_stride, signature_stride;
    uint8_t v_offset;
} codec_signed;

/* Judges n of the items from `start` on, as the chain does. */
void codec_signers_recover(const codec_secp256k1 *lib, const codec_signed *items,
                           size_t start, size_t n, codec_signer *signers);

/* The multiples of a base B that windows of `window` bits ask for: n_rows =
 * ceil(256 / window) rows of 2^(window - 1) points; entry j of row i is the affine
 * point (2 j + 1) * 2^(window * i) * (B / 2), where B / 2 = ((n + 1) / 2) B. A point is
 * eight words: x then y, each four 64-bit words, least significant first, fully
 * reduced. */
typedef struct {
    unsigned window, n_rows;
    uint64_t *points; /* aligned to 64 bytes */
} codec_points;

/* A table in memory of its own (`memory` starts empty): of the key x, y (big-endian), a
 * point of the curve, for windows of 2 to 16 bits. CODEC_NO_MEMORY, or 0. */
int codec_points_make(codec_points *table, codec_buffer *memory, unsigned window,
                      const uint8_t key[64]);
void codec_points_free(codec_buffer *memory);

/* A signer whose key is known: tables of the group's generator and of the key, of one
 * window. */
typedef struct {
    const codec_points *g, *q;
    uint8_t address[20];
} codec_known_key;

/* The ways of verifying by known keys that this machine has, best first; NULL behind
 * the last. */
const void *codec_known_path_at(size_t index, const char **name);

/* All of the items, by any number of threads. Results for each item: `signers`, and
 * whether its signer is among the addresses (20 bytes each, sorted); either may be
 * NULL, but `verified` only where no keys are known. Known keys, of signers among the
 * addresses, are tried by `path` before anything is recovered. `next` starts at 0. */
typedef struct {
    const codec_secp256k1 *lib;
    codec_signed items;
    codec_signer *signers;
    uint8_t *verified;
    const uint8_t *addresses;
    size_t n_addresses;
    const codec_known_key *known;
    size_t n_known;
    const void *path;
    size_t next;
} codec_recovery;

/* One worker's turn, about a millisecond for each block: returns 0 where nothing is
 * left to begin. What others have begun is done when they have returned. A worker's own
 * workspace has codec_recovery_workspace_len bytes, aligned to 64. */
int codec_recovery_work(codec_recovery *job, size_t n_blocks, void *workspace);
size_t codec_recovery_workspace_len(const codec_recovery *job);
/* Lets nobody begin another block. */
void codec_recovery_stop(codec_recovery *job);

/* Which byte of message i's payload a signature's fault is at. */
uint64_t codec_signature_offset(const codec_signed *items, size_t i, int code);

/* Removes the messages that are not `verified`, with all that is theirs in `out`,
 * `signers` and `verified`, and lists them among the errors. `out` holds all of an
 * input, whose index behind the last is the number of rows and errors. */
int codec_output_drop(codec_output *out, codec_signer *signers, uint8_t *verified);

/* Makes `out` (empty) a copy of those messages of `from` for which `keep` is not 0, and
 * of all its errors. Nobody else writes to `keep`; to the rows of `from` they may. */
int codec_output_select(codec_output *out, const codec_output *from,
                        const uint8_t *keep);

/* What each message's signature signs (zeros for an unsigned one): n * 32 bytes. */
void codec_messages_digest(uint8_t *digests, const codec_signed *items);
/* EIP-191's digest of each 32-byte hash. */
void codec_eip191_digest(uint8_t *digests, const uint8_t *hashes, ptrdiff_t stride,
                         size_t n);

/* Names of assets by index, in the order in which they came. Zero-initialise, then set
 * `seed` to something that nobody can guess. The caller owns it and lets one call at a
 * time use it. */
#define CODEC_SYMBOLS_MAX ((size_t)65536)
#define CODEC_SYMBOLS_LEN_MAX ((size_t)4 << 20)
#define CODEC_NAME_LEN_MAX 1024
typedef struct {
    uint64_t seed, serial;
    size_t n, names_len, n_slots, n_encoded;
    codec_buffer names, rows, slots, encoded;
} codec_symbols;

void codec_symbols_release(codec_symbols *symbols);
/* The index of a name of at most CODEC_NAME_LEN_MAX bytes, which is added where it is
 * new. CODEC_ERROR_TOO_LARGE where there is no room for it. */
int codec_symbols_add(codec_symbols *symbols, const uint8_t *name, size_t len,
                      uint32_t *index);
/* Whether a name is there. */
int codec_symbols_find(const codec_symbols *symbols, const uint8_t *name, size_t len,
                       uint32_t *index);
codec_span codec_symbols_name(const codec_symbols *symbols, size_t index);
/* Forgets all names but the first n. */
void codec_symbols_truncate(codec_symbols *symbols, size_t n);

/* Messages of the aggregator (docs/aggregator.md). */
typedef struct {
    uint64_t receive_ns; /* 0: unknown */
    uint64_t text_offset;
    uint32_t text_len;
    uint32_t first_aggregate;
    uint32_t aggregate_count;
    uint8_t padding[4];
} codec_aggregator_message;

enum { CODEC_SIGNATURE_EVM = 1, CODEC_SIGNATURE_STARK = 2, CODEC_OTHER = 255 };
enum { CODEC_TRIGGER_UNSPECIFIED, CODEC_TRIGGER_CLOCK, CODEC_TRIGGER_DELTA };

/* From `signature` to `consistency`: 0, or CODEC_ERROR_*. */
typedef struct {
    codec_value value;
    uint64_t timestamp_ns, outer_timestamp_ns;
    uint32_t message, symbol, first_publisher, publisher_count;
    uint8_t signer[20]; /* as claimed */
    uint8_t trigger, signature_type;
    uint8_t signature, msg_hash, encoded_asset_id, merkle_root, consistency;
    uint8_t verified;
    uint8_t padding[4];
} codec_aggregate;

/* Beside each aggregate. Fields stand right-aligned. */
typedef struct {
    uint8_t rsv[65];
    uint8_t public_key[32];
    uint8_t msg_hash[32];
    uint8_t encoded_asset_id[32];
    uint8_t publisher_merkle_root[32];
    uint8_t checksum[32];
    uint8_t digest[32]; /* what is signed */
} codec_aggregate_signature;

typedef struct {
    codec_value value;
    uint64_t timestamp_ns;
    uint32_t aggregate, symbol;
    uint8_t publisher[20]; /* as claimed */
    uint8_t signature_type;
    uint8_t signature, msg_hash;
    uint8_t verified;
    uint8_t padding[8];
} codec_publisher_price;

/* Beside each publisher's price. */
typedef struct {
    uint8_t rsv[65];
    uint8_t public_key[32];
    uint8_t msg_hash[32];
    uint8_t leaf[32];   /* the hash that is calculated here */
    uint8_t digest[32]; /* what is signed */
} codec_publisher_signature;

/* Where they go. Zero-initialise, then set `symbols`. The caller owns it. */
typedef struct {
    codec_symbols *symbols;
    codec_buffer messages, aggregates, aggregate_signatures, publishers,
        publisher_signatures, errors, text, scratch;
    size_t n_messages, n_aggregates, n_publishers, n_errors, text_len;
} codec_aggregator;

void codec_aggregator_release(codec_aggregator *out);
/* Gives back memory far beyond the results. */
void codec_aggregator_trim(codec_aggregator *out);
/* Reads texts, or the lines of one text, behind what `out` holds already; statuses and
 * hashes are not calculated yet. As codec_spans_decode and codec_lines_decode, but for
 * errors: an index has several where entries of its message were left out. */
int codec_aggregator_spans(codec_aggregator *out, const codec_span *spans, size_t n,
                           uint64_t first_index, int stop);
int codec_aggregator_lines(codec_aggregator *out, const uint8_t *text, size_t len,
                           int stop);
/* Calculates all hashes of what was read, and every status but `signature`, which is
 * not 0 where no signature can be checked. */
int codec_aggregator_check(codec_aggregator *out);

/* Signatures that each name their signer. */
typedef struct {
    const codec_secp256k1 *lib;
    const codec_known_key *known; /* sorted by address; NULL: none */
    size_t n_known;
    const void *path;
    /* made by codec_claims_gather */
    size_t n, n_blocks, next;
    size_t n_found; /* of known signers */
    codec_signed items;
    codec_buffer memory;
    uint8_t *digests, *signatures;
    uint32_t *rows, *keys, *blocks, *counts;
    codec_signer *signers;
} codec_claims;

/* Takes the signatures that can be checked of n rows from `start` on, aggregates before
 * publishers, those of one known signer together. The claims end with
 * codec_claims_release. `n_workers` is only a hint. */
int codec_claims_gather(codec_claims *claims, const codec_aggregator *from,
                        size_t start, size_t n, size_t n_workers);
void codec_claims_release(codec_claims *claims);
/* As codec_recovery_work. */
int codec_claims_work(codec_claims *claims, size_t n_blocks, void *workspace);
size_t codec_claims_workspace_len(const codec_claims *claims);
void codec_claims_stop(codec_claims *claims);
/* Writes `signature` and `verified`, and to `signers` who is not whom he claims to be.
 * `trusted`: sorted addresses that aggregates may be
 * signed by; NULL: by anybody. */
void codec_claims_settle(codec_claims *claims, codec_aggregator *to,
                         const uint8_t *trusted, size_t n_trusted);

/* What is noticed in a stream of messages (docs/feeds.md, "Checks"). */
enum {
    CODEC_NOTICE_GAP = 1,
    CODEC_NOTICE_BACKWARDS,
    CODEC_NOTICE_FUTURE,
    CODEC_NOTICE_TAXONOMY_CHANGE,
    CODEC_NOTICE_DUPLICATE_ASSET,
    CODEC_NOTICE_KINDS, /* one more than there are */
};
#define CODEC_DUPLICATES_MAX 16 /* notices of repeated assets for one message */
#define CODEC_AGE_BUCKETS 976

typedef struct {
    uint64_t message; /* its row in the batch */
    uint64_t timestamp_ns;
    uint64_t amount;
    uint16_t taxonomy_id;
    uint16_t asset_id; /* of CODEC_NOTICE_DUPLICATE_ASSET, else 0 */
    uint8_t kind;
    uint8_t padding[3];
} codec_notice;

/* What a stream has been like so far; a megabyte. The caller owns it. Zero-initialise,
 * then set `ahead_ns`, `period_ns` (0: gaps are not looked for), and the taxonomy if
 * one is expected. */
typedef struct {
    uint64_t period_ns, ahead_ns;
    uint64_t newest_ns, previous_ns; /* with `has_clock` */
    uint64_t missing;                /* ticks, at most UINT64_MAX */
    uint64_t marked;
    int has_clock, has_taxonomy;
    uint16_t taxonomy_id;
    uint64_t counts[CODEC_NOTICE_KINDS]; /* of each kind, told or not */
    uint64_t ages[CODEC_AGE_BUCKETS];
    uint64_t last_seen_ns[65536];
    uint64_t marks[65536];
} codec_monitor;

/* Takes the messages of a batch in; what is noticed goes to `notices`, which the caller
 * owns, from its start. CODEC_NO_MEMORY after as many messages as there was memory for.
 * Another thread may write to the batch's rows. */
int codec_monitor_observe(codec_monitor *monitor, const codec_output *batch,
                          codec_buffer *notices, size_t *n_notices);

/* Instruction sets by name: `index` counts from the best this machine has to "scalar".
 */
const char *codec_isa_name(size_t index);
const char *codec_isa_selected(void);
/* 0, or -1 where the machine has no such set. Not while another thread decodes. */
int codec_isa_select(const char *name);

#endif
