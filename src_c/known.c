/* Verification by known keys over batches: a path does the arithmetic, and libsecp256k1
 * decides what no path may. */
#include "scalar64.h"
#include "signed.h"

/* Where things stand in a worker's memory, behind the path's own. */
typedef struct {
    uint8_t signatures[CODEC_KNOWN_BATCH][CODEC_SIGNATURE_LEN];
    uint8_t digests[CODEC_KNOWN_BATCH][32];
    codec_span bodies[CODEC_KNOWN_BATCH];
    codec_signer signers[CODEC_KNOWN_BATCH];
    uint16_t place[CODEC_KNOWN_BATCH];
    uint8_t verdicts[CODEC_KNOWN_BATCH];
} room;

static const codec_known_path *path_of(const codec_recovery *job) {
    return (const codec_known_path *)job->path;
}

static size_t round_up(size_t n) { return (n + 63) & ~(size_t)63; }

size_t codec_recovery_workspace_len(const codec_recovery *job) {
    return job->n_known ? round_up(path_of(job)->workspace_len) + sizeof(room) : 0;
}

/* What libsecp256k1 says of one candidate. */
static void candidate_recover(const codec_recovery *job, const codec_candidates *found,
                              size_t k, codec_signer *signer) {
    uint8_t text[CODEC_KEY_TEXT_LEN], digest[32];
    if (!codec_key_recover(job->lib, text, found->signatures[k], found->digests[k])) {
        signer->status = CODEC_ERROR_NO_POINT;
        return;
    }
    codec_keccak256(digest, text + 1, CODEC_KEY_TEXT_LEN - 1);
    memcpy(signer->address, digest + 12, 20);
}

static void candidate_move(codec_candidates *found, size_t to, size_t from) {
    if (to == from)
        return;
    found->place[to] = found->place[from];
    memcpy(found->signatures[to], found->signatures[from], CODEC_SIGNATURE_LEN);
    memcpy(found->digests[to], found->digests[from], 32);
}

/* Settles the candidates that a key has signed, or that its path leaves undecided; the
 * others stay. */
static void key_try(const codec_recovery *job, const codec_known_key *key,
                    codec_candidates *found, codec_signer *signers, uint8_t *verified,
                    uint8_t *verdicts, void *workspace) {
    size_t n_left = 0;
    path_of(job)->verify(key->g, key->q, (const uint8_t (*)[32])found->digests,
                         (const uint8_t (*)[65])found->signatures, found->n, verdicts,
                         workspace);
    for (size_t k = 0; k < found->n; k++) {
        size_t i = found->place[k];
        if (verdicts[k] == CODEC_KNOWN_BAD) {
            candidate_move(found, n_left++, k);
            continue;
        }
        if (verdicts[k] == CODEC_KNOWN_GOOD)
            memcpy(signers[i].address, key->address, 20);
        else
            candidate_recover(job, found, k, &signers[i]);
        verified[i] =
            codec_signer_is_among(&signers[i], job->addresses, job->n_addresses);
    }
    found->n = n_left;
}

void codec_known_judge(const codec_recovery *job, size_t start, size_t n,
                       codec_signer *signers, uint8_t *verified, void *workspace) {
    room *r =
        (room *)(void *)((uint8_t *)workspace + round_up(path_of(job)->workspace_len));
    codec_candidates found = {0, r->place, r->signatures, r->digests, r->bodies};
    if (!signers)
        signers = r->signers;
    codec_candidates_read(&found, &job->items, start, n, signers);
    memset(verified, 0, n);
    for (size_t i = 0; i < job->n_known && found.n; i++)
        key_try(job, &job->known[i], &found, signers, verified, r->verdicts, workspace);
    /* The rest is bad, unless a signer's key is not known; who signed costs more. */
    if (signers == r->signers && job->n_addresses <= job->n_known)
        return;
    for (size_t k = 0; k < found.n; k++) {
        size_t i = found.place[k];
        candidate_recover(job, &found, k, &signers[i]);
        verified[i] =
            codec_signer_is_among(&signers[i], job->addresses, job->n_addresses);
    }
}

int codec_points_make(codec_points *table, codec_buffer *memory, unsigned window,
                      const uint8_t key[64]) {
    codec_buffer scratch = {NULL, 0};
    unsigned n_rows = (256 + window - 1) / window;
    size_t len = ((size_t)n_rows << (window - 1)) * CODEC_POINT_WORDS * 8;
    if (codec_buffer_reserve(memory, 0, len < CODEC_MAP_MIN ? CODEC_MAP_MIN : len) ||
        codec_buffer_reserve(&scratch, 0,
                             codec_points_scratch_len(window) + CODEC_MAP_MIN)) {
        codec_buffer_release(&scratch);
        return CODEC_NO_MEMORY;
    }
    *table = (codec_points){window, n_rows, (uint64_t *)(void *)memory->data};
    codec_points_build(table, scalar_load_be(key), scalar_load_be(key + 32),
                       scratch.data);
    codec_buffer_release(&scratch);
    return 0;
}

void codec_points_free(codec_buffer *memory) { codec_buffer_release(memory); }

#if defined(__x86_64__)
static bool has_ifma(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}
#endif

const void *codec_known_path_at(size_t index, const char **name) {
    const codec_known_path *paths[2];
    size_t n = 0;
#if defined(__x86_64__)
    if (has_ifma())
        paths[n++] = &codec_known_ifma;
#endif
    paths[n++] = &codec_known_portable;
    if (index >= n)
        return NULL;
    *name = paths[index]->name;
    return paths[index];
}
