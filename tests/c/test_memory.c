/* Memory that runs out at every possible moment, and what is kept of what was released.
 *
 * memory.c is part of this file, so that its calls to the system can be made to fail.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

static long allocations_left = -1; /* then they fail; below zero: never */
static long mapped; /* bytes in mappings, not counting what was cut off at a time */

static bool allocation_fails(void) {
    return allocations_left == 0 || (allocations_left > 0 && allocations_left-- == 0);
}

static void *test_realloc(void *data, size_t n) {
    return allocation_fails() ? NULL : realloc(data, n);
}

static void *test_mmap(void *at, size_t n, int access, int flags, int file,
                       off_t offset) {
    if (allocation_fails())
        return MAP_FAILED;
    mapped += (long)n;
    return mmap(at, n, access, flags, file, offset);
}

static int test_munmap(void *at, size_t n) {
    mapped -= (long)n;
    return munmap(at, n);
}

#ifdef MREMAP_MAYMOVE
static void *test_mremap(void *at, size_t before, size_t n, int flags) {
    if (allocation_fails())
        return MAP_FAILED;
    mapped += (long)n - (long)before;
    return mremap(at, before, n, flags);
}
#define mremap test_mremap
#endif
#define realloc test_realloc
#define mmap test_mmap
#define munmap test_munmap
#include "../../src_c/memory.c"
#undef realloc
#undef mmap
#undef munmap
#undef mremap

#include "check.h"

/* Lines that need every buffer there is: payloads, unescaped text, rows, faults. */
static uint8_t *text_make(size_t n, size_t *len) {
    static const char *const lines[] = {
        "{\"type\":\"unsigned\",\"tax\":1,\"ts\":2,\"a\":[{\"id\":3,\"v\":\"4\"}]}\n",
        "{\"type\":\"unsi\\u0067ned\",\"tax\":1,\"ts\":2,\"a\":[{\"id\":3,\"v\":"
        "\"\\u0034\"},"
        "{\"id\":3,\"v\":\"5\"}]}\n",
        "{\"type\":\"subscribe\"}\n",
    };
    uint8_t payload[75 + 18 * 40] = {0}, *text = malloc(n + 4096);
    if (!text)
        exit(2);
    for (*len = 0; *len < n;) {
        const char *line = lines[random_below(3)];
        memcpy(text + *len, line, strlen(line));
        *len += strlen(line);
        size_t payload_len = codec_payload_len(random_below(41), 0);
        codec_frame_write(text + *len, payload, payload_len);
        *len += 32 + 2 * payload_len;
        text[(*len)++] = '\n';
    }
    return text;
}

static int decode(codec_output *out, const uint8_t *text, size_t len, int job) {
    uint64_t n_lines;
    if (codec_output_expect(out, len, 400))
        return CODEC_NO_MEMORY;
    int status;
    if (job) {
        codec_job *shared = codec_job_new(out, 0);
        if (!shared)
            exit(2);
        status = codec_job_lines(shared, text, len);
        codec_job_free(shared);
    } else {
        status = codec_lines_decode(out, text, len, 0, &n_lines);
    }
    codec_output_finish(out);
    return status;
}

static bool same(const codec_output *a, const codec_output *b) {
    return a->n_updates == b->n_updates && a->n_messages == b->n_messages &&
           a->n_errors == b->n_errors && a->payloads_len == b->payloads_len &&
           !memcmp(a->updates.data, b->updates.data,
                   a->n_updates * sizeof(codec_update)) &&
           !memcmp(a->messages.data, b->messages.data,
                   a->n_messages * sizeof(codec_message)) &&
           !memcmp(a->payloads.data, b->payloads.data, a->payloads_len);
}

/* All messages chosen, with memory for so many allocations. */
static void select_test(const codec_output *good, long count) {
    codec_output chosen = {0};
    uint8_t *keep = malloc(good->n_messages);
    if (!keep)
        exit(2);
    memset(keep, 1, good->n_messages);
    allocations_left = count;
    int status = codec_output_select(&chosen, good, keep);
    allocations_left = -1;
    CHECK(status ? status == CODEC_NO_MEMORY && count < 4 : same(&chosen, good),
          "status %d after %ld", status, count);
    codec_output_release(&chosen);
    free(keep);
}

/* Without memory for notices nothing is taken in; with it again, all is. */
static void monitor_test(void) {
    static codec_monitor monitor = {.period_ns = 1};
    size_t len, n;
    uint8_t *text = text_make(300000, &len);
    codec_output out = {.keep_payloads = 1};
    codec_buffer notices = {NULL, 0};
    CHECK(decode(&out, text, len, 0) == 0, "with memory");
    allocations_left = 0;
    CHECK(codec_monitor_observe(&monitor, &out, &notices, &n) == CODEC_NO_MEMORY, "0");
    allocations_left = -1;
    CHECK(n == 0 && monitor.marked == 0 && !monitor.has_clock, "%zu notices", n);
    CHECK(codec_monitor_observe(&monitor, &out, &notices, &n) == 0, "again");
    const codec_message *last =
        (const codec_message *)(void *)out.messages.data + out.n_messages - 1;
    CHECK(n > 300 && monitor.previous_ns == last->timestamp_ns, "%zu notices", n);
    codec_buffer_release(&notices);
    codec_output_release(&out);
    free(text);
}

