/* Runs the fuzz target on files: its seeds, or what it found. No fuzzer needed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    static uint8_t data[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 2;
        }
        size_t len = fread(data, 1, sizeof data, file);
        fclose(file);
        /* Behind an abort, the last name is the one. */
        fprintf(stderr, "%s\n", argv[i]);
        LLVMFuzzerTestOneInput(data, len);
    }
    printf("%d inputs: good\n", argc - 1);
    return 0;
}
