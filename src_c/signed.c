/* Things with a signature: reading them, and what must hold before any arithmetic. */
#include "signed.h"

/* Inputs handed to keccak at once: its lanes run dry only at the end of them. */
#define HASHES 256

/* The group's order n and (n - 1) / 2 */
static const uint8_t order[32] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xBA, 0xAE, 0xDC, 0xE6, 0xAF, 0x48,
    0xA0, 0x3B, 0xBF, 0xD2, 0x5E, 0x8C, 0xD0, 0x36, 0x41, 0x41,
};
static const uint8_t half_order[32] = {
    0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x5D, 0x57, 0x6E, 0x73, 0x57, 0xA4,
    0x50, 0x1D, 0xDF, 0xE9, 0x2F, 0x46, 0x68, 0x1B, 0x20, 0xA0,
};

static bool is_scalar(const uint8_t x[32]) {
    static const uint8_t zero[32];
    return memcmp(x, order, 32) < 0 && memcmp(x, zero, 32) != 0;
}

static int signature_check(const uint8_t signature[CODEC_SIGNATURE_LEN]) {
    if (signature[64] > 1)
        return CODEC_ERROR_INVALID_V;
    if (!is_scalar(signature) || !is_scalar(signature + 32))
        return CODEC_ERROR_SCALAR_RANGE;
    if (memcmp(signature + 32, half_order, 32) > 0)
        return CODEC_ERROR_HIGH_S;
    return 0;
}

/* Reads a message's signature and finds its body. Rows and arena are arrays that a user
 * may write to at any time, so each field is read once, and held to the arena. */
static int message_read(const codec_signed *items, size_t i, uint8_t *signature,
                        codec_span *body) {
    const codec_message *message = &items->messages[i];
    uint64_t offset = __atomic_load_n(&message->payload_offset, __ATOMIC_RELAXED);
    uint32_t len = __atomic_load_n(&message->payload_len, __ATOMIC_RELAXED);
    if (message->kind == 0)
        return CODEC_ERROR_UNSIGNED;
    if (len < CODEC_SIGNATURE_LEN || offset > items->arena_len ||
        len > items->arena_len - offset)
        return CODEC_ERROR_INVALID_LENGTH;
    const uint8_t *payload = items->arena + offset;
    memcpy(signature, payload, CODEC_SIGNATURE_LEN);
    *body = (codec_span){payload + CODEC_SIGNATURE_LEN, len - CODEC_SIGNATURE_LEN};
    return 0;
}

uint64_t codec_signature_offset(const codec_signed *items, size_t i, int code) {
    uint8_t signature[CODEC_SIGNATURE_LEN];
    codec_span body;
    switch (code) {
    case CODEC_ERROR_INVALID_V:
        return 64;
    case CODEC_ERROR_SCALAR_RANGE:
        return message_read(items, i, signature, &body) == 0 && is_scalar(signature)
                   ? 32
                   : 0;
    case CODEC_ERROR_HIGH_S:
        return 32;
    default:
        return 0;
    }
}

static void digest_read(const codec_signed *items, size_t i, uint8_t *signature,
                        uint8_t *digest) {
    ptrdiff_t at = (ptrdiff_t)i;
    memcpy(signature, items->signatures + at * items->signature_stride,
           CODEC_SIGNATURE_LEN);
    memcpy(digest, items->digests + at * items->digest_stride, 32);
    signature[64] = (uint8_t)(signature[64] - items->v_offset);
}

/* Sorts out what libsecp256k1 must not see: its parser ends the process for some v. */
void codec_candidates_read(codec_candidates *found, const codec_signed *items,
                           size_t start, size_t n, codec_signer *signers) {
    found->n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = found->n;
        int status = 0;
        if (items->messages)
            status =
                message_read(items, start + i, found->signatures[k], &found->bodies[k]);
        else
            digest_read(items, start + i, found->signatures[k], found->digests[k]);
        if (status == 0)
            status = signature_check(found->signatures[k]);
        signers[i] = (codec_signer){.status = (uint8_t)status};
        if (status == 0)
            found->place[found->n++] = (uint16_t)i;
    }
    if (items->messages)
        codec_keccak256_many(found->digests[0], found->bodies, found->n);
}

void codec_messages_digest(uint8_t *digests, const codec_signed *items) {
    for (size_t start = 0; start < items->n; start += HASHES) {
        size_t n = items->n - start < HASHES ? items->n - start : HASHES;
        uint8_t signature[CODEC_SIGNATURE_LEN];
        codec_span bodies[HASHES];
        bool has_body[HASHES];
        for (size_t i = 0; i < n; i++) {
            bodies[i] = (codec_span){NULL, 0};
            has_body[i] = message_read(items, start + i, signature, &bodies[i]) == 0;
        }
        codec_keccak256_many(digests + 32 * start, bodies, n);
        for (size_t i = 0; i < n; i++) {
            if (!has_body[i])
                memset(digests + 32 * (start + i), 0, 32);
        }
    }
}

void codec_eip191_digest(uint8_t *digests, const uint8_t *hashes, ptrdiff_t stride,
                         size_t n) {
    static const uint8_t head[28] = "\x19"
                                    "Ethereum Signed Message:\n32";
    uint8_t texts[HASHES][sizeof head + 32];
    codec_span spans[HASHES];
    for (size_t i = 0; i < HASHES; i++) {
        memcpy(texts[i], head, sizeof head);
        spans[i] = (codec_span){texts[i], sizeof texts[i]};
    }
    for (size_t start = 0; start < n; start += HASHES) {
        size_t n_here = n - start < HASHES ? n - start : HASHES;
        for (size_t i = 0; i < n_here; i++)
            memcpy(texts[i] + sizeof head, hashes + (ptrdiff_t)(start + i) * stride,
                   32);
        codec_keccak256_many(digests + 32 * start, spans, n_here);
    }
}
