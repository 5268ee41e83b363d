/* Bars for the intervals without any update, between an asset's first and its last. */
#include "internal.h"
#include "tables.h"

static inline uint64_t key_of(const codec_bar *bar) {
    return (uint64_t)bar->taxonomy_id << 16 | bar->asset_id;
}

static inline const size_t *places_of(const codec_buffer *next) {
    return (const size_t *)(const void *)next->data;
}

int codec_bars_link(const codec_bar *bars, size_t n, uint64_t interval_ns,
                    codec_buffer *next, uint64_t n_filled[2]) {
    codec_buffer memory = {NULL, 0};
    if (codec_buffer_reserve(next, 0, (n + 1) * sizeof(size_t)) ||
        codec_buffer_reserve(&memory, 0, (2 * n + 1) * sizeof(codec_item)))
        return CODEC_NO_MEMORY;
    codec_item *items = (codec_item *)(void *)memory.data;
    size_t *places = (size_t *)(void *)next->data;
    for (size_t i = 0; i < n; i++)
        items[i] = (codec_item){key_of(&bars[i]), bars[i].start_ns, i};
    items = codec_items_sort(items, items + n, n);
    unsigned __int128 sum = n;
    for (size_t i = 0; i < n; i++) {
        bool has_next = i + 1 < n && items[i + 1].a == items[i].a;
        places[items[i].index] = has_next ? items[i + 1].index : SIZE_MAX;
        if (has_next)
            sum += (items[i + 1].b - items[i].b) / interval_ns - 1;
    }
    n_filled[0] = (uint64_t)sum;
    n_filled[1] = (uint64_t)(sum >> 64);
    codec_buffer_release(&memory);
    return 0;
}

/* An asset between two of its bars: the place of the first of them. */
typedef struct {
    uint64_t key;
    size_t place;
} active;

/* The assets that are between two bars, by key; a second list is room for changes. */
typedef struct {
    active *list, *spare;
    size_t n;
} actives;

/* What an asset's bar is in an interval without updates, after `before`. */
static codec_bar bar_carry(const codec_bar *before, uint64_t start_ns) {
    const codec_value last = before->last;
    return (codec_bar){
        .start_ns = start_ns,
        .taxonomy_id = before->taxonomy_id,
        .asset_id = before->asset_id,
        .open = last,
        .high = last,
        .low = last,
        .close = last,
        .last = last,
        .first_ns = before->last_ns,
        .last_ns = before->last_ns,
    };
}

/* The interval of bars[start] to bars[end - 1]: those, and of other active assets what
 * is carried on. Writes all of them in order, and keeps those that go on. */
static codec_bar *interval_write(codec_bar *to, const codec_bar *bars, size_t start,
                                 size_t end, const size_t *next, actives *assets) {
    const uint64_t start_ns = bars[start].start_ns;
    size_t n_kept = 0;
    for (size_t i = 0; i < assets->n || start < end;) {
        bool is_bar = start < end &&
                      (i == assets->n || key_of(&bars[start]) <= assets->list[i].key);
        if (!is_bar) {
            *to++ = bar_carry(&bars[assets->list[i].place], start_ns);
            assets->spare[n_kept++] = assets->list[i++];
            continue;
        }
        const uint64_t key = key_of(&bars[start]);
        i += i < assets->n && assets->list[i].key == key;
        *to++ = bars[start];
        if (next[start] != SIZE_MAX)
            assets->spare[n_kept++] = (active){key, start};
        start++;
    }
    active *kept = assets->spare;
    assets->spare = assets->list;
    assets->list = kept;
    assets->n = n_kept;
    return to;
}

/* How many assets there are: each has one bar that nothing comes after. */
static size_t assets_count(const size_t *next, size_t n) {
    size_t n_assets = 0;
    for (size_t i = 0; i < n; i++)
        n_assets += next[i] == SIZE_MAX;
    return n_assets;
}

int codec_bars_fill(codec_bar *to, const codec_bar *bars, size_t n,
                    uint64_t interval_ns, const codec_buffer *next,
                    codec_buffer *memory) {
    const size_t *places = places_of(next);
    size_t room = assets_count(places, n);
    if (codec_buffer_reserve(memory, 0, (2 * room + 1) * sizeof(active)))
        return CODEC_NO_MEMORY;
    active *list = (active *)(void *)memory->data;
    actives assets = {list, list + room, 0};
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1; end < n && bars[end].start_ns == bars[start].start_ns;)
            end++;
        to = interval_write(to, bars, start, end, places, &assets);
        if (end == n || !assets.n)
            continue;
        uint64_t at_ns = bars[start].start_ns + interval_ns;
        for (; at_ns < bars[end].start_ns; at_ns += interval_ns)
            for (size_t i = 0; i < assets.n; i++)
                *to++ = bar_carry(&bars[assets.list[i].place], at_ns);
    }
    return 0;
}
