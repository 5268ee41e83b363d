/* Signatures that each name their signer: those of one known key are verified together,
 * and whatever that does not find good is recovered, so that who signed is found as if
 * all were. */
#include "known.h"
#include "signed.h"
#include "symbols.h"

/* Signatures of nobody known between two looks at the queue: about a millisecond. */
#define BLOCK 32
#define NOBODY UINT32_MAX
#define V_OFFSET 27

static bool is_checked(uint8_t type, uint8_t status) {
    return type == CODEC_SIGNATURE_EVM && status != CODEC_ERROR_UNSIGNED;
}

static const codec_aggregate *aggregate_at(const codec_aggregator *from, size_t i) {
    return (const codec_aggregate *)(const void *)from->aggregates.data + i;
}

static const codec_publisher_price *publisher_at(const codec_aggregator *from,
                                                 size_t i) {
    return (const codec_publisher_price *)(const void *)from->publishers.data + i;
}

/* The known key of an address, `guess` where it is that. */
static uint32_t key_find(const codec_claims *claims, const uint8_t address[20],
                         uint32_t guess) {
    if (guess < claims->n_known &&
        memcmp(claims->known[guess].address, address, 20) == 0)
        return guess;
    size_t low = 0, n = claims->n_known;
    while (n > low) {
        size_t middle = low + (n - low) / 2;
        int side = memcmp(address, claims->known[middle].address, 20);
        if (side == 0)
            return (uint32_t)middle;
        if (side < 0)
            n = middle;
        else
            low = middle + 1;
    }
    return NOBODY;
}

/* The address that row i claims: aggregates come first, then publishers. NULL where
 * there is nothing to be checked. */
static const uint8_t *claim_at(const codec_aggregator *from, size_t i) {
    if (i < from->n_aggregates) {
        const codec_aggregate *row = aggregate_at(from, i);
        return is_checked(row->signature_type, row->signature) ? row->signer : NULL;
    }
    const codec_publisher_price *row = publisher_at(from, i - from->n_aggregates);
    return is_checked(row->signature_type, 0) ? row->publisher : NULL;
}

static void signature_copy(const codec_aggregator *from, size_t i, uint8_t *digest,
                           uint8_t *signature) {
    const uint8_t *rsv, *signed_;
    if (i < from->n_aggregates) {
        const codec_aggregate_signature *row =
            (const codec_aggregate_signature *)(const void *)
                from->aggregate_signatures.data +
            i;
        rsv = row->rsv;
        signed_ = row->digest;
    } else {
        const codec_publisher_signature *row =
            (const codec_publisher_signature *)(const void *)
                from->publisher_signatures.data +
            (i - from->n_aggregates);
        rsv = row->rsv;
        signed_ = row->digest;
    }
    memcpy(digest, signed_, 32);
    memcpy(signature, rsv, CODEC_SIGNATURE_LEN);
}

/* Memory for n items, all arrays in one block. */
static int arrays_new(codec_claims *claims, size_t n) {
    size_t n_groups = claims->n_known + 1, n_blocks = n + n_groups + 1;
    size_t len = n * (32 + CODEC_SIGNATURE_LEN + sizeof(codec_signer)) +
                 sizeof(uint32_t) * (2 * n + 2 * n_blocks + n_groups + 1);
    if (codec_buffer_reserve(&claims->memory, 0, len + 64))
        return CODEC_NO_MEMORY;
    uint32_t *words = (uint32_t *)(void *)claims->memory.data;
    claims->rows = words;
    claims->keys = words + n;
    claims->blocks = words + 2 * n;
    claims->counts = claims->blocks + 2 * n_blocks;
    claims->digests = (uint8_t *)(claims->counts + n_groups + 1);
    claims->signatures = claims->digests + 32 * n;
    claims->signers = (codec_signer *)(claims->signatures + CODEC_SIGNATURE_LEN * n);
    memset(claims->counts, 0, sizeof(uint32_t) * (n_groups + 1));
    return 0;
}

/* How many of n are recovered in a block: equal blocks, as many for each worker, since
 * each takes up to a millisecond. */
static size_t recovered_most(size_t n, size_t n_workers) {
    size_t n_blocks = (n + BLOCK - 1) / BLOCK;
    n_blocks = (n_blocks + n_workers - 1) / n_workers * n_workers;
    return n_blocks ? (n + n_blocks - 1) / n_blocks : BLOCK;
}

/* Cuts the items, which are in the order of their keys, into blocks: of each its first
 * item and its key. */
static void blocks_cut(codec_claims *claims, size_t n_workers) {
    size_t n_groups = claims->n_known + 1, start = 0;
    claims->n_blocks = 0;
    for (size_t g = 0; g < n_groups; g++) {
        size_t end = claims->counts[g];
        bool is_known = g < claims->n_known;
        size_t most =
            is_known ? CODEC_KNOWN_BATCH : recovered_most(end - start, n_workers);
        if (is_known && n_workers > 1) {
            size_t share = (claims->n / (2 * n_workers) + 7) & ~(size_t)7;
            most = least(most, share < 64 ? 64 : share);
        }
        for (; start < end; start += least(end - start, most)) {
            claims->blocks[2 * claims->n_blocks] = (uint32_t)start;
            claims->blocks[2 * claims->n_blocks++ + 1] =
                is_known ? (uint32_t)g : NOBODY;
        }
    }
    claims->blocks[2 * claims->n_blocks] = (uint32_t)claims->n;
}

