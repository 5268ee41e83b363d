/* Verification of many signatures by one known key: what its files share.
 *
 * For a signature (r, s, v) of digest z by key Q: u1 = z / s, u2 = r / s (mod n),
 * R = u1 G + u2 Q, good where x(R) = r and y(R) has the parity v. Both bases are fixed,
 * so every window of u1 and u2 is one entry of a table and no doubling is left.
 *
 * Nothing here handles secrets, and nothing runs in constant time. */
#ifndef CODEC_KNOWN_H
#define CODEC_KNOWN_H

#include "internal.h"

#define CODEC_POINT_WORDS 8

/* What a path says of a signature. Undecided: a step of the sum was a doubling or met
 * the point at infinity; libsecp256k1 decides. */
enum { CODEC_KNOWN_BAD, CODEC_KNOWN_GOOD, CODEC_KNOWN_UNDECIDED };

/* Signatures that a path takes in one call. */
#define CODEC_KNOWN_BATCH 1024

/* One way of doing the arithmetic. All signatures handed to `verify` have v of 0 or 1,
 * 0 < r < n and 0 < s <= (n - 1) / 2; digests are any 32 bytes. n is at most
 * CODEC_KNOWN_BATCH; `workspace` has workspace_len bytes, aligned to 64, whose contents
 * mean nothing before and after. g and q have the same window. */
typedef struct {
    const char *name;
    size_t workspace_len;
    void (*verify)(const codec_points *g, const codec_points *q,
                   const uint8_t (*digests)[32], const uint8_t (*signatures)[65],
                   size_t n, uint8_t *verdicts, void *workspace);
} codec_known_path;

extern const codec_known_path codec_known_portable;
#if defined(__x86_64__)
extern const codec_known_path codec_known_ifma;
#endif

/* known.c: one block of a job with known keys. `signers` may be NULL. */
void codec_known_judge(const codec_recovery *job, size_t start, size_t n,
                       codec_signer *signers, uint8_t *verified, void *workspace);

/* Numbers of 256 bits, least significant word first. */
typedef struct {
    uint64_t w[4];
} codec_u256;

/* modular.c: variable time. `x` is below the modulus and not 0. */
codec_u256 codec_inverse_mod_p(codec_u256 x);
codec_u256 codec_inverse_mod_n(codec_u256 x);
/* (2^(window * n_rows) - 1) / 2 mod n: what scalars are shifted by before they are cut
 * into windows. */
codec_u256 codec_window_shift(unsigned window, unsigned n_rows);

/* points.c: fills a table whose `points` has room for n_rows << (window - 1) points.
 * x, y: the base, affine, reduced; it is on the curve and not infinity. `scratch` has
 * codec_points_scratch_len(window) bytes, aligned to 64. */
void codec_points_build(codec_points *table, codec_u256 x, codec_u256 y, void *scratch);
size_t codec_points_scratch_len(unsigned window);

#endif
