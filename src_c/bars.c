/* Bars: what each asset's value did in each interval, from updates in any order.
 *
 * An asset's slot has the bar that its last update went to. An update of the same
 * interval goes there; any other begins a new bar, without a search for one that there
 * may be already. A bar that a slot has left gets no more updates, so bars of one asset
 * and interval stand in the order of their updates, and settling joins them. It comes
 * at the end, and earlier only where time goes back so often that many may be the same:
 * the memory stays within a few times that of the result. */
#include "internal.h"
#include "tables.h"

/* Slots of several taxonomies are apart; where two meet, only bars to be joined follow.
 */
#define TAXONOMY_STEP 40503
/* Updates that went back before it is worth settling, and their least share. */
#define BACK_MIN 65536
#define BACK_SHARE 4

typedef __int128 i128;

static inline i128 value_of(codec_value value) {
    return (i128)((unsigned __int128)(uint64_t)value.hi << 64 | value.lo);
}

static inline codec_bar *bars_of(const codec_bars *bars) {
    return (codec_bar *)(void *)bars->bars.data;
}

static inline uint32_t key_of(const codec_bar *bar) {
    return (uint32_t)bar->taxonomy_id << 16 | bar->asset_id;
}

void codec_bars_release(codec_bars *bars) {
    codec_buffer_release(&bars->bars);
    codec_buffer_release(&bars->spare);
    codec_buffer_release(&bars->items);
}

/* Takes in what came after all that is in `bar`. */
static void bar_join(codec_bar *bar, const codec_bar *more) {
    if (more->first_ns < bar->first_ns) {
        bar->open = more->open;
        bar->first_ns = more->first_ns;
    }
    if (more->last_ns >= bar->last_ns) {
        bar->close = more->close;
        bar->last_ns = more->last_ns;
    }
    if (value_of(more->high) > value_of(bar->high))
        bar->high = more->high;
    if (value_of(more->low) < value_of(bar->low))
        bar->low = more->low;
    bar->count += more->count;
}

static int items_make(codec_bars *bars, codec_item **items) {
    const codec_bar *all = bars_of(bars);
    const size_t n = bars->n_bars;
    if (codec_buffer_reserve(&bars->items, 0, 2 * n * sizeof **items))
        return CODEC_NO_MEMORY;
    *items = (codec_item *)(void *)bars->items.data;
    for (size_t i = 0; i < n; i++)
        (*items)[i] = (codec_item){all[i].start_ns, key_of(&all[i]), i};
    return 0;
}

/* True where no two are the same, and none stands before one that it belongs behind. */
static bool is_settled(const codec_bars *bars) {
    const codec_bar *all = bars_of(bars);
    for (size_t i = 1; i < bars->n_bars; i++) {
        if (all[i - 1].start_ns > all[i].start_ns ||
            (all[i - 1].start_ns == all[i].start_ns &&
             key_of(&all[i - 1]) >= key_of(&all[i])))
            return false;
    }
    return true;
}

int codec_bars_settle(codec_bars *bars) {
    const size_t n = bars->n_bars;
    codec_item *items;
    bars->n_back = 0;
    if (is_settled(bars))
        return 0;
    if (items_make(bars, &items) ||
        codec_buffer_reserve(&bars->spare, 0, n * sizeof(codec_bar)))
        return CODEC_NO_MEMORY;
    items = codec_items_sort(items, items + n, n);
    const codec_bar *from = bars_of(bars);
    codec_bar *to = (codec_bar *)(void *)bars->spare.data;
    size_t n_to = 0;
    for (size_t i = 0; i < n; i++) {
        const codec_bar *bar = &from[items[i].index];
        if (i && items[i].a == items[i - 1].a && items[i].b == items[i - 1].b)
            bar_join(&to[n_to - 1], bar);
        else
            to[n_to++] = *bar;
    }
    codec_buffer settled = bars->spare;
    bars->spare = bars->bars;
    bars->bars = settled;
    bars->n_bars = n_to;
    memset(bars->slots, 0, sizeof bars->slots);
    codec_buffer_release(&bars->items);
    codec_buffer_release(&bars->spare);
    return 0;
}

/* An update in registers: read as vectors, it would be stored and wait to be read. */
typedef struct {
    codec_value value;
    uint64_t timestamp_ns;
    uint32_t ids; /* taxonomy id, asset id, as in a row */
} fields;

static inline fields fields_read(const uint8_t *update) {
    return (fields){
        .value = {load_le64(update), (int64_t)load_le64(update + 8)},
        .timestamp_ns = load_le64(update + 16),
        .ids = (uint32_t)load_le64(update + 24),
    };
}

