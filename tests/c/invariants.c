/* Decodes an input in two ways and compares; takes the result apart and packs it again.
 */
#include "invariants.h"

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#define REPEATS 5 /* of a FORM_TEXTS input */

#define HOLDS(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
                    #condition);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

static void isa_select(unsigned index) {
    size_t n = 0;
    while (codec_isa_name(n))
        n++;
    HOLDS(codec_isa_select(codec_isa_name(index % n)) == 0);
}

/* An output with the mode's settings. Streaming wants memory aligned to cache lines,
 * which codec_output_expect otherwise sees to. */
static codec_output output_new(unsigned mode) {
    codec_output out = {.keep_payloads = !!(mode & MODE_KEEP)};
    if (mode & MODE_STREAM) {
        HOLDS(!codec_buffer_reserve(&out.updates, 0, CODEC_MAP_MIN));
        HOLDS(!codec_buffer_reserve(&out.payloads, 0, CODEC_MAP_MIN));
        HOLDS(!codec_buffer_reserve(&out.stage, 0, CODEC_MAP_MIN));
        out.stream = 1;
    }
    out.pinned = !!(mode & MODE_PINNED);
    return out;
}

/* The receive time by its rule: one to twenty digits and a space. */
static int naive_receive_time(const uint8_t *line, size_t n, uint64_t *receive_ns,
                              size_t *prefix) {
    unsigned __int128 sum = 0;
    size_t i = 0;
    *prefix = 0;
    *receive_ns = 0;
    for (; i < n && i < 21 && line[i] >= '0' && line[i] <= '9'; i++)
        sum = sum * 10 + (line[i] - '0');
    if (i == 0 || i > 20 || i == n || line[i] != ' ')
        return 0;
    *prefix = i + 1;
    *receive_ns = (uint64_t)sum;
    return (line[0] == '0' && i > 1) || sum > UINT64_MAX
               ? CODEC_ERROR_INVALID_RECEIVE_TIME
               : 0;
}

static int slow_text(codec_output *out, const uint8_t *text, size_t len,
                     uint64_t receive_ns, uint64_t index, int stop) {
    uint64_t offset = 0;
    int status = codec_text_append_general(out, text, len, receive_ns, &offset);
    if (status)
        HOLDS(!codec_error_append(out, index, offset, status));
    return stop ? status : 0;
}

static int slow_lines(codec_output *out, const uint8_t *text, size_t len, int stop,
                      uint64_t *n_messages) {
    int status = 0;
    for (size_t at = 0; at < len && !status; ++*n_messages) {
        const uint8_t *line = text + at;
        size_t n = 0, prefix;
        while (n < len - at && line[n] != '\n')
            n++;
        uint64_t receive_ns;
        int fault = naive_receive_time(line, n, &receive_ns, &prefix);
        if (fault) {
            HOLDS(!codec_error_append(out, *n_messages, 0, fault));
            status = stop ? fault : 0;
        } else {
            status = slow_text(out, line + prefix, n - prefix, receive_ns, *n_messages,
                               stop);
        }
        at += n + 1;
    }
    return status;
}

static int slow_decode(codec_output *out, unsigned mode, const uint8_t *input,
                       size_t len, uint64_t *n_messages) {
    int stop = !!(mode & MODE_STOP), status = 0;
    *n_messages = 0;
    if ((mode & MODE_FORM) == FORM_LINES)
        return slow_lines(out, input, len, stop, n_messages);
    if ((mode & MODE_FORM) == FORM_BINARY) {
        const codec_span span = {input, len};
        *n_messages = 1;
        return codec_spans_decode(out, &span, 1, CODEC_BINARY, 0, stop);
    }
    uint64_t n = (mode & MODE_FORM) == FORM_TEXTS ? REPEATS : 1;
    for (; *n_messages < n && !status; ++*n_messages)
        status = slow_text(out, input, len, 0, *n_messages, stop);
    return status;
}

static int fast_decode(codec_output *out, unsigned mode, const uint8_t *input,
                       size_t len) {
    int stop = !!(mode & MODE_STOP), status;
    unsigned form = mode & MODE_FORM;
    uint64_t n_lines;
    if (form == FORM_LINES) {
        status = codec_lines_decode(out, input, len, stop, &n_lines);
        HOLDS(status || n_lines == out->n_messages + out->n_errors);
    } else {
        codec_span spans[REPEATS];
        for (int i = 0; i < REPEATS; i++)
            spans[i] = (codec_span){input, len};
        status = codec_spans_decode(out, spans, form == FORM_TEXTS ? REPEATS : 1,
                                    form == FORM_BINARY ? CODEC_BINARY : CODEC_TEXT, 0,
                                    stop);
    }
    codec_output_finish(out);
    return status;
}

