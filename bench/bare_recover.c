/* What codec.recover cannot beat: libsecp256k1's recovery, one after the other. */
#include <stddef.h>
#include <stdint.h>

typedef int recover_function(const void *context, uint8_t *key,
                             const uint8_t *signature, const uint8_t *digest);

/* keys: n times 64 bytes, written. signatures: n times 65, parsed. Returns how many
 * were recovered. */
size_t bare_recover(recover_function *recover, const void *context, uint8_t *keys,
                    const uint8_t *signatures, const uint8_t *digests, size_t n) {
    size_t n_recovered = 0;
    for (size_t i = 0; i < n; i++)
        n_recovered +=
            recover(context, keys + 64 * i, signatures + 65 * i, digests + 32 * i) == 1;
    return n_recovered;
}
