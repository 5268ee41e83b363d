/* Messages of the aggregator into rows, as docs/aggregator.md has it. */
#include "aggregator.h"

/* What a message found in `out`, and leaves there where it is refused. */
typedef struct {
    size_t n_aggregates, n_publishers, n_errors, n_symbols;
} state;

enum { TYPE, DATA, N_FRAME_KEYS };
static const codec_key frame_keys[N_FRAME_KEYS] = {KEY("type"), KEY("data")};

bool codec_entry_refuse(codec_reader *r, codec_fault fault) {
    codec_aggregator *out = r->out;
    if (r->n_faults++ > CODEC_FAULTS_MAX)
        return true;
    size_t used = out->n_errors * sizeof(codec_error);
    if (codec_buffer_reserve(&out->errors, used, used + sizeof(codec_error)))
        return reader_stop(r, CODEC_NO_MEMORY, r->at);
    codec_error error = {
        .index = r->index, .offset = fault.offset, .code = (uint16_t)fault.code};
    memcpy(out->errors.data + used, &error, sizeof error);
    out->n_errors++;
    return true;
}

void codec_faults_truncate(codec_reader *r, size_t n) {
    while (r->n_faults > n) {
        if (--r->n_faults <= CODEC_FAULTS_MAX)
            r->out->n_errors--;
    }
}

/* The frame's members, and what is wrong with them in the order that counts. */
static bool frame_read(codec_reader *r, codec_fault *fault) {
    codec_members members = {.keys = frame_keys, .n_keys = N_FRAME_KEYS};
    codec_fault of_type = {0}, of_data = {0};
    uint8_t word[16];
    size_t n;
    for (;;) {
        size_t start;
        switch (codec_member_next(r, &members)) {
        case TYPE:
            start = r->at;
            if (reader_peek(r) != '"')
                of_type.code = CODEC_ERROR_WRONG_TYPE;
            if (of_type.code ? !codec_value_skip(r, 1)
                             : !codec_word_read(r, 1, word, &n))
                return false;
            if (!of_type.code && (n != 13 || memcmp(word, "oracle_prices", 13) != 0))
                of_type.code = CODEC_ERROR_NOT_DATA;
            of_type.offset = start;
            break;
        case DATA:
            start = r->at;
            if (reader_peek(r) != '{')
                of_data = (codec_fault){CODEC_ERROR_WRONG_TYPE, start};
            if (of_data.code ? !codec_value_skip(r, 1) : !codec_entries_read(r))
                return false;
            break;
        case MEMBER_OTHER:
            if (!codec_value_skip(r, 1))
                return false;
            break;
        case MEMBER_END:
            *fault = r->faults->fault; /* a key that stands twice */
            if (!(members.seen & 1U << TYPE))
                fault_keep(fault, CODEC_ERROR_NOT_DATA, members.start);
            if (of_type.code)
                fault_keep(fault, of_type.code, of_type.offset);
            if (!(members.seen & 1U << DATA))
                fault_keep(fault, CODEC_ERROR_MISSING_FIELD, members.start);
            if (of_data.code)
                fault_keep(fault, of_data.code, of_data.offset);
            return true;
        default:
            return false;
        }
    }
}

/* All of a text. Returns its fault's code, or CODEC_NO_MEMORY. */
static int text_read(codec_reader *r, size_t *offset) {
    codec_entry_faults faults = {0};
    codec_fault fault = {0};
    *offset = codec_utf8_check(r->text, r->len);
    if (*offset < r->len)
        return CODEC_ERROR_INVALID_UTF8;
    *offset = 0;
    reader_space_skip(r);
    if (r->at == r->len)
        return CODEC_ERROR_EMPTY;
    r->faults = &faults;
    if (reader_peek(r) != '{')
        reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
    else if (frame_read(r, &fault)) {
        reader_space_skip(r);
        if (r->at < r->len)
            reader_stop(r, CODEC_ERROR_INVALID_JSON, r->at);
    }
    *offset = r->at;
    if (r->status)
        return r->status;
    *offset = fault.offset;
    return fault.code;
}

/* Takes the copy that a message is read from. */
static int text_copy(codec_aggregator *out, const uint8_t *text, size_t len) {
    if (codec_buffer_reserve(&out->text, out->text_len,
                             out->text_len + len + CODEC_TEXT_PADDING))
        return CODEC_NO_MEMORY;
    uint8_t *copy = out->text.data + out->text_len;
    if (len)
        memcpy(copy, text, len);
    memset(copy + len, 0, CODEC_TEXT_PADDING);
    return 0;
}