static void same(codec_buffer a, codec_buffer b, size_t n) {
    HOLDS(n == 0 || memcmp(a.data, b.data, n) == 0);
}

static void errors_check(const codec_output *out, size_t len, uint64_t n_messages) {
    const codec_error *errors = (const codec_error *)(const void *)out->errors.data;
    for (size_t i = 0; i < out->n_errors; i++) {
        HOLDS(errors[i].index < n_messages);
        HOLDS(i == 0 || errors[i].index > errors[i - 1].index);
        HOLDS(errors[i].offset <= len);
        HOLDS(errors[i].code >= CODEC_ERROR_EMPTY &&
              errors[i].code <= CODEC_ERROR_TOO_LARGE);
    }
}

static void message_pack(uint8_t *payload, const codec_message *message,
                         const codec_update *rows, int with_status) {
    codec_payload_pack(payload, message->update_count, message->timestamp_ns,
                       message->taxonomy_id, (const uint8_t *)&rows->asset_id,
                       sizeof *rows, (const uint8_t *)rows, sizeof *rows,
                       with_status ? &rows->market_status : NULL, sizeof *rows);
}

/* The compact frame of a payload gives the same rows. */
static void frame_check(const uint8_t *payload, const codec_message *message,
                        const codec_update *rows) {
    size_t n = message->payload_len, len = 32 + 2 * n;
    uint8_t *frame = malloc(len);
    HOLDS(frame);
    codec_frame_write(frame, payload, n);
    codec_output out = {.keep_payloads = 1};
    HOLDS(!codec_text_append_compact(&out, frame, len, 0, NULL));
    HOLDS(out.n_messages == 1 && out.n_updates == message->update_count);
    HOLDS(out.payloads_len == n && memcmp(out.payloads.data, payload, n) == 0);
    HOLDS(memcmp(out.updates.data, rows, out.n_updates * sizeof *rows) == 0);
    codec_output_release(&out);
    free(frame);
}

/* A kept payload is what its rows pack to. */
static void payload_check(const uint8_t *payload, const codec_message *message,
                          const codec_update *rows) {
    int with_status = message->layout == 2;
    size_t n = message->payload_len;
    if (with_status && !(payload[68] & 2))
        return; /* the layout's form without a status is never written */
    HOLDS(n == codec_payload_len(message->update_count, with_status));
    uint8_t *packed = malloc(n);
    HOLDS(packed);
    message_pack(packed, message, rows, with_status);
    HOLDS(memcmp(packed + CODEC_SIGNATURE_LEN, payload + CODEC_SIGNATURE_LEN,
                 n - CODEC_SIGNATURE_LEN) == 0);
    free(packed);
    if (n < 2000)
        frame_check(payload, message, rows);
}

static void messages_check(const codec_output *out) {
    const codec_message *messages =
        (const codec_message *)(const void *)out->messages.data;
    static const codec_update none; /* an address where nothing has any updates */
    const codec_update *updates = (const codec_update *)(const void *)out->updates.data;
    if (!updates)
        updates = &none;
    uint64_t first_update = 0, payload_offset = 0;
    for (size_t i = 0; i < out->n_messages; i++) {
        const codec_message *m = &messages[i];
        HOLDS(m->first_update == first_update);
        HOLDS(m->kind == (m->layout != 0) && m->layout <= 2);
        first_update += m->update_count;
        for (uint64_t k = m->first_update; k < first_update; k++) {
            HOLDS(updates[k].timestamp_ns == m->timestamp_ns);
            HOLDS(updates[k].taxonomy_id == m->taxonomy_id);
            HOLDS(m->layout != 1 || updates[k].market_status == 255);
            HOLDS(!updates[k].padding[0] && !updates[k].padding[1] &&
                  !updates[k].padding[2]);
        }
        HOLDS(m->kind || (m->payload_len == 0 && m->payload_offset == 0));
        if (!m->kind || !out->keep_payloads)
            continue;
        HOLDS(m->payload_offset == payload_offset);
        payload_offset += m->payload_len;
        payload_check(out->payloads.data + m->payload_offset, m,
                      updates + m->first_update);
    }
    HOLDS(first_update == out->n_updates && payload_offset == out->payloads_len);
}

/* Every other message makes a result of its own. */
static void select_check(const codec_output *out) {
    uint8_t *keep = malloc(out->n_messages + 1);
    HOLDS(keep);
    for (size_t i = 0; i < out->n_messages; i++)
        keep[i] = i & 1;
    codec_output chosen = {0};
    HOLDS(!codec_output_select(&chosen, out, keep));
    HOLDS(chosen.n_messages == out->n_messages / 2);
    HOLDS(chosen.n_errors == out->n_errors);
    messages_check(&chosen);
    codec_output_release(&chosen);
    free(keep);
}

