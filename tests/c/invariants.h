/* What holds for the decoder on any input, whatever path and instruction set it takes.
 */
#ifndef INVARIANTS_H
#define INVARIANTS_H

#include <stddef.h>
#include <stdint.h>

/* How an input is decoded: the bits of one byte. */
enum {
    MODE_FORM = 3, /* what the input is: see below */
    MODE_ISA = 3 << 2,
    MODE_KEEP = 1 << 4,   /* payloads */
    MODE_STREAM = 1 << 5, /* around the caches */
    MODE_STOP = 1 << 6,   /* at the first fault */
    MODE_PINNED = 1 << 7, /* results are looked at: outgrown memory is kept */
};
enum { FORM_TEXT, FORM_LINES, FORM_BINARY, FORM_TEXTS };

/* Decodes the input and checks the result against itself and against the slow way:
 * message by message, scalar kernels, no compact form. Says what differs and aborts
 * where something does. Reads nothing but the `len` bytes at `input`. */
void invariants_check(unsigned mode, const uint8_t *input, size_t len);
/* The same of the aggregator's messages. */
void aggregator_invariants_check(unsigned mode, const uint8_t *input, size_t len);

#endif