static int message_append(codec_aggregator *out, size_t len, uint64_t receive_ns) {
    size_t n = out->n_messages;
    codec_aggregator_message *rows;
    if (n >= UINT32_MAX ||
        codec_buffer_reserve(&out->messages, n * sizeof *rows, (n + 1) * sizeof *rows))
        return CODEC_NO_MEMORY;
    rows = (codec_aggregator_message *)(void *)out->messages.data;
    size_t first = n ? rows[n - 1].first_aggregate + rows[n - 1].aggregate_count : 0;
    rows[n] = (codec_aggregator_message){
        .receive_ns = receive_ns,
        .text_offset = out->text_len,
        .text_len = (uint32_t)len,
        .first_aggregate = (uint32_t)first,
        .aggregate_count = (uint32_t)(out->n_aggregates - first),
    };
    out->text_len += len;
    out->n_messages++;
    return 0;
}

/* One message. Notes its faults; returns 0, the first one's code where `stop` is set,
 * or CODEC_NO_MEMORY. */
static int text_append(codec_aggregator *out, const uint8_t *text, size_t len,
                       uint64_t receive_ns, uint64_t index, int stop) {
    const state before = {out->n_aggregates, out->n_publishers, out->n_errors,
                          out->symbols->n};
    codec_reader r = {.len = len, .out = out, .index = index};
    size_t offset = 0;
    int status = CODEC_ERROR_TOO_LARGE;
    if (len <= UINT32_MAX) {
        if (text_copy(out, text, len))
            return CODEC_NO_MEMORY;
        r.text = out->text.data + out->text_len;
        status = text_read(&r, &offset);
        const codec_error *first = (const codec_error *)(void *)out->errors.data;
        if (status == 0 && r.n_faults > CODEC_FAULTS_MAX) {
            status = first[before.n_errors].code;
            offset = first[before.n_errors].offset;
        }
    }
    if (status == 0) {
        status = message_append(out, len, receive_ns);
        if (status == 0 && r.n_faults && stop)
            status = ((const codec_error *)(void *)out->errors.data)[0].code;
        return status;
    }
    out->n_aggregates = before.n_aggregates;
    out->n_publishers = before.n_publishers;
    out->n_errors = before.n_errors;
    codec_symbols_truncate(out->symbols, before.n_symbols);
    if (status < 0)
        return status;
    r.n_faults = 0;
    if (!codec_entry_refuse(&r, (codec_fault){status, offset}))
        return CODEC_NO_MEMORY;
    return stop ? status : 0;
}

int codec_aggregator_spans(codec_aggregator *out, const codec_span *spans, size_t n,
                           uint64_t first_index, int stop) {
    for (size_t i = 0; i < n; i++) {
        int status;
        if (spans[i].data) {
            status =
                text_append(out, spans[i].data, spans[i].len, 0, first_index + i, stop);
        } else {
            codec_reader r = {.out = out, .index = first_index + i};
            status = (int)(spans[i].len & 0xFF);
            if (!codec_entry_refuse(&r, (codec_fault){status, spans[i].len >> 8}))
                return CODEC_NO_MEMORY;
            status = stop ? status : 0;
        }
        if (status)
            return status;
    }
    return 0;
}

int codec_aggregator_lines(codec_aggregator *out, const uint8_t *text, size_t len,
                           int stop) {
    uint64_t index = 0, receive_ns;
    size_t n, prefix;
    /* All copies, so that none moves the others. */
    if (codec_buffer_reserve(&out->text, out->text_len,
                             out->text_len + len + CODEC_TEXT_PADDING))
        return CODEC_NO_MEMORY;
    for (size_t at = 0; at < len; at += n + 1, index++) {
        const uint8_t *line = text + at;
        n = codec_line_len(line, len - at);
        int status = codec_receive_time_read(line, n, &receive_ns, &prefix);
        if (status == 0) {
            status =
                text_append(out, line + prefix, n - prefix, receive_ns, index, stop);
        } else {
            codec_reader r = {.out = out, .index = index};
            if (!codec_entry_refuse(&r, (codec_fault){status, 0}))
                return CODEC_NO_MEMORY;
            status = stop ? status : 0;
        }
        if (status)
            return status;
    }
    return 0;
}

void codec_aggregator_trim(codec_aggregator *out) {
    codec_buffer_release(&out->scratch);
    codec_buffer_trim(&out->messages,
                      out->n_messages * sizeof(codec_aggregator_message));
    codec_buffer_trim(&out->aggregates, out->n_aggregates * sizeof(codec_aggregate));
    codec_buffer_trim(&out->aggregate_signatures,
                      out->n_aggregates * sizeof(codec_aggregate_signature));
    codec_buffer_trim(&out->publishers,
                      out->n_publishers * sizeof(codec_publisher_price));
    codec_buffer_trim(&out->publisher_signatures,
                      out->n_publishers * sizeof(codec_publisher_signature));
    codec_buffer_trim(&out->text, out->text_len);
}

void codec_aggregator_release(codec_aggregator *out) {
    codec_buffer *const buffers[] = {&out->messages,
                                     &out->aggregates,
                                     &out->aggregate_signatures,
                                     &out->publishers,
                                     &out->publisher_signatures,
                                     &out->errors,
                                     &out->text,
                                     &out->scratch};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        codec_buffer_release(buffers[i]);
}
