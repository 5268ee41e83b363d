/* Tables of state, each against a slower way to the same: the newest updates, also
 * while another thread reads them; bars; gaps; sorting. */
#include <pthread.h>

#include "check.h"
#include "internal.h"
#include "tables.h"

#define N_MAX 300

typedef __int128 i128;

static guarded pages;

static i128 value_of(codec_value value) {
    return (i128)((unsigned __int128)(uint64_t)value.hi << 64 | value.lo);
}

/* Few assets and times, so that they tie; seldom the ends. */
static codec_update update_random(void) {
    static const uint64_t times[] = {0, UINT64_MAX, UINT64_MAX - 1, 1ULL << 63};
    uint64_t time = 1000 + random_below(90);
    if (random_below(20) == 0)
        time = times[random_below(4)];
    return (codec_update){
        .value = {random_u64() >> random_below(64), (int64_t)random_below(3) - 1},
        .timestamp_ns = time,
        .taxonomy_id = random_below(8) ? 1 : 2,
        .asset_id = (uint16_t)(random_below(9) * 8191),
        .market_status = (uint8_t)random_below(256),
    };
}

/* n updates, `stride` bytes apart, the last one right before a page that faults. */
static const uint8_t *updates_place(const codec_update *updates, size_t n,
                                    ptrdiff_t stride) {
    size_t span = n ? (n - 1) * (size_t)stride + sizeof *updates : 0;
    uint8_t *start = pages.end - span;
    for (size_t i = 0; i < n; i++)
        memcpy(start + i * (size_t)stride, &updates[i], sizeof *updates);
    return start;
}

static size_t updates_random(codec_update *updates, const uint8_t **placed,
                             ptrdiff_t *stride) {
    size_t n = random_below(N_MAX);
    for (size_t i = 0; i < n; i++)
        updates[i] = update_random();
    *stride = (ptrdiff_t)(32 + random_below(20));
    *placed = updates_place(updates, n, *stride);
    return n;
}

/* The newest update of one asset by looking through all of them, or NULL. */
static const codec_update *newest(const codec_update *updates, size_t n,
                                  uint16_t asset_id) {
    const codec_update *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (updates[i].asset_id == asset_id &&
            updates[i].taxonomy_id == updates[0].taxonomy_id &&
            (!found || updates[i].timestamp_ns >= found->timestamp_ns))
            found = &updates[i];
    return found;
}

static void snapshot_check(const codec_latest *latest) {
    codec_output out = {0};
    CHECK(!codec_latest_snapshot(latest, &out), "no memory");
    CHECK(out.n_updates == latest->n_known, "%zu updates", out.n_updates);
    const codec_update *updates = (const codec_update *)(void *)out.updates.data;
    const codec_message *messages = (const codec_message *)(void *)out.messages.data;
    size_t row = 0;
    for (size_t i = 0; i < out.n_messages; i++) {
        CHECK(messages[i].first_update == row, "message %zu", i);
        for (size_t k = 0; k < messages[i].update_count; k++, row++) {
            CHECK(updates[row].timestamp_ns == messages[i].timestamp_ns, "row %zu",
                  row);
            CHECK(!row || updates[row].asset_id > updates[row - 1].asset_id,
                  "order, row %zu", row);
            CHECK(!updates[row].padding[0] && !updates[row].padding[1] &&
                      !updates[row].padding[2],
                  "padding, row %zu", row);
        }
    }
    CHECK(row == out.n_updates, "%zu rows of messages", row);
    codec_output_release(&out);
}

static void latest_test(size_t n_rounds) {
    static codec_latest latest;
    static codec_update updates[N_MAX];
    CHECK(!codec_latest_init(&latest), "no memory");
    for (size_t round = 0; round < n_rounds; round++) {
        const uint8_t *placed;
        ptrdiff_t stride;
        size_t n = updates_random(updates, &placed, &stride);
        size_t cut = random_below(n + 1);
        codec_latest_clear(&latest);
        latest.has_taxonomy = 0;
        codec_latest_update(&latest, placed, cut, stride);
        codec_latest_update(&latest, placed + (ptrdiff_t)cut * stride, n - cut, stride);
        uint64_t n_known = 0;
        for (unsigned k = 0; k < 9; k++) {
            uint16_t id = (uint16_t)(k * 8191);
            codec_update found;
            const codec_update *expected = newest(updates, n, id);
            int is_known = codec_latest_read(&latest, id, &found);
            n_known += expected != NULL;
            CHECK(is_known == (expected != NULL), "asset %u", id);
            if (expected)
                CHECK(!memcmp(expected, &found, sizeof found), "asset %u", id);
        }
        CHECK(latest.n_known == n_known, "%zu known", (size_t)latest.n_known);
        snapshot_check(&latest);
    }
    codec_latest_release(&latest);
}

