/* What users of a known key have without codec.KnownSigner: libsecp256k1's
 * verification, one after the other. */
#include <stddef.h>
#include <stdint.h>

typedef int verify_function(const void *context, const uint8_t *signature,
                            const uint8_t *digest, const void *key);

/* verdicts: n bytes, written: 1 where the signature is good, else 0. signatures: n
 * times 64, parsed. key: parsed. Returns how many are good. */
size_t bare_verify(verify_function *verify, const void *context, const void *key,
                   uint8_t *verdicts, const uint8_t *signatures, const uint8_t *digests,
                   size_t n) {
    size_t n_good = 0;
    for (size_t i = 0; i < n; i++) {
        verdicts[i] = verify(context, signatures + 64 * i, digests + 32 * i, key) == 1;
        n_good += verdicts[i];
    }
    return n_good;
}
