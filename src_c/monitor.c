/* Checks on a stream of messages: missing ticks, clocks, taxonomies, repeated assets.
 *
 * The rules are docs/feeds.md, "Checks". */
#include "internal.h"

/* Notices of one message: of its timestamp, of its taxonomy, of its assets. */
#define NOTICES_MAX (2 + CODEC_DUPLICATES_MAX)
/* Buckets of a power of two. */
#define AGE_STEPS_LOG2 4

/* Ages below 2 * 16 ns have a bucket each; above, each power of two has sixteen. */
static size_t age_bucket(uint64_t age_ns) {
    int shift = 63 - __builtin_clzll(age_ns | 1) - AGE_STEPS_LOG2;
    if (shift <= 0)
        return (size_t)age_ns;
    return ((size_t)shift << AGE_STEPS_LOG2) + (size_t)(age_ns >> shift);
}

/* Where a message's notices go: there is room for NOTICES_MAX. */
typedef struct {
    codec_monitor *monitor;
    codec_notice *notices, notice; /* with what all of the message have in common */
    size_t n;
} writer;

static codec_notice *notice_write(writer *to, int kind, uint64_t amount) {
    codec_notice *notice = &to->notices[to->n++];
    *notice = to->notice;
    notice->kind = (uint8_t)kind;
    notice->amount = amount;
    to->monitor->counts[kind]++;
    return notice;
}

/* The timestamp of a message with the newest one and the one before. */
static void clock_check(codec_monitor *monitor, uint64_t timestamp_ns, writer *to) {
    if (monitor->has_clock) {
        if (timestamp_ns < monitor->previous_ns)
            notice_write(to, CODEC_NOTICE_BACKWARDS,
                         monitor->previous_ns - timestamp_ns);
        if (monitor->period_ns && timestamp_ns > monitor->newest_ns) {
            uint64_t missing =
                ticks_missing(timestamp_ns - monitor->newest_ns, monitor->period_ns);
            if (missing) {
                notice_write(to, CODEC_NOTICE_GAP, missing);
                uint64_t sum = monitor->missing + missing;
                monitor->missing = sum < missing ? UINT64_MAX : sum;
            }
        }
    }
    if (!monitor->has_clock || timestamp_ns > monitor->newest_ns)
        monitor->newest_ns = timestamp_ns;
    monitor->previous_ns = timestamp_ns;
    monitor->has_clock = 1;
}

static void message_check(codec_monitor *monitor, const codec_message *message,
                          writer *to) {
    const uint64_t sent = message->timestamp_ns, received = message->receive_ns;
    const uint16_t before = monitor->taxonomy_id;
    bool changed = monitor->has_taxonomy && message->taxonomy_id != before;
    monitor->taxonomy_id = message->taxonomy_id;
    monitor->has_taxonomy = 1;
    if (changed)
        monitor->has_clock = 0;
    if (received)
        monitor->ages[age_bucket(received > sent ? received - sent : 0)]++;
    if (received && sent > received && sent - received > monitor->ahead_ns)
        notice_write(to, CODEC_NOTICE_FUTURE, sent - received);
    else
        clock_check(monitor, sent, to);
    if (changed)
        notice_write(to, CODEC_NOTICE_TAXONOMY_CHANGE, before);
}

/* The asset ids of updates: every `stride` bytes one. */
typedef struct {
    const uint8_t *data;
    size_t stride;
} asset_ids;

static inline uint16_t asset_id_at(asset_ids ids, size_t i) {
    uint16_t id;
    memcpy(&id, ids.data + i * ids.stride, sizeof id);
    return id;
}

/* Those of a batch, in whatever form it has its updates. */
static asset_ids asset_ids_of(const codec_output *batch) {
    if (batch->columnar)
        return (asset_ids){batch->columns[CODEC_COLUMN_ASSET].data, sizeof(uint16_t)};
    const size_t row_len = sizeof(codec_update);
    return (asset_ids){(const uint8_t *)((uintptr_t)batch->updates.data +
                                         offsetof(codec_update, asset_id)),
                       row_len};
}

/* Notes when the assets were seen; true where their ids ascend, so that none can stand
 * twice. */
static inline bool assets_see(uint64_t *restrict last_seen_ns, asset_ids ids, size_t n,
                              uint64_t seen_ns) {
    uint32_t least_id = 0, descents = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = asset_id_at(ids, i);
        last_seen_ns[id] = seen_ns;
        descents |= id < least_id;
        least_id = id + 1;
    }
    return !descents;
}

/* An asset's mark is `marked`, a number that no message before has reached, plus how
 * often the asset stands in this one; so that nothing is ever cleared. */
static void repeats_check(codec_monitor *monitor, asset_ids ids, size_t n, writer *to) {
    const uint64_t marked = monitor->marked;
    size_t first = to->n;
    for (size_t i = 0; i < n; i++) {
        uint16_t id = asset_id_at(ids, i);
        uint64_t mark = monitor->marks[id];
        if (CODEC_LIKELY(mark <= marked)) {
            monitor->marks[id] = marked + 1;
            continue;
        }
        monitor->marks[id] = mark + 1;
        if (mark > marked + 1)
            continue; /* known to be repeated */
        if (to->n - first < CODEC_DUPLICATES_MAX)
            notice_write(to, CODEC_NOTICE_DUPLICATE_ASSET, 0)->asset_id = id;
        else
            monitor->counts[CODEC_NOTICE_DUPLICATE_ASSET]++;
    }
    for (; first < to->n; first++) {
        codec_notice *notice = &to->notices[first];
        notice->amount = monitor->marks[notice->asset_id] - marked;
    }
    monitor->marked += n;
}

int codec_monitor_observe(codec_monitor *monitor, const codec_output *batch,
                          codec_buffer *notices, size_t *n_notices) {
    const codec_message *messages =
        (const codec_message *)(const void *)batch->messages.data;
    asset_ids ids = asset_ids_of(batch);
    size_t row = 0;
    *n_notices = 0;
    for (size_t i = 0; i < batch->n_messages; i++) {
        size_t used = *n_notices * sizeof(codec_notice);
        if (codec_buffer_reserve(notices, used,
                                 used + NOTICES_MAX * sizeof(codec_notice)))
            return CODEC_NO_MEMORY;
        const codec_message message = messages[i];
        writer to = {
            .monitor = monitor,
            .notices = (codec_notice *)(void *)(notices->data + used),
            .notice =
                {
                    .message = i,
                    .timestamp_ns = message.timestamp_ns,
                    .taxonomy_id = message.taxonomy_id,
                },
        };
        message_check(monitor, &message, &to);
        /* Updates stand in the order of their messages: a sum says where, whatever
         * another thread may write to the rows. */
        size_t n = least(message.update_count, batch->n_updates - row);
        uint64_t seen = message.receive_ns ? message.receive_ns : message.timestamp_ns;
        if (n && !assets_see(monitor->last_seen_ns, ids, n, seen))
            repeats_check(monitor, ids, n, &to);
        row += n;
        ids.data = (const uint8_t *)((uintptr_t)ids.data + n * ids.stride);
        *n_notices += to.n;
    }
    return 0;
}
