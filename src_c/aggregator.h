/* What reading the aggregator's messages is made of: a cursor, and values of all kinds.
 *
 * A text is read from a copy of our own, behind which CODEC_TEXT_PADDING zeros stand: a
 * NUL ends every reader, since no JSON text goes on with one, and what is looked at in
 * advance is still memory of ours. */
#ifndef CODEC_AGGREGATOR_H
#define CODEC_AGGREGATOR_H

#include "symbols.h"

#define CODEC_TEXT_PADDING 128
#define CODEC_FAULTS_MAX 16 /* entries at fault that a message may have */

typedef struct {
    int code; /* 0: none */
    size_t offset;
} codec_fault;

/* The first faults of one entry. Those of hex fields count for evm alone. */
typedef struct {
    codec_fault fault, hex;
} codec_entry_faults;

typedef struct {
    const uint8_t *text;
    size_t len, at;
    int status; /* what ended the reading at `at`: CODEC_ERROR_*, CODEC_NO_MEMORY */
    codec_aggregator *out;
    codec_entry_faults *faults; /* of the entry, or of the message itself */
    size_t n_faults;            /* entries that were left out */
    uint64_t index;             /* of the message */
} codec_reader;

static inline bool reader_stop(codec_reader *r, int status, size_t at) {
    r->status = status;
    r->at = at;
    return false;
}

static inline void fault_keep(codec_fault *fault, int code, size_t offset) {
    if (!fault->code)
        *fault = (codec_fault){code, offset};
}

static inline void entry_fault(codec_reader *r, int code, size_t offset) {
    fault_keep(&r->faults->fault, code, offset);
}

static inline uint8_t reader_peek(const codec_reader *r) { return r->text[r->at]; }

static inline void reader_space_skip(codec_reader *r) {
    if (CODEC_UNLIKELY(reader_peek(r) <= ' '))
        r->at = codec_json_space_skip(r->text, r->len, r->at);
}

/* A key as it mostly stands in a text: with its quotes and the colon. */
typedef struct {
    uint8_t text[30];
    uint8_t len;
} codec_key;
#define KEY(name) {"\"" name "\":", sizeof name + 2}

/* A walk through an object; zero-initialise, then set keys and their number. */
typedef struct {
    const codec_key *keys;
    unsigned n_keys, expected, seen; /* a bit for each key */
    size_t start, key_start;
    bool begun;
} codec_members;

#define MEMBER_END (-1)
#define MEMBER_OTHER (-2)
#define MEMBER_STOP (-3) /* r->status says why */

/* The next member: which of the keys, MEMBER_OTHER for any other and for one that
 * stands a second time, which is a fault of the entry where there is one. The reader is
 * at the value then; at the first call it is at the object's `{`. */
int codec_member_next(codec_reader *r, codec_members *members);

/* Any value, by the authority on JSON. */
bool codec_any_read(codec_reader *r, int depth, codec_json_value *value);

/* A string, from the quote that the reader is at. */
static inline bool string_read(codec_reader *r, codec_json_value *string) {
    const uint8_t *text = r->text;
    size_t at = r->at + 1;
    while (text[at] >= ' ' && text[at] != '"' && text[at] != '\\')
        at++;
    if (CODEC_UNLIKELY(text[at] != '"'))
        return codec_any_read(r, 0, string);
    *string = (codec_json_value){.start = r->at, .end = at + 1};
    r->at = at + 1;
    return true;
}