static inline uint32_t ids_of(const codec_bar *bar) {
    uint32_t ids;
    memcpy(&ids, &bar->taxonomy_id, sizeof ids);
    return ids;
}

static inline size_t *slot_of(codec_bars *bars, uint32_t ids) {
    return &bars->slots[(uint16_t)((ids >> 16) + ids * TAXONOMY_STEP)];
}

/* Each field by itself: zeroing the whole first takes as long again. */
static inline void bar_write(codec_bar *bar, uint64_t start_ns, fields update) {
    bar->start_ns = start_ns;
    memcpy(&bar->taxonomy_id, &update.ids, sizeof update.ids);
    memset(bar->padding, 0, sizeof bar->padding);
    bar->open = bar->high = bar->low = bar->close = bar->last = update.value;
    bar->count = 1;
    bar->first_ns = bar->last_ns = update.timestamp_ns;
}

/* A new bar of one update, for the asset of `slot`. */
static int bar_begin(codec_bars *bars, size_t *slot, fields update) {
    if (update.timestamp_ns < bars->floor_ns) {
        bars->n_late++;
        return 0;
    }
    if (bars->n_back > BACK_MIN && bars->n_back > bars->n_bars / BACK_SHARE &&
        codec_bars_settle(bars))
        return CODEC_NO_MEMORY;
    size_t used = bars->n_bars * sizeof(codec_bar);
    if (CODEC_UNLIKELY(used + sizeof(codec_bar) > bars->bars.capacity) &&
        codec_buffer_reserve(&bars->bars, used, used + sizeof(codec_bar)))
        return CODEC_NO_MEMORY;
    uint64_t start_ns = update.timestamp_ns - update.timestamp_ns % bars->interval_ns;
    if (*slot) {
        const codec_bar *before = bars_of(bars) + (*slot - 1);
        bars->n_back += before->start_ns >= start_ns || ids_of(before) != update.ids;
    }
    bar_write(bars_of(bars) + bars->n_bars, start_ns, update);
    *slot = ++bars->n_bars;
    return 0;
}

/* Without a branch: whether a value is a new high is a guess as good as any. */
static inline codec_value value_choose(bool first, codec_value x, codec_value y) {
    const uint64_t mask = -(uint64_t)first;
    return (codec_value){
        .lo = y.lo ^ ((x.lo ^ y.lo) & mask),
        .hi = y.hi ^ ((x.hi ^ y.hi) & (int64_t)mask),
    };
}

static inline void bar_add(codec_bar *bar, fields update) {
    const i128 value = value_of(update.value);
    bar->count++;
    if (CODEC_LIKELY(update.timestamp_ns >= bar->last_ns)) {
        bar->close = update.value;
        bar->last_ns = update.timestamp_ns;
    } else if (update.timestamp_ns < bar->first_ns) {
        bar->open = update.value;
        bar->first_ns = update.timestamp_ns;
    }
    bar->high = value_choose(value > value_of(bar->high), update.value, bar->high);
    bar->low = value_choose(value < value_of(bar->low), update.value, bar->low);
}

int codec_bars_update(codec_bars *bars, const uint8_t *updates, size_t n,
                      ptrdiff_t stride) {
    const uint64_t interval_ns = bars->interval_ns;
    uint64_t newest_ns = bars->newest_ns;
    int status = 0;
    for (size_t i = 0; i < n && !status; i++, updates += stride) {
        const fields update = fields_read(updates);
        if (update.timestamp_ns > newest_ns)
            newest_ns = update.timestamp_ns;
        size_t *slot = slot_of(bars, update.ids);
        codec_bar *bar = *slot ? bars_of(bars) + (*slot - 1) : NULL;
        if (CODEC_LIKELY(bar && ids_of(bar) == update.ids &&
                         update.timestamp_ns >= bar->start_ns &&
                         update.timestamp_ns - bar->start_ns < interval_ns))
            bar_add(bar, update);
        else
            status = bar_begin(bars, slot, update);
    }
    bars->newest_ns = newest_ns;
    return status;
}

size_t codec_bars_before(const codec_bars *bars, uint64_t before_ns) {
    const codec_bar *all = bars_of(bars);
    size_t low = 0, high = bars->n_bars;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all[middle].start_ns < before_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void codec_bars_take(codec_bars *bars, codec_bar *to, size_t n) {
    codec_bar *all = bars_of(bars);
    if (!n)
        return;
    for (size_t i = 0; i < n; i++) {
        to[i] = all[i];
        to[i].last = all[i].close;
    }
    bars->n_bars -= n;
    memmove(all, all + n, bars->n_bars * sizeof *all);
    memset(bars->slots, 0, sizeof bars->slots);
}