/* All of one bar by looking through all updates. */
static void bar_check(const codec_bar *bar, const codec_update *updates, size_t n,
                      uint64_t interval_ns) {
    const codec_update *first = NULL, *last = NULL;
    i128 high = 0, low = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const codec_update *u = &updates[i];
        if (u->asset_id != bar->asset_id || u->taxonomy_id != bar->taxonomy_id ||
            u->timestamp_ns / interval_ns != bar->start_ns / interval_ns)
            continue;
        i128 value = value_of(u->value);
        high = !count || value > high ? value : high;
        low = !count || value < low ? value : low;
        first = !count || u->timestamp_ns < first->timestamp_ns ? u : first;
        last = !count || u->timestamp_ns >= last->timestamp_ns ? u : last;
        count++;
    }
    CHECK(count && bar->count == count, "%zu updates", count);
    if (!count)
        return;
    CHECK(bar->start_ns % interval_ns == 0, "start");
    CHECK(value_of(bar->open) == value_of(first->value), "open");
    CHECK(value_of(bar->close) == value_of(last->value), "close");
    CHECK(value_of(bar->last) == value_of(last->value), "last");
    CHECK(value_of(bar->high) == high && value_of(bar->low) == low, "high, low");
    CHECK(bar->first_ns == first->timestamp_ns, "first_ns");
    CHECK(bar->last_ns == last->timestamp_ns, "last_ns");
}

static bool is_before(const codec_bar *x, const codec_bar *y) {
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns;
    if (x->taxonomy_id != y->taxonomy_id)
        return x->taxonomy_id < y->taxonomy_id;
    return x->asset_id < y->asset_id;
}

/* Between guard pages: filled bars are in order, as many as were foretold, and the same
 * as before where they are not empty. */
static void fill_check(const codec_bar *bars, size_t n, uint64_t interval_ns) {
    codec_buffer next = {0}, memory = {0};
    uint64_t n_filled[2];
    CHECK(!codec_bars_link(bars, n, interval_ns, &next, n_filled), "no memory");
    size_t size = (size_t)(pages.end - pages.start);
    if (!n_filled[1] && n_filled[0] <= size / sizeof *bars) {
        codec_bar *to = (codec_bar *)(void *)pages.end - n_filled[0];
        CHECK(!codec_bars_fill(to, bars, n, interval_ns, &next, &memory), "no memory");
        size_t n_same = 0;
        for (size_t i = 0; i < n_filled[0]; i++) {
            CHECK(!i || is_before(&to[i - 1], &to[i]), "filled bar %zu", i);
            if (to[i].count) {
                CHECK(!memcmp(&to[i], &bars[n_same], sizeof *bars), "bar %zu", n_same);
                n_same++;
            }
        }
        CHECK(n_same == n, "%zu of %zu bars", n_same, n);
    }
    codec_buffer_release(&next);
    codec_buffer_release(&memory);
}

static void bars_test(size_t n_rounds) {
    static const uint64_t intervals[] = {1, 7, 30, 1000, 1ULL << 63, UINT64_MAX};
    static codec_bars making;
    static codec_update updates[N_MAX];
    static codec_bar bars[N_MAX];
    for (size_t round = 0; round < n_rounds; round++) {
        const uint8_t *placed;
        ptrdiff_t stride;
        const uint64_t interval_ns = intervals[random_below(6)];
        making.interval_ns = interval_ns;
        size_t n = updates_random(updates, &placed, &stride);
        CHECK(!codec_bars_update(&making, placed, n, stride), "no memory");
        CHECK(!codec_bars_settle(&making), "no memory");
        size_t n_bars = making.n_bars, n_updates = 0;
        CHECK(codec_bars_before(&making, 0) == 0, "before 0");
        size_t part = codec_bars_before(&making, 1050);
        codec_bars_take(&making, bars, part);
        codec_bars_take(&making, bars + part, n_bars - part);
        CHECK(making.n_bars == 0, "%zu left", making.n_bars);
        for (size_t i = 0; i < n_bars; i++) {
            bar_check(&bars[i], updates, n, interval_ns);
            CHECK(!i || is_before(&bars[i - 1], &bars[i]), "order, bar %zu", i);
            CHECK((bars[i].start_ns < 1050) == (i < part), "bar %zu", i);
            n_updates += bars[i].count;
        }
        CHECK(n_updates == n, "%zu of %zu updates", n_updates, n);
        fill_check(bars, n_bars, interval_ns);
    }
    codec_bars_release(&making);
}