int codec_claims_gather(codec_claims *claims, const codec_aggregator *from,
                        size_t start, size_t n_rows, size_t n_workers) {
    size_t end = start + n_rows, n = 0, k = 0;
    uint32_t guess = 0;
    for (size_t i = start; i < end; i++)
        n += claim_at(from, i) != NULL;
    if (n >= UINT32_MAX || arrays_new(claims, n))
        return CODEC_NO_MEMORY;
    claims->n = n;
    /* Counting sort by key; those of nobody known come last. */
    for (size_t i = start; i < end; i++) {
        const uint8_t *claim = claim_at(from, i);
        if (!claim)
            continue;
        uint32_t key = guess = key_find(claims, claim, guess);
        claims->keys[k++] = key;
        claims->counts[1 + (key == NOBODY ? claims->n_known : key)]++;
    }
    for (size_t g = 0; g <= claims->n_known; g++)
        claims->counts[g + 1] += claims->counts[g];
    claims->n_found = claims->counts[claims->n_known];
    k = 0;
    for (size_t i = start; i < end; i++) {
        if (!claim_at(from, i))
            continue;
        uint32_t key = claims->keys[k++];
        size_t place = claims->counts[key == NOBODY ? claims->n_known : key]++;
        claims->rows[place] = (uint32_t)i;
        signature_copy(from, i, claims->digests + 32 * place,
                       claims->signatures + CODEC_SIGNATURE_LEN * place);
    }
    claims->items = (codec_signed){.n = n,
                                   .digests = claims->digests,
                                   .signatures = claims->signatures,
                                   .digest_stride = 32,
                                   .signature_stride = CODEC_SIGNATURE_LEN,
                                   .v_offset = V_OFFSET};
    blocks_cut(claims, n_workers);
    return 0;
}

void codec_claims_release(codec_claims *claims) {
    codec_buffer_release(&claims->memory);
}

/* A recovery that knows one key, whose signer alone is asked for. */
static codec_recovery recovery_of(const codec_claims *claims, uint32_t key) {
    return (codec_recovery){.lib = claims->lib,
                            .items = claims->items,
                            .addresses = claims->known[key].address,
                            .n_addresses = 1,
                            .known = claims->known + key,
                            .n_known = 1,
                            .path = claims->path};
}

int codec_claims_work(codec_claims *claims, size_t n_blocks, void *workspace) {
    while (n_blocks--) {
        size_t i = __atomic_fetch_add(&claims->next, 1, __ATOMIC_RELAXED);
        if (i >= claims->n_blocks)
            return 0;
        size_t start = claims->blocks[2 * i];
        size_t n = claims->blocks[2 * i + 2] - start;
        uint32_t key = claims->blocks[2 * i + 1];
        if (key == NOBODY) {
            codec_signers_recover(claims->lib, &claims->items, start, n,
                                  claims->signers + start);
            continue;
        }
        uint8_t verified[CODEC_KNOWN_BATCH];
        const codec_recovery recovery = recovery_of(claims, key);
        codec_known_judge(&recovery, start, n, claims->signers + start, verified,
                          workspace);
    }
    return 1;
}

size_t codec_claims_workspace_len(const codec_claims *claims) {
    if (!claims->n_found)
        return 0;
    const codec_recovery recovery = recovery_of(claims, 0);
    return codec_recovery_workspace_len(&recovery);
}

void codec_claims_stop(codec_claims *claims) {
    __atomic_store_n(&claims->next, claims->n_blocks, __ATOMIC_RELAXED);
}

/* Holds who signed to the claim. */
static uint8_t claim_judge(codec_signer *signer, const uint8_t claimed[20]) {
    if (!signer->status && memcmp(signer->address, claimed, 20) != 0)
        *signer = (codec_signer){.status = CODEC_ERROR_WRONG_SIGNER};
    return signer->status;
}

void codec_claims_settle(codec_claims *claims, codec_aggregator *to,
                         const uint8_t *trusted, size_t n_trusted) {
    codec_aggregate *aggregates = (codec_aggregate *)(void *)to->aggregates.data;
    codec_publisher_price *publishers =
        (codec_publisher_price *)(void *)to->publishers.data;
    for (size_t k = 0; k < claims->n; k++) {
        size_t i = claims->rows[k];
        codec_signer *signer = claims->signers + k;
        if (i >= to->n_aggregates) {
            codec_publisher_price *row = publishers + (i - to->n_aggregates);
            row->signature = claim_judge(signer, row->publisher);
            row->verified = !(row->signature | row->msg_hash);
            continue;
        }
        codec_aggregate *row = aggregates + i;
        row->signature = claim_judge(signer, row->signer);
        if (!row->signature && trusted &&
            !codec_signer_is_among(signer, trusted, n_trusted))
            row->signature = CODEC_ERROR_UNTRUSTED_SIGNER;
        row->verified = !(row->signature | row->msg_hash | row->encoded_asset_id |
                          row->consistency);
    }
}