/* Converting is defined for every value. */
static void values_check(const codec_output *out) {
    for (size_t i = 0; i < out->n_updates; i++) {
        double x;
        const uint8_t *value = out->updates.data + i * sizeof(codec_update);
        codec_values_to_double(&x, value, 1, sizeof(codec_update));
        HOLDS(x > -2e20 && x < 2e20);
    }
}

/* The columns of a result are those of its rows. */
static void columns_same(const codec_output *columnar, const codec_output *rows) {
    HOLDS(columnar->n_updates == rows->n_updates);
    HOLDS(columnar->n_split == columnar->n_updates);
    HOLDS(columnar->n_messages == rows->n_messages);
    same(columnar->messages, rows->messages, rows->n_messages * sizeof(codec_message));
    same(columnar->payloads, rows->payloads, rows->payloads_len);
    codec_update *joined = malloc((rows->n_updates + 1) * sizeof *joined);
    HOLDS(joined);
    codec_columns_join(joined, columnar);
    HOLDS(!rows->n_updates ||
          !memcmp(joined, rows->updates.data, rows->n_updates * sizeof(codec_update)));
    free(joined);
}

/* Decoded into columns, split into columns, chosen from columns. */
static void columns_check(unsigned mode, const uint8_t *input, size_t len,
                          const codec_output *rows) {
    codec_output columnar = output_new(mode);
    columnar.columnar = 1;
    if (mode & MODE_STREAM)
        for (int i = 0; i < CODEC_N_COLUMNS; i++)
            HOLDS(!codec_buffer_reserve(&columnar.columns[i], 0, CODEC_MAP_MIN));
    HOLDS(fast_decode(&columnar, mode, input, len) >= 0);
    columns_same(&columnar, rows);

    uint8_t *keep = malloc(rows->n_messages + 1);
    HOLDS(keep);
    for (size_t i = 0; i < rows->n_messages; i++)
        keep[i] = i % 3 != 1;
    codec_output chosen = {0}, chosen_rows = {0};
    HOLDS(!codec_output_select(&chosen, &columnar, keep));
    HOLDS(!codec_output_select(&chosen_rows, rows, keep));
    columns_same(&chosen, &chosen_rows);
    free(keep);
    codec_output_release(&chosen);
    codec_output_release(&chosen_rows);

    codec_output split = {0};
    if (rows->n_updates) {
        const codec_update *updates =
            (const codec_update *)(const void *)rows->updates.data;
        HOLDS(!codec_output_split(&split, updates, rows->n_updates));
        HOLDS(split.wide == columnar.wide);
        for (int i = 0; i < CODEC_N_COLUMNS; i++)
            same(split.columns[i], columnar.columns[i],
                 rows->n_updates * codec_column_widths[i]);
    }
    codec_output_release(&split);
    codec_output_release(&columnar);
}

void invariants_check(unsigned mode, const uint8_t *input, size_t len) {
    codec_output slow = output_new(mode & MODE_KEEP), fast = output_new(mode);
    uint64_t n_messages;
    HOLDS(!codec_isa_select("scalar"));
    int slow_status = slow_decode(&slow, mode, input, len, &n_messages);
    isa_select((mode & MODE_ISA) >> 2);
    int fast_status = fast_decode(&fast, mode, input, len);

    HOLDS(slow_status == fast_status && slow_status >= 0);
    HOLDS(slow.n_updates == fast.n_updates && slow.n_messages == fast.n_messages);
    HOLDS(slow.payloads_len == fast.payloads_len && slow.n_errors == fast.n_errors);
    HOLDS(slow.n_messages + slow.n_errors == n_messages);
    same(slow.updates, fast.updates, slow.n_updates * sizeof(codec_update));
    same(slow.messages, fast.messages, slow.n_messages * sizeof(codec_message));
    same(slow.payloads, fast.payloads, slow.payloads_len);
    same(slow.errors, fast.errors, slow.n_errors * sizeof(codec_error));
    errors_check(&fast, len, n_messages);
    messages_check(&fast);
    select_check(&fast);
    values_check(&fast);
    columns_check(mode, input, len, &slow);

    codec_output copy = {0};
    HOLDS(!codec_output_copy(&copy, &fast));
    same(copy.updates, slow.updates, slow.n_updates * sizeof(codec_update));
    codec_output_release(&copy);
    codec_output_release(&slow);
    codec_output_release(&fast);
}
