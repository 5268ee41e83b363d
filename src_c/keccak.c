/* keccak256 as Ethereum uses it: Keccak[512] with the padding of 2011, not FIPS 202's.
 */
#include "internal.h"

typedef uint64_t lanes;
#define LANES_TARGET
#define LANES_XOR(a, b) ((a) ^ (b))
#define LANES_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define LANES_CHI(a, b, c) ((a) ^ (~(b) & (c)))
#define LANES_ROTATE(a, n) rotate_left(a, n)
#define LANES_ALL(x) (x)

static inline uint64_t rotate_left(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

#include "keccak_permute.h"

static void absorb(uint64_t a[25], const uint8_t block[KECCAK_RATE]) {
    for (int i = 0; i < KECCAK_RATE / 8; i++)
        a[i] ^= load_le64(block + 8 * i);
    keccak_permute(a);
}

void codec_keccak256(uint8_t digest[32], const uint8_t *data, size_t len) {
    uint64_t a[25] = {0};
    for (; len >= KECCAK_RATE; len -= KECCAK_RATE, data += KECCAK_RATE)
        absorb(a, data);
    uint8_t last[KECCAK_RATE] = {0};
    if (len)
        memcpy(last, data, len);
    last[len] = 0x01;
    last[KECCAK_RATE - 1] |= 0x80;
    absorb(a, last);
    memcpy(digest, a, 32);
}

void codec_keccak256_many(uint8_t *digests, const codec_span *data, size_t n) {
    if (codec_kernels_active->keccak256_many) {
        codec_kernels_active->keccak256_many(digests, data, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        codec_keccak256(digests + 32 * i, data[i].data, data[i].len);
}
