/* Several threads on one input.
 *
 * The input is cut into blocks. A worker claims the next block, decodes it into memory
 * of its own that stays in its cache, waits until all blocks before it have taken their
 * places in the result, takes the next one and copies. So the result is contiguous and
 * in order, the input is read once, and nothing of its size is held beside the result.
 *
 * A buffer of the result can only grow, and so move, while nobody copies into it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"

/* Block and results stay in a core's second-level cache. */
#define BLOCK_LEN ((size_t)256 << 10)
#define TURN_SPINS 1000

struct codec_job {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* committed, copying or status */
    codec_output *out;
    int stop;
    atomic_int status;          /* what ended the job early */
    uint64_t claimed;           /* blocks handed out */
    _Atomic uint64_t committed; /* blocks that have their place */
    uint64_t n_indices;         /* messages, good and bad, in committed blocks */
    size_t at;                  /* where the next block of lines starts */
    unsigned copying;
    unsigned workers; /* inside, between enter and leave */
    int ended;        /* nobody else may enter */
};

codec_job *codec_job_new(codec_output *out, int stop) {
    codec_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->changed, NULL);
    job->out = out;
    job->stop = stop;
    return job;
}

void codec_job_free(codec_job *job) {
    if (!job)
        return;
    pthread_mutex_destroy(&job->lock);
    pthread_cond_destroy(&job->changed);
    free(job);
}

int codec_job_enter(codec_job *job) {
    pthread_mutex_lock(&job->lock);
    int may = !job->ended;
    job->workers += may != 0;
    pthread_mutex_unlock(&job->lock);
    return may;
}

