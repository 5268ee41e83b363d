/* Reads an input as messages of the aggregator: in two ways, which must agree, and by
 * the authority on JSON, which must find the same faults of syntax. */
#include <stdio.h>
#include <stdlib.h>

#include "aggregator.h"
#include "invariants.h"

#define HOLDS(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
                    #condition);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

static const codec_error *errors_of(const codec_aggregator *out) {
    return (const codec_error *)(const void *)out->errors.data;
}

/* Reads all of the input. The memory of its copies ends where they do, so that a read
 * beyond is seen. */
static int input_read(codec_aggregator *out, unsigned mode, const uint8_t *input,
                      size_t len) {
    size_t room = len + CODEC_TEXT_PADDING;
    if (room < CODEC_MAP_MIN) {
        out->text = (codec_buffer){malloc(room), room};
        HOLDS(out->text.data);
    }
    int stop = !!(mode & MODE_STOP), status;
    const codec_span span = {input, len};
    if ((mode & MODE_FORM) == FORM_LINES)
        status = codec_aggregator_lines(out, input, len, stop);
    else
        status = codec_aggregator_spans(out, &span, 1, 0, stop);
    HOLDS(status >= 0 && (stop || status == 0));
    HOLDS(codec_aggregator_check(out) == 0);
    return status;
}

/* What JSON by itself says of a message: CODEC_ERROR_*, or 0. */
static int syntax_judge(const uint8_t *text, size_t len, size_t *at) {
    bool escaped;
    if (codec_utf8_check(text, len) < len)
        return CODEC_ERROR_INVALID_UTF8;
    *at = codec_json_space_skip(text, len, 0);
    if (*at == len)
        return CODEC_ERROR_EMPTY;
    if (text[*at] != '{')
        return CODEC_ERROR_INVALID_JSON;
    int status = codec_json_value_read(text, len, at, 0, &escaped);
    if (status)
        return status;
    *at = codec_json_space_skip(text, len, *at);
    return *at < len ? CODEC_ERROR_INVALID_JSON : 0;
}

static bool is_syntax(int code) {
    return code == CODEC_ERROR_EMPTY || code == CODEC_ERROR_INVALID_UTF8 ||
           code == CODEC_ERROR_INVALID_JSON || code == CODEC_ERROR_TOO_DEEP;
}

static void syntax_check(const codec_aggregator *out, const uint8_t *text, size_t len) {
    size_t at = 0;
    int status = syntax_judge(text, len, &at);
    const codec_error *errors = errors_of(out);
    if (!status) {
        /* A name may have half of a character by its escapes. */
        HOLDS(!out->n_errors || !is_syntax(errors[0].code) ||
              errors[0].code == CODEC_ERROR_INVALID_UTF8);
        return;
    }
    HOLDS(out->n_errors == 1 && out->n_messages == 0 && errors[0].code == status);
    HOLDS(!(status == CODEC_ERROR_INVALID_JSON || status == CODEC_ERROR_TOO_DEEP) ||
          errors[0].offset == at);
}

static void errors_check(const codec_aggregator *out, size_t len) {
    const codec_error *errors = errors_of(out);
    size_t n_here = 0;
    for (size_t i = 0; i < out->n_errors; i++) {
        HOLDS(errors[i].offset <= len);
        HOLDS(errors[i].code && errors[i].code <= CODEC_ERROR_TOO_LARGE);
        HOLDS(i == 0 || errors[i].index >= errors[i - 1].index);
        n_here = i && errors[i].index == errors[i - 1].index ? n_here + 1 : 1;
        HOLDS(n_here <= CODEC_FAULTS_MAX);
    }
}

/* Every reference leads to a row, and every row has one. */
static void rows_check(const codec_aggregator *out) {
    const codec_aggregator_message *messages =
        (const codec_aggregator_message *)(const void *)out->messages.data;
    const codec_aggregate *aggregates =
        (const codec_aggregate *)(const void *)out->aggregates.data;
    const codec_publisher_price *publishers =
        (const codec_publisher_price *)(const void *)out->publishers.data;
    size_t n_aggregates = 0, n_publishers = 0;
    uint64_t text_len = 0;
    for (size_t m = 0; m < out->n_messages; m++) {
        HOLDS(messages[m].text_offset == text_len);
        HOLDS(messages[m].first_aggregate == n_aggregates);
        text_len += messages[m].text_len;
        for (size_t k = 0; k < messages[m].aggregate_count; k++, n_aggregates++) {
            const codec_aggregate *row = aggregates + n_aggregates;
            HOLDS(row->message == m && row->symbol < out->symbols->n);
            HOLDS(row->first_publisher == n_publishers);
            for (size_t i = 0; i < row->publisher_count; i++, n_publishers++)
                HOLDS(publishers[n_publishers].aggregate == n_aggregates &&
                      publishers[n_publishers].symbol < out->symbols->n);
        }
    }
    HOLDS(n_aggregates == out->n_aggregates && n_publishers == out->n_publishers);
    HOLDS(text_len == out->text_len);
}

