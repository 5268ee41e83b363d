/* Who signed: many signatures judged as the chain does, by libsecp256k1's recovery. */
#include "known.h"
#include "signed.h"

/* Signatures between two looks at the queue: about a millisecond, and whole groups for
 * keccak's eight lanes. */
#define BLOCK 32

/* SECP256K1_EC_UNCOMPRESSED; a constant of the library's interface */
#define KEY_FORMAT 2

bool codec_key_recover(const codec_secp256k1 *lib, uint8_t text[CODEC_KEY_TEXT_LEN],
                       const uint8_t signature[CODEC_SIGNATURE_LEN],
                       const uint8_t digest[32]) {
    uint8_t parsed[CODEC_SECP256K1_SIGNATURE_LEN] __attribute__((aligned(16)));
    uint8_t key[CODEC_SECP256K1_KEY_LEN] __attribute__((aligned(16)));
    size_t len = CODEC_KEY_TEXT_LEN;
    return lib->signature_parse(lib->context, parsed, signature, signature[64]) &&
           lib->recover(lib->context, key, parsed, digest) &&
           lib->key_serialize(lib->context, text, &len, key, KEY_FORMAT);
}

void codec_signers_recover(const codec_secp256k1 *lib, const codec_signed *items,
                           size_t start, size_t n, codec_signer *signers) {
    uint16_t place[BLOCK];
    uint8_t signatures[BLOCK][CODEC_SIGNATURE_LEN], digests[BLOCK][32];
    codec_span bodies[BLOCK];
    codec_candidates found = {0, place, signatures, digests, bodies};
    uint8_t keys[BLOCK][CODEC_KEY_TEXT_LEN];
    codec_span points[BLOCK];
    for (; n; start += BLOCK, signers += BLOCK) {
        size_t n_here = n < BLOCK ? n : BLOCK, n_keys = 0;
        codec_candidates_read(&found, items, start, n_here, signers);
        for (size_t k = 0; k < found.n; k++) {
            if (!codec_key_recover(lib, keys[n_keys], found.signatures[k],
                                   found.digests[k])) {
                signers[found.place[k]].status = CODEC_ERROR_NO_POINT;
                continue;
            }
            found.place[n_keys] = found.place[k];
            points[n_keys] = (codec_span){keys[n_keys] + 1, CODEC_KEY_TEXT_LEN - 1};
            n_keys++;
        }
        codec_keccak256_many(found.digests[0], points, n_keys);
        for (size_t k = 0; k < n_keys; k++)
            memcpy(signers[found.place[k]].address, found.digests[k] + 12, 20);
        n -= n_here;
    }
}

bool codec_signer_is_among(const codec_signer *signer, const uint8_t *addresses,
                           size_t n) {
    size_t low = 0;
    if (signer->status)
        return false;
    while (n > low) {
        size_t middle = low + (n - low) / 2;
        int side = memcmp(signer->address, addresses + 20 * middle, 20);
        if (side == 0)
            return true;
        if (side < 0)
            n = middle;
        else
            low = middle + 1;
    }
    return false;
}

static void block_recover(const codec_recovery *job, size_t start, size_t n) {
    codec_signer here[BLOCK];
    codec_signer *signers = job->signers ? job->signers + start : here;
    codec_signers_recover(job->lib, &job->items, start, n, signers);
    for (size_t i = 0; job->verified && i < n; i++)
        job->verified[start + i] =
            codec_signer_is_among(&signers[i], job->addresses, job->n_addresses);
}

int codec_recovery_work(codec_recovery *job, size_t n_blocks, void *workspace) {
    const size_t n = job->items.n, block = job->n_known ? CODEC_KNOWN_BATCH : BLOCK;
    while (n_blocks--) {
        size_t start = __atomic_fetch_add(&job->next, block, __ATOMIC_RELAXED);
        if (start >= n)
            return 0;
        size_t n_here = n - start < block ? n - start : block;
        if (job->n_known)
            codec_known_judge(job, start, n_here,
                              job->signers ? job->signers + start : NULL,
                              job->verified + start, workspace);
        else
            block_recover(job, start, n_here);
    }
    return 1;
}

void codec_recovery_stop(codec_recovery *job) {
    __atomic_store_n(&job->next, job->items.n, __ATOMIC_RELAXED);
}