static inline int reader_hex_value(uint8_t c) {
    if ((uint8_t)(c - '0') <= 9)
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next member of an object whose keys are names: false at its end and where the
 * text ends. */
bool codec_name_next(codec_reader *r, codec_members *members, codec_json_value *key);

/* Values. Each reader returns false where the text ends; a value of a wrong kind, or a
 * wrong number, is a fault of the entry. `depth` counts the levels around it. */
bool codec_value_skip(codec_reader *r, int depth);
/* Skips a value of the wrong kind, which is a fault of the entry. */
bool codec_value_refuse(codec_reader *r, int depth);
bool codec_time_read(codec_reader *r, int depth, uint64_t *time_ns);
bool codec_price_read(codec_reader *r, int depth, codec_value *price);
/* A string that may be one of a few; its bytes with escapes resolved. */
bool codec_word_read(codec_reader *r, int depth, uint8_t word[16], size_t *len);
/* A name: where it lies (in the text, or in out->scratch). `name->data` is NULL where
 * it is none. */
bool codec_name_read(codec_reader *r, int depth, codec_span *name);
/* The same of a string that has been read, from its first quote to the last: a code. */
int codec_name_take(codec_reader *r, codec_json_value string, codec_span *name);
/* A hex field of n bytes, to the end of `room` bytes at dst, which are zero. */
enum { HEX_PREFIX, HEX_ANY };
bool codec_hex_read(codec_reader *r, int depth, uint8_t *dst, size_t room, size_t n,
                    int form);

static inline bool reader_is_null(codec_reader *r) {
    if (memcmp(r->text + r->at, "null", 4) != 0)
        return false;
    r->at += 4;
    return true;
}

/* Room for one more item behind n of them, all zero. NULL: no memory. */
void *codec_row_new(codec_buffer *buffer, size_t n, size_t item_len);

/* What is taken of an object: its keys, and those that it needs (a bit for each); where
 * `needed_hex` are missing, that is the fault of a hex field. */
typedef struct {
    codec_key keys[8];
    unsigned n_keys, needed, needed_hex;
} codec_object;

/* Reads one member, whose key is number `key`; false where the text ends. */
typedef bool codec_member_reader(codec_reader *r, int depth, int key, void *context);

/* The object that is to be here; anything else is a fault of the entry. `depth` counts
 * the levels around it, for `take` one more. */
static inline __attribute__((always_inline)) bool
object_read(codec_reader *r, int depth, const codec_object *object,
            codec_member_reader *take, void *context) {
    codec_members members = {.keys = object->keys, .n_keys = object->n_keys};
    if (CODEC_UNLIKELY(reader_peek(r) != '{'))
        return codec_value_refuse(r, depth);
    for (;;) {
        int key = codec_member_next(r, &members);
        if (key == MEMBER_END)
            break;
        if (key == MEMBER_STOP ||
            !(key == MEMBER_OTHER ? codec_value_skip(r, depth + 1)
                                  : take(r, depth + 1, key, context)))
            return false;
    }
    if ((members.seen & object->needed) != object->needed)
        entry_fault(r, CODEC_ERROR_MISSING_FIELD, members.start);
    if ((members.seen & object->needed_hex) != object->needed_hex)
        fault_keep(&r->faults->hex, CODEC_ERROR_MISSING_FIELD, members.start);
    return true;
}

/* aggregator_signed.c: a timestamped_signature. What is read goes where it says. */
typedef struct {
    uint8_t *rsv, *hash;
    uint64_t *time_ns;
    bool has_hash;
} codec_stamped;
bool codec_stamped_read(codec_reader *r, int depth, codec_stamped *stamped);
/* A signature_type: CODEC_SIGNATURE_*, or CODEC_OTHER. */
bool codec_type_read(codec_reader *r, int depth, uint8_t *type);

/* A stork_signed_price, which may be null. */
typedef struct {
    codec_aggregate_signature *row;
    codec_value price;
    uint64_t time_ns;
    bool is_there, has_hash;
} codec_stork;
bool codec_stork_read(codec_reader *r, int depth, codec_stork *stork);

/* aggregator_publishers.c: signed_prices, which may be null. */
typedef struct {
    uint32_t symbol;      /* of the entry */
    bool has_bad;         /* one that could not be read */
    bool has_unsupported; /* one that is not evm */
} codec_publishers;
bool codec_publishers_read(codec_reader *r, int depth, codec_publishers *publishers);
/* Whether a name is the one with that index. */
bool codec_name_is(const codec_symbols *symbols, uint32_t symbol, codec_span name);
/* What is wrong with an entry, now that its type is known. */
codec_fault codec_entry_judge(const codec_entry_faults *faults, uint8_t type);

/* aggregator_entries.c: the members of `data`, at its `{`. */
bool codec_entries_read(codec_reader *r);

/* aggregator.c: notes an entry that was left out; forgets all but the first n. Of more
 * than CODEC_FAULTS_MAX only the number is kept. */
bool codec_entry_refuse(codec_reader *r, codec_fault fault);
void codec_faults_truncate(codec_reader *r, size_t n);

#endif