/* Fails the first allocation, the second, and so on until none fails: each time the
 * call says so, and the output is good for another one. */
static void exhaustion_test(size_t n, bool pinned, int job) {
    size_t len;
    uint8_t *text = text_make(n, &len);
    codec_output good = {.keep_payloads = 1}, out = {.keep_payloads = 1}, copy = {0};
    CHECK(decode(&good, text, len, job) == 0, "with memory");
    int status = CODEC_NO_MEMORY;
    long count = 0, failures = 0;
    for (; status; count++) {
        allocations_left = count;
        status = decode(&out, text, len, job);
        failures += status != 0;
        bool all = allocations_left > 0;
        allocations_left = -1;
        CHECK(status == 0 || status == CODEC_NO_MEMORY, "status %d", status);
        CHECK(status || same(&out, &good), "results after %ld", count);
        if (!status && !all)
            status = CODEC_NO_MEMORY; /* a guess failed, the results did not */
        codec_output_clear(&out);
        CHECK(decode(&out, text, len, job) == 0 && same(&out, &good), "again");
        allocations_left = count & 3;
        (void)codec_output_copy(&copy, &good);
        allocations_left = -1;
        codec_output_release(&copy);
        select_test(&good, count & 7);
        codec_output_release(&out);
        out = (codec_output){.keep_payloads = 1, .pinned = pinned};
    }
    CHECK(failures > 3 && count < 1000, "%ld of %ld failed", failures, count);
    codec_output_release(&out);
    codec_output_release(&good);
    free(text);
}

/* A decoder that keeps its memory, whose results somebody looks at call after call. */
static void pinned_test(void) {
    codec_output out = {.keep_payloads = 1};
    for (size_t n = 1000; n < 3000000; n *= 3) {
        size_t len;
        uint8_t *text = text_make(n, &len);
        const codec_output before = out;
        out.pinned = 1;
        codec_output_clear(&out);
        CHECK(decode(&out, text, len, 0) == 0, "pinned");
        /* Overwritten perhaps, but all of it still there. */
        for (size_t i = 0; i < before.n_updates * sizeof(codec_update); i++)
            *(volatile uint8_t *)(before.updates.data + i);
        for (size_t i = 0; i < before.payloads_len; i++)
            *(volatile uint8_t *)(before.payloads.data + i);
        free(text);
    }
    CHECK(out.n_retired > 0, "nothing was outgrown");
    codec_output_unpin(&out);
    CHECK(out.n_retired == 0, "unpinned");
    codec_output_release(&out);
}

/* What is released beyond the stock's limit goes back to the system. */
static void stock_test(void) {
    enum { N = 40 };
    codec_buffer buffers[N] = {{NULL, 0}};
    for (int i = 0; i < N; i++)
        CHECK(!codec_buffer_reserve(&buffers[i], 0, (size_t)(i + 1) << 20), "%d", i);
    for (int i = 0; i < N; i++)
        codec_buffer_release(&buffers[i]);
    CHECK(mapped <= (long)STOCK_BYTES, "%ld bytes are kept", mapped);
    CHECK(stock.bytes == (size_t)mapped, "%zu in stock, %ld mapped", stock.bytes,
          mapped);
    codec_buffer buffer = {NULL, 0};
    CHECK(codec_buffer_reserve(&buffer, 0, SIZE_MAX), "SIZE_MAX bytes");
    CHECK(codec_buffer_reserve(&buffer, 0, SIZE_MAX / 2), "SIZE_MAX / 2 bytes");
}

/* Growth keeps contents, through malloc, mappings, and what trim leaves. */
static void growth_test(void) {
    codec_buffer buffer = {NULL, 0};
    size_t used = 0;
    while (used < ((size_t)20 << 20)) {
        size_t more = 1 + used / 7;
        CHECK(!codec_buffer_reserve(&buffer, used, used + more), "%zu", used);
        CHECK(buffer.capacity >= used + more, "%zu", buffer.capacity);
        for (size_t i = used; i < used + more; i++)
            buffer.data[i] = (uint8_t)(i % 251);
        for (size_t i = 0; i < used; i += 1 + used / 1000)
            CHECK(buffer.data[i] == i % 251, "byte %zu of %zu is lost", i, used);
        used += more;
    }
    for (size_t keep = used; keep; keep /= 3) {
        codec_buffer_trim(&buffer, keep);
        CHECK(buffer.capacity >= keep, "%zu left for %zu", buffer.capacity, keep);
        CHECK(buffer.data[keep - 1] == (keep - 1) % 251, "byte %zu is cut off", keep);
    }
    codec_buffer_release(&buffer);
    codec_buffer_release(&buffer);
    CHECK(buffer.data == NULL && buffer.capacity == 0, "released");
}

int main(void) {
    codec_isa_select(codec_isa_name(0));
    for (int pinned = 0; pinned < 2; pinned++) {
        exhaustion_test(2000, pinned, 0);
        exhaustion_test(300000, pinned, 0);
        exhaustion_test(700000, pinned, 1);
    }
    monitor_test();
    pinned_test();
    growth_test();
    stock_test();
    return check_report("memory");
}