/* Every name is found under its index, and none is there twice. */
static void symbols_check(codec_symbols *symbols) {
    uint32_t index;
    for (size_t i = 0; i < symbols->n; i++) {
        codec_span name = codec_symbols_name(symbols, i);
        HOLDS(name.len <= CODEC_NAME_LEN_MAX);
        HOLDS(codec_symbols_find(symbols, name.data, name.len, &index) && index == i);
        HOLDS(codec_utf8_check(name.data, name.len) == name.len);
    }
    size_t n = symbols->n / 2, len = symbols->names_len;
    codec_symbols_truncate(symbols, symbols->n - n);
    HOLDS(symbols->names_len <= len);
    HOLDS(codec_symbols_add(symbols, (const uint8_t *)"another", 7, &index) == 0);
}

/* Signatures are taken each once, and what is said of them arrives. */
static void claims_check(codec_aggregator *out, unsigned mode) {
    size_t n = out->n_aggregates + out->n_publishers, n_checked = 0;
    size_t start = n > 3 ? (mode >> 2) % 3 : 0;
    codec_claims claims = {0};
    HOLDS(codec_claims_gather(&claims, out, start, n - start, 1 + mode % 3) == 0);
    HOLDS(claims.n <= n - start && claims.n_found == 0);
    for (size_t i = 0; i < claims.n; i++) {
        HOLDS(claims.rows[i] >= start && claims.rows[i] < n);
        claims.signers[i] = (codec_signer){.status = CODEC_ERROR_NO_POINT};
    }
    codec_claims_settle(&claims, out, NULL, 0);
    const codec_aggregate *aggregates =
        (const codec_aggregate *)(const void *)out->aggregates.data;
    for (size_t i = start; i < out->n_aggregates; i++) {
        HOLDS(aggregates[i].signature && !aggregates[i].verified);
        n_checked += aggregates[i].signature == CODEC_ERROR_NO_POINT;
    }
    HOLDS(n_checked <= claims.n);
    codec_claims_release(&claims);
}

static void same(codec_buffer a, codec_buffer b, size_t len) {
    HOLDS(len == 0 || memcmp(a.data, b.data, len) == 0);
}

static void results_same(const codec_aggregator *a, const codec_aggregator *b) {
    HOLDS(a->n_messages == b->n_messages && a->n_aggregates == b->n_aggregates);
    HOLDS(a->n_publishers == b->n_publishers && a->n_errors == b->n_errors);
    HOLDS(a->text_len == b->text_len && a->symbols->n == b->symbols->n);
    same(a->messages, b->messages, a->n_messages * sizeof(codec_aggregator_message));
    same(a->aggregates, b->aggregates, a->n_aggregates * sizeof(codec_aggregate));
    same(a->aggregate_signatures, b->aggregate_signatures,
         a->n_aggregates * sizeof(codec_aggregate_signature));
    same(a->publishers, b->publishers, a->n_publishers * sizeof(codec_publisher_price));
    same(a->publisher_signatures, b->publisher_signatures,
         a->n_publishers * sizeof(codec_publisher_signature));
    same(a->errors, b->errors, a->n_errors * sizeof(codec_error));
    same(a->text, b->text, a->text_len);
    same(a->symbols->names, b->symbols->names, a->symbols->names_len);
}

void aggregator_invariants_check(unsigned mode, const uint8_t *input, size_t len) {
    codec_symbols symbols = {.seed = 1}, other_symbols = {.seed = 0x9E37 * mode};
    codec_aggregator out = {.symbols = &symbols}, other = {.symbols = &other_symbols};
    size_t n_isas = 0;
    while (codec_isa_name(n_isas))
        n_isas++;
    HOLDS(codec_isa_select("scalar") == 0);
    int status = input_read(&out, mode, input, len);
    HOLDS(codec_isa_select(codec_isa_name((mode >> 2 & 3) % n_isas)) == 0);
    HOLDS(input_read(&other, mode, input, len) == status);
    results_same(&out, &other);
    if ((mode & MODE_FORM) != FORM_LINES)
        syntax_check(&out, input, len);
    errors_check(&out, len);
    rows_check(&out);
    claims_check(&out, mode);
    symbols_check(&symbols);
    codec_aggregator_release(&out);
    codec_aggregator_release(&other);
    codec_symbols_release(&symbols);
    codec_symbols_release(&other_symbols);
}
