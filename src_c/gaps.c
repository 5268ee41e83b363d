/* Missing ticks in a table of messages, by the rules of monitor.c (docs/feeds.md). */
#include "internal.h"
#include "tables.h"

/* The least interval in which a tick is missing, one and a half periods; 0 where there
 * is no such interval in 64 bits. It spares all but the gaps a division. */
static uint64_t least_interval(uint64_t period_ns) {
    uint64_t half = period_ns / 2 + period_ns % 2;
    return half > UINT64_MAX - period_ns ? 0 : period_ns + half;
}

static int gap_append(codec_buffer *gaps, size_t *n_gaps, codec_gap gap) {
    size_t used = *n_gaps * sizeof gap;
    if (CODEC_UNLIKELY(used + sizeof gap > gaps->capacity) &&
        codec_buffer_reserve(gaps, used, used + sizeof gap))
        return CODEC_NO_MEMORY;
    memcpy(gaps->data + used, &gap, sizeof gap);
    ++*n_gaps;
    return 0;
}

int codec_gaps_find(const uint8_t *messages, size_t n, ptrdiff_t stride,
                    uint64_t period_ns, uint64_t ahead_ns, codec_buffer *gaps,
                    size_t *n_gaps) {
    const uint64_t least_ns = least_interval(period_ns);
    uint64_t newest_ns = 0;
    uint16_t taxonomy_id = 0;
    bool has_clock = false;
    *n_gaps = 0;
    for (size_t i = 0; i < n; i++, messages += stride) {
        codec_message message;
        memcpy(&message, messages, sizeof message);
        const uint64_t sent = message.timestamp_ns, received = message.receive_ns;
        has_clock &= message.taxonomy_id == taxonomy_id;
        taxonomy_id = message.taxonomy_id;
        if (received && sent > received && sent - received > ahead_ns)
            continue;
        if (!has_clock) {
            newest_ns = sent;
            has_clock = true;
        } else if (sent > newest_ns) {
            uint64_t interval_ns = sent - newest_ns;
            if (CODEC_UNLIKELY(least_ns && interval_ns >= least_ns)) {
                codec_gap gap = {i, newest_ns, sent,
                                 ticks_missing(interval_ns, period_ns)};
                if (gap_append(gaps, n_gaps, gap))
                    return CODEC_NO_MEMORY;
            }
            newest_ns = sent;
        }
    }
    return 0;
}