/* The monitor finds the same gaps. */
static void gaps_test(size_t n_rounds) {
    static codec_monitor monitor;
    for (size_t round = 0; round < n_rounds; round++) {
        codec_output out = {0};
        codec_buffer gaps = {0}, notices = {0};
        size_t n = random_below(N_MAX), n_gaps, n_notices, found = 0;
        codec_message *messages =
            (codec_message *)(void *)(pages.end - n * sizeof *messages);
        for (size_t i = 0; i < n; i++) {
            uint64_t sent = update_random().timestamp_ns;
            messages[i] = (codec_message){
                .timestamp_ns = sent,
                .receive_ns = random_below(4) ? sent - random_below(60) : 0,
                .taxonomy_id = random_below(9) != 0,
            };
        }
        memset(&monitor, 0, sizeof monitor);
        monitor.period_ns = random_below(3) ? 1 + random_below(9) : random_u64() | 1;
        monitor.ahead_ns = 40;
        out.messages.data = (uint8_t *)messages;
        out.n_messages = n;
        CHECK(!codec_monitor_observe(&monitor, &out, &notices, &n_notices), "memory");
        CHECK(!codec_gaps_find((const uint8_t *)messages, n, sizeof *messages,
                               monitor.period_ns, 40, &gaps, &n_gaps),
              "no memory");
        const codec_gap *gap = (const codec_gap *)(void *)gaps.data;
        const codec_notice *notice = (const codec_notice *)(void *)notices.data;
        for (size_t i = 0; i < n_notices; i++) {
            if (notice[i].kind != CODEC_NOTICE_GAP)
                continue;
            CHECK(found < n_gaps && gap[found].message == notice[i].message &&
                      gap[found].missing == notice[i].amount &&
                      gap[found].after_ns == notice[i].timestamp_ns,
                  "gap %zu", found);
            found++;
        }
        CHECK(found == n_gaps, "%zu gaps, not %zu", n_gaps, found);
        codec_buffer_release(&gaps);
        codec_buffer_release(&notices);
    }
}

static void sort_test(size_t n_rounds) {
    static codec_item items[N_MAX], spare[N_MAX];
    for (size_t round = 0; round < n_rounds; round++) {
        size_t n = random_below(N_MAX), range = 1 + random_below(40), sum = 0;
        for (size_t i = 0; i < n; i++)
            items[i] = (codec_item){random_below(range), random_below(3), i};
        const codec_item *sorted = codec_items_sort(items, spare, n);
        for (size_t i = 0; i < n; i++) {
            const codec_item *x = &sorted[i ? i - 1 : 0], *y = &sorted[i];
            sum += y->index;
            CHECK(!i || x->a < y->a || (x->a == y->a && x->b < y->b) ||
                      (x->a == y->a && x->b == y->b && x->index < y->index),
                  "item %zu", i);
        }
        CHECK(sum == n * (n - (n != 0)) / 2, "items lost");
    }
}

/* One thread writes rows all of whose parts are one number, another one reads them. */
static codec_latest shared;

static void *numbers_write(void *argument) {
    size_t n = *(size_t *)argument;
    codec_update update = {.taxonomy_id = 1};
    for (uint64_t i = 0; i < n; i++) {
        update.value = (codec_value){i, (int64_t)i};
        update.timestamp_ns = i;
        update.asset_id = i % 3;
        codec_latest_update(&shared, (const uint8_t *)&update, 1, 0);
    }
    return NULL;
}

static void threads_test(size_t n) {
    pthread_t writer;
    codec_update update;
    CHECK(!codec_latest_init(&shared), "no memory");
    shared.has_taxonomy = shared.taxonomy_id = 1;
    CHECK(!pthread_create(&writer, NULL, numbers_write, &n), "no thread");
    for (size_t i = 0; i < n; i++) {
        uint16_t id = i % 3;
        if (!codec_latest_read(&shared, id, &update))
            continue;
        uint64_t number = update.timestamp_ns;
        CHECK(update.value.lo == number && update.value.hi == (int64_t)number &&
                  number % 3 == id && update.asset_id == id,
              "mixed: %llu", (unsigned long long)number);
    }
    pthread_join(writer, NULL);
    codec_latest_release(&shared);
}

int main(int argc, char **argv) {
    (void)argv;
    size_t n = argc > 1 ? 300 : 5000;
    pages = guarded_new((size_t)1 << 20);
    latest_test(n / 5);
    bars_test(n);
    gaps_test(n);
    sort_test(n);
    threads_test(n * 100);
    return check_report("tables");
}
