/* Rows into columns, as Arrow and others keep them.
 *
 * A columnar output decodes into a short window of rows, which stays in the first-level
 * cache, and empties it into the columns by runs of SPLIT_UNIT rows, so that what goes
 * around the caches is always whole 64-byte lines. */
#include "internal.h"

#define SPLIT_UNIT ((size_t)64)
/* Rows in the window before it is emptied: 16 KiB. */
#define WINDOW_ROWS ((size_t)512)

const uint8_t codec_column_widths[CODEC_N_COLUMNS] = {16, 8, 2, 2, 1};

static codec_columns columns_at(const codec_output *out, size_t row) {
    const codec_buffer *columns = out->columns;
    const codec_columns all = {
        .values = (codec_value *)(void *)columns[CODEC_COLUMN_VALUE].data,
        .timestamps_ns = (uint64_t *)(void *)columns[CODEC_COLUMN_TIMESTAMP].data,
        .taxonomy_ids = (uint16_t *)(void *)columns[CODEC_COLUMN_TAXONOMY].data,
        .asset_ids = (uint16_t *)(void *)columns[CODEC_COLUMN_ASSET].data,
        .statuses = columns[CODEC_COLUMN_STATUS].data,
    };
    return columns_from(&all, row);
}

int codec_columns_split(const codec_columns *to, const codec_update *rows, size_t n) {
    uint64_t wide = 0;
    for (size_t i = 0; i < n; i++) {
        to->values[i] = rows[i].value;
        to->timestamps_ns[i] = rows[i].timestamp_ns;
        wide |= narrow_split(to, rows, i);
    }
    return wide != 0;
}

int codec_columns_reserve(codec_output *out, size_t n_rows) {
    size_t room = SIZE_MAX;
    for (int i = 0; i < CODEC_N_COLUMNS; i++) {
        size_t width = codec_column_widths[i];
        if (output_reserve(out, &out->columns[i], out->n_split * width,
                           (n_rows - out->n_split) * width))
            return CODEC_NO_MEMORY;
        room = least(room, out->columns[i].capacity / width);
    }
    out->columns_room = room;
    return 0;
}

/* Empties the window; rows that complete no unit stay where not `all` must go. */
static void window_empty(codec_output *out, bool all) {
    size_t waiting = out->n_updates - out->n_split;
    size_t n = all ? waiting : waiting & ~(SPLIT_UNIT - 1);
    if (n == 0)
        return;
    codec_update *rows = (codec_update *)(void *)out->updates.data;
    const codec_columns to = columns_at(out, out->n_split);
    out->wide |= codec_kernels_active->columns_split(&to, rows, n, out->stream);
    out->n_split += n;
    memmove(rows, rows + n, (waiting - n) * sizeof *rows);
}

void codec_output_window_check(codec_output *out) {
    if (out->n_updates - out->n_split >= WINDOW_ROWS)
        window_empty(out, false);
}

void codec_output_window_end(codec_output *out) { window_empty(out, true); }

void codec_columns_join(codec_update *rows, const codec_output *from) {
    if (from->n_split == 0)
        return;
    const codec_columns columns = columns_at(from, 0);
    for (size_t i = 0; i < from->n_split; i++)
        rows[i] = (codec_update){
            .value = columns.values[i],
            .timestamp_ns = columns.timestamps_ns[i],
            .taxonomy_id = columns.taxonomy_ids[i],
            .asset_id = columns.asset_ids[i],
            .market_status = columns.statuses[i],
        };
}

void codec_receive_times(uint64_t *times, size_t n_rows, const codec_message *messages,
                         size_t n) {
    size_t row = 0;
    for (size_t i = 0; i < n; i++) {
        const codec_message message = messages[i];
        size_t count = least(message.update_count, n_rows - row);
        for (size_t k = 0; k < count; k++)
            times[row + k] = message.receive_ns;
        row += count;
    }
    memset(times + row, 0, (n_rows - row) * sizeof *times);
}

void codec_marks_set(uint8_t *marks, const uint16_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++)
        marks[ids[i]] = 1;
}

int codec_output_split(codec_output *out, const codec_update *rows, size_t n) {
    out->columnar = 1;
    if (codec_columns_reserve(out, n + (n == 0)))
        return CODEC_NO_MEMORY;
    out->stream = n * sizeof *rows >= CODEC_STREAM_MIN;
    if (n) {
        const codec_columns to = columns_at(out, 0);
        out->wide = codec_kernels_active->columns_split(&to, rows, n, out->stream);
    }
    out->n_updates = out->n_split = n;
    codec_output_finish(out);
    return 0;
}
