/* What recovery (recover.c) and verification by known keys (known.c) share. */
#ifndef CODEC_SIGNED_H
#define CODEC_SIGNED_H

#include "internal.h"

/* The signatures of a block that are worth arithmetic, and what they sign. The caller
 * gives each array room for the whole block, of at most 65,536. */
typedef struct {
    size_t n;
    uint16_t *place; /* in the block */
    uint8_t (*signatures)[CODEC_SIGNATURE_LEN];
    uint8_t (*digests)[32];
    codec_span *bodies;
} codec_candidates;

/* Reads n items from `start` on. Writes the status of each to `signers`, with a zero
 * address; those with status 0 become candidates: v is 0 or 1, r and s are below the
 * group's order, s is low. */
void codec_candidates_read(codec_candidates *found, const codec_signed *items,
                           size_t start, size_t n, codec_signer *signers);

/* A public key as libsecp256k1 writes it: a byte 4, x, y. */
#define CODEC_KEY_TEXT_LEN 65

/* recover.c: the key of one candidate; false where there is none. */
bool codec_key_recover(const codec_secp256k1 *lib, uint8_t text[CODEC_KEY_TEXT_LEN],
                       const uint8_t signature[CODEC_SIGNATURE_LEN],
                       const uint8_t digest[32]);

/* Whether somebody can be named who is one of the sorted addresses. */
bool codec_signer_is_among(const codec_signer *signer, const uint8_t *addresses,
                           size_t n);

#endif
