/* Several threads on one text: the result is that of one thread, to the byte.
 *
 * Argument: how many MiB of lines (default 4). */
#include <pthread.h>

#include "check.h"
#include "internal.h"

#define THREADS_MAX 4
/* Lines of about this length, in messages of 0 to 200 records. */
#define LINE_MAX (64 + 2 * (79 + 19 * 200))

typedef struct {
    uint8_t *data;
    size_t len;
} text;

static size_t signed_line(uint8_t *line) {
    size_t n = random_below(20) ? random_below(30) : random_below(201);
    static uint8_t payload[79 + 19 * 200], records[16 * 200];
    int with_status = random_below(4) == 0;
    random_fill(records, sizeof records);
    random_fill(payload, CODEC_SIGNATURE_LEN);
    codec_payload_pack(payload, n, random_u64(), 7, records, 16, records, 16,
                       with_status ? records : NULL, 16);
    size_t len = codec_payload_len(n, with_status);
    codec_frame_write(line, payload, len);
    return 32 + 2 * len;
}

/* One line in eight is faulty, when `bad`; one in eight is an unsigned message. */
static size_t line_make(uint8_t *line, int bad) {
    size_t start = 0, len;
    if (random_below(4) == 0)
        start = (size_t)sprintf((char *)line, "%llu ",
                                (unsigned long long)(random_u64() >> 1));
    if (random_below(8) == 0)
        len = (size_t)sprintf((char *)line + start,
                              "{\"type\":\"unsigned\",\"tax\":1,\"ts\":%u,\"a\":"
                              "[{\"id\":5,\"v\":\"-%u\"},{\"id\":6,\"v\":\"%u\"}]}",
                              (unsigned)random_below(99999), 1 + (unsigned)start, 7u);
    else
        len = signed_line(line + start);
    if (bad && random_below(8) == 0)
        line[start + random_below(len)] = (uint8_t)"\xFF \"g}\n"[random_below(6)];
    return start + len;
}

static text text_make(size_t len, int bad) {
    text t = {malloc(len + LINE_MAX), 0};
    if (!t.data)
        exit(2);
    while (t.len < len) {
        t.len += line_make(t.data + t.len, bad);
        t.data[t.len++] = '\n';
    }
    return t;
}

typedef struct {
    codec_job *job;
    text t;
    int status;
} worker;

static void *worker_run(void *argument) {
    worker *w = argument;
    w->status = codec_job_lines(w->job, w->t.data, w->t.len);
    return NULL;
}

static int threads_run(codec_output *out, text t, int n_threads, int stop) {
    pthread_t threads[THREADS_MAX];
    worker workers[THREADS_MAX];
    codec_job *job = codec_job_new(out, stop);
    if (!job)
        exit(2);
    for (int i = 0; i < n_threads; i++) {
        workers[i] = (worker){job, t, 0};
        if (pthread_create(&threads[i], NULL, worker_run, &workers[i]))
            exit(2);
    }
    int status = 0;
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].status)
            status = workers[i].status;
    }
    codec_job_free(job);
    codec_output_finish(out);
    return status;
}

static int same(codec_buffer a, codec_buffer b, size_t n) {
    return n == 0 || memcmp(a.data, b.data, n) == 0;
}

static void compare(const codec_output *a, const codec_output *b, int n_threads,
                    int all) {
    CHECK(a->n_errors == b->n_errors, "%d threads", n_threads);
    CHECK(same(a->errors, b->errors, a->n_errors * sizeof(codec_error)), "%d threads",
          n_threads);
    if (!all)
        return;
    CHECK(a->n_updates == b->n_updates && a->n_messages == b->n_messages &&
              a->payloads_len == b->payloads_len,
          "%d threads", n_threads);
    CHECK(a->n_split == b->n_split && a->wide == b->wide, "%d threads", n_threads);
    CHECK(same(a->updates, b->updates, output_rows_used(a)), "%d threads", n_threads);
    for (int i = 0; i < CODEC_N_COLUMNS; i++)
        CHECK(same(a->columns[i], b->columns[i], a->n_split * codec_column_widths[i]),
              "%d threads, column %d", n_threads, i);
    CHECK(same(a->messages, b->messages, a->n_messages * sizeof(codec_message)),
          "%d threads", n_threads);
    CHECK(same(a->payloads, b->payloads, a->payloads_len), "%d threads", n_threads);
}

/* With `stop` the fault is the same one; what was decoded before it is nobody's. With
 * `expect` room is made beforehand, else results grow while others copy. */
static void stress(text t, int keep, int stop, int expect, int columnar) {
    codec_output one = {.keep_payloads = keep, .columnar = columnar};
    uint64_t n_lines;
    int status = codec_lines_decode(&one, t.data, t.len, stop, &n_lines);
    codec_output_finish(&one);
    CHECK(stop || n_lines == one.n_messages + one.n_errors, "lines are lost");
    codec_output many = {.keep_payloads = keep, .columnar = columnar};
    for (int n_threads = 1; n_threads <= THREADS_MAX; n_threads++) {
        codec_output_clear(&many);
        if (!expect) {
            codec_output_release(&many);
            many = (codec_output){.keep_payloads = keep, .columnar = columnar};
        } else if (codec_output_expect(&many, t.len, codec_line_len(t.data, t.len))) {
            exit(2);
        }
        many.pinned = n_threads & 1;
        int result = threads_run(&many, t, n_threads, stop);
        CHECK(result == status, "%d threads: %d, not %d", n_threads, result, status);
        compare(&one, &many, n_threads, status == 0);
        codec_output_unpin(&many);
    }
    codec_output_release(&many);
    codec_output_release(&one);
}

int main(int argc, char **argv) {
    size_t len = (argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 4) << 20;
    len += len == 0;
    codec_isa_select(codec_isa_name(0));
    text good = text_make(len, 0), bad = text_make(len, 1);
    for (int i = 0; i < 8; i++) {
        stress(good, i & 1, 0, i & 2, i & 4);
        stress(bad, i & 1, 0, i & 2, i & 4);
    }
    stress(good, 1, 1, 0, 0);
    stress(bad, 1, 1, 1, 1);
    /* A fault in the last line only: many blocks are under way when it is found. */
    good.data[good.len - 2] = 'x';
    stress(good, 1, 1, 0, 0);
    free(good.data);
    free(bad.data);
    return check_report("jobs");
}
