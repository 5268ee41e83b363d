/* libFuzzer target: the first byte says how the others are decoded (invariants.h). */
#include <stdlib.h>
#include <string.h>

#include "invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    /* Memory of exactly the input's size, so that a read beyond it is seen. */
    size_t len = size - 1;
    uint8_t *input = malloc(len + (len == 0));
    if (!input)
        return 0;
    memcpy(input, data + 1, len);
    invariants_check(data[0], input, len);
    aggregator_invariants_check(data[0], input, len);
    free(input);
    return 0;
}