void codec_job_leave(codec_job *job) {
    pthread_mutex_lock(&job->lock);
    job->workers--;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

int codec_job_end(codec_job *job, int early) {
    pthread_mutex_lock(&job->lock);
    job->ended = 1;
    if (early && !job->status)
        job->status = CODEC_NO_MEMORY;
    pthread_cond_broadcast(&job->changed);
    while (job->workers)
        pthread_cond_wait(&job->changed, &job->lock);
    int status = job->status;
    pthread_mutex_unlock(&job->lock);
    return status;
}

uint64_t codec_job_claim(codec_job *job) {
    pthread_mutex_lock(&job->lock);
    uint64_t block = job->claimed++;
    pthread_mutex_unlock(&job->lock);
    return block;
}

int codec_job_stopped(codec_job *job) {
    pthread_mutex_lock(&job->lock);
    int stopped = job->status != 0;
    pthread_mutex_unlock(&job->lock);
    return stopped;
}

static size_t messages_len(const codec_output *out) {
    return out->n_messages * sizeof(codec_message);
}

static bool part_fits(const codec_output *out, const codec_output *part) {
    for (int i = 0; i < CODEC_N_COLUMNS; i++)
        if ((out->n_split + part->n_split) * codec_column_widths[i] >
            out->columns[i].capacity)
            return false;
    return output_rows_used(out) + output_rows_used(part) <= out->updates.capacity &&
           messages_len(out) + messages_len(part) <= out->messages.capacity &&
           out->payloads_len + part->payloads_len <= out->payloads.capacity;
}

static int part_reserve(codec_output *out, const codec_output *part) {
    if ((out->columnar && codec_columns_reserve(out, out->n_split + part->n_split)) ||
        output_reserve(out, &out->updates, output_rows_used(out),
                       output_rows_used(part)) ||
        output_reserve(out, &out->messages, messages_len(out), messages_len(part)) ||
        output_reserve(out, &out->payloads, out->payloads_len, part->payloads_len))
        return CODEC_NO_MEMORY;
    return 0;
}

/* The part's faults, in its place among the indices: under the lock. */
static int errors_append(codec_job *job, const codec_output *part) {
    const codec_error *errors = (const codec_error *)(const void *)part->errors.data;
    for (size_t i = 0; i < part->n_errors; i++) {
        if (codec_error_append(job->out, job->n_indices + errors[i].index,
                               errors[i].offset, errors[i].code))
            return CODEC_NO_MEMORY;
    }
    return 0;
}

static void result_copy(codec_buffer to, size_t place, codec_buffer from, size_t n) {
    if (n)
        codec_stream_copy(to.data + place, from.data, n);
}

static void part_copy(const codec_output *out, const codec_output *place,
                      codec_output *part) {
    codec_message *messages = (codec_message *)(void *)part->messages.data;
    for (size_t i = 0; i < part->n_messages; i++) {
        messages[i].first_update += place->n_updates;
        if (messages[i].kind && part->keep_payloads)
            messages[i].payload_offset += place->payloads_len;
    }
    result_copy(out->updates, output_rows_used(place), part->updates,
                output_rows_used(part));
    for (int i = 0; i < CODEC_N_COLUMNS; i++)
        result_copy(out->columns[i], place->n_split * codec_column_widths[i],
                    part->columns[i], part->n_split * codec_column_widths[i]);
    result_copy(out->messages, messages_len(place), part->messages, messages_len(part));
    result_copy(out->payloads, place->payloads_len, part->payloads, part->payloads_len);
    codec_kernels_active->stream_end();
}

/* A turn is mostly some microseconds away, and sleeping and waking take longer. */
static void turn_await(codec_job *job, uint64_t block) {
    for (int i = 0; i < TURN_SPINS; i++) {
        if (atomic_load_explicit(&job->committed, memory_order_relaxed) == block ||
            atomic_load_explicit(&job->status, memory_order_relaxed))
            return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

int codec_job_commit(codec_job *job, uint64_t block, codec_output *part, int status,
                     uint64_t n_indices) {
    codec_output *out = job->out;
    turn_await(job, block);
    pthread_mutex_lock(&job->lock);
    while (job->committed != block && !job->status)
        pthread_cond_wait(&job->changed, &job->lock);
    while (!job->status && job->copying && !part_fits(out, part))
        pthread_cond_wait(&job->changed, &job->lock);
    if (job->status) { /* an earlier block ended the job */
        status = job->status;
        pthread_mutex_unlock(&job->lock);
        return status;
    }
    const codec_output place = *out;
    if (part_reserve(out, part) || errors_append(job, part))
        status = CODEC_NO_MEMORY;
    if (status == 0) {
        out->n_updates += part->n_updates;
        out->n_split += part->n_split;
        out->wide |= part->wide;
        out->n_messages += part->n_messages;
        out->payloads_len += part->payloads_len;
        job->n_indices += n_indices;
        job->copying++;
    }
    job->status = status;
    job->committed++;
    pthread_cond_broadcast(&job->changed);
    if (status == 0) {
        const codec_output target = *out;
        pthread_mutex_unlock(&job->lock);
        part_copy(&target, &place, part);
        pthread_mutex_lock(&job->lock);
        job->copying--;
        pthread_cond_broadcast(&job->changed);
    }
    pthread_mutex_unlock(&job->lock);
    return status;
}

/* The next block of whole lines; false where none is left. */
static bool lines_claim(codec_job *job, const uint8_t *text, size_t len,
                        uint64_t *block, codec_span *lines) {
    pthread_mutex_lock(&job->lock);
    bool found = job->at < len && !job->status;
    if (found) {
        size_t left = len - job->at, n = left;
        if (left > BLOCK_LEN) {
            n = BLOCK_LEN - 1;
            n += codec_line_len(text + job->at + n, left - n);
            n += n < left; /* the line end */
        }
        *lines = (codec_span){text + job->at, n};
        *block = job->claimed++;
        job->at += n;
    }
    pthread_mutex_unlock(&job->lock);
    return found;
}

int codec_job_lines(codec_job *job, const uint8_t *text, size_t len) {
    codec_output part = {.keep_payloads = job->out->keep_payloads,
                         .columnar = job->out->columnar};
    uint64_t block, n_lines;
    codec_span lines;
    int status = 0;
    while (status == 0 && lines_claim(job, text, len, &block, &lines)) {
        codec_output_clear(&part);
        status = codec_lines_decode(&part, lines.data, lines.len, job->stop, &n_lines);
        codec_output_finish(&part);
        status = codec_job_commit(job, block, &part, status, n_lines);
    }
    codec_output_release(&part);
    return status;
}
