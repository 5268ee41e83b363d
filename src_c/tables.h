/* Tables of state that are made of decoded rows: newest updates, bars, gaps.
 *
 * docs/resampling.md says what they mean. Status: 0, or CODEC_NO_MEMORY. */
#ifndef CODEC_TABLES_H
#define CODEC_TABLES_H

#include "codec.h"

/* The newest update of every asset of one taxonomy. The caller owns it.
 * Zero-initialise, set the taxonomy if only one counts (else it is that of the first
 * update), then codec_latest_init. One thread writes at a time.
 *
 * `rows` are 65,536, by asset id: of an asset that was never seen all zero, but for its
 * id and the market status 255. The padding is the table's own. */
#define CODEC_N_ASSETS 65536
typedef struct {
    codec_update *rows; /* aligned to 64 */
    codec_buffer memory;
    uint64_t n_known, n_late, n_foreign;
    int has_taxonomy;
    uint16_t taxonomy_id;
    uint8_t known[CODEC_N_ASSETS]; /* by asset id: 1 once there was an update */
} codec_latest;

/* CODEC_NO_MEMORY, or 0. */
int codec_latest_init(codec_latest *latest);
void codec_latest_release(codec_latest *latest);
/* n updates, `stride` bytes apart, in order: each becomes its asset's row, unless its
 * timestamp is before the row's (counted in `n_late`) or it is of another taxonomy
 * (`n_foreign`). */
void codec_latest_update(codec_latest *latest, const uint8_t *updates, size_t n,
                         ptrdiff_t stride);
/* One asset's update, whole while another thread writes; 0 where there is none. */
int codec_latest_read(const codec_latest *latest, uint16_t asset_id,
                      codec_update *update);
/* The updates of all assets, by asset id, into `out` (empty), each whole as above. Runs
 * of equal timestamps are an unsigned message each. */
int codec_latest_snapshot(const codec_latest *latest, codec_output *out);
/* Forgets rows and counts. */
void codec_latest_clear(codec_latest *latest);

/* Ticks that are missing before a message, as a codec_monitor finds them. */
typedef struct {
    uint64_t message;             /* its row */
    uint64_t before_ns, after_ns; /* the newest timestamp before it; its own */
    uint64_t missing;
} codec_gap;

/* All gaps of n messages, `stride` bytes apart, to `gaps`, which the caller owns, from
 * its start. `period_ns` is not 0; `ahead_ns` as in codec_monitor. */
int codec_gaps_find(const uint8_t *messages, size_t n, ptrdiff_t stride,
                    uint64_t period_ns, uint64_t ahead_ns, codec_buffer *gaps,
                    size_t *n_gaps);

/* What an asset's value did in [start_ns, start_ns + interval). */
typedef struct {
    uint64_t start_ns; /* a multiple of the interval */
    uint16_t taxonomy_id, asset_id;
    uint8_t padding[4];
    codec_value open, high, low, close;
    codec_value last; /* the newest value at the interval's end */
    uint64_t count;
    uint64_t first_ns, last_ns; /* timestamps of `open` and of `close` */
} codec_bar;

/* Bars in the making. The caller owns it. Zero-initialise, then set `interval_ns`,
 * which is not 0. `bars` may hold several for one asset and interval, all but the last
 * one of them complete, in the order of their updates. */
typedef struct {
    uint64_t interval_ns;
    uint64_t newest_ns; /* the greatest timestamp so far */
    uint64_t floor_ns;  /* a multiple of the interval: all before it has been taken */
    uint64_t n_late;    /* updates from before it, which were left out */
    size_t n_bars, n_back;
    codec_buffer bars, spare, items;
    size_t slots[CODEC_N_ASSETS];
} codec_bars;

void codec_bars_release(codec_bars *bars);
/* Takes n updates in, `stride` bytes apart. CODEC_NO_MEMORY after as many as there was
 * memory for. */
int codec_bars_update(codec_bars *bars, const uint8_t *updates, size_t n,
                      ptrdiff_t stride);
/* Makes `bars` one for each asset and interval, by start, taxonomy id and asset id. */
int codec_bars_settle(codec_bars *bars);
/* Of settled bars: how many start before a time; and the first n taken out, to `to`. */
size_t codec_bars_before(const codec_bars *bars, uint64_t before_ns);
void codec_bars_take(codec_bars *bars, codec_bar *to, size_t n);

/* Filling the empty intervals between an asset's first bar and its last. `bars` are n,
 * complete and in order; `next` becomes the place of each one's successor (SIZE_MAX:
 * none), and `n_filled` the number of all bars then, low half first. */
int codec_bars_link(const codec_bar *bars, size_t n, uint64_t interval_ns,
                    codec_buffer *next, uint64_t n_filled[2]);
/* Writes them all to `to`, in order. `active` is working memory. */
int codec_bars_fill(codec_bar *to, const codec_bar *bars, size_t n,
                    uint64_t interval_ns, const codec_buffer *next,
                    codec_buffer *active);

#endif
