/* The permutation Keccak-f[1600] on whatever `lanes` is: one state of 64-bit words, or
 * as many states at once as a vector has room for. Who includes this defines before:
 *
 *   lanes                the type of a word of the state
 *   LANES_TARGET         the functions' target attribute
 *   LANES_XOR(a, b)      a ^ b
 *   LANES_XOR3(a, b, c)  a ^ b ^ c
 *   LANES_CHI(a, b, c)   a ^ (~b & c)
 *   LANES_ROTATE(a, n)   a rotated left by n, a constant in 1 .. 63
 *   LANES_ALL(x)         the 64-bit x in every state
 *
 * The state is indexed x + 5 * y. Arrays have constant indices only, so that compilers
 * keep them in registers. */

#define KECCAK_RATE 136 /* bytes of a block of keccak256 */

static const uint64_t keccak_round_constants[24] = {
    0x0000000000000001ULL, 0x0000000000008082ULL, 0x800000000000808AULL,
    0x8000000080008000ULL, 0x000000000000808BULL, 0x0000000080000001ULL,
    0x8000000080008081ULL, 0x8000000000008009ULL, 0x000000000000008AULL,
    0x0000000000000088ULL, 0x0000000080008009ULL, 0x000000008000000AULL,
    0x000000008000808BULL, 0x800000000000008BULL, 0x8000000000008089ULL,
    0x8000000000008003ULL, 0x8000000000008002ULL, 0x8000000000000080ULL,
    0x000000000000800AULL, 0x800000008000000AULL, 0x8000000080008081ULL,
    0x8000000000008080ULL, 0x0000000080000001ULL, 0x8000000080008008ULL,
};

#define KECCAK_COLUMN(a, x)                                                            \
    LANES_XOR3(LANES_XOR3(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20])

/* theta's sum, rho's rotation and pi's move of one word. */
#define KECCAK_MOVE(a, from, n) LANES_ROTATE(LANES_XOR(a[from], d[from % 5]), n)

/* Row y of the next state out of five words of this one, the first already moved. */
#define KECCAK_ROW(a, e, y, first, i1, n1, i2, n2, i3, n3, i4, n4)                     \
    do {                                                                               \
        lanes b0 = first, b1 = KECCAK_MOVE(a, i1, n1), b2 = KECCAK_MOVE(a, i2, n2);    \
        lanes b3 = KECCAK_MOVE(a, i3, n3), b4 = KECCAK_MOVE(a, i4, n4);                \
        e[5 * y] = LANES_CHI(b0, b1, b2);                                              \
        e[5 * y + 1] = LANES_CHI(b1, b2, b3);                                          \
        e[5 * y + 2] = LANES_CHI(b2, b3, b4);                                          \
        e[5 * y + 3] = LANES_CHI(b3, b4, b0);                                          \
        e[5 * y + 4] = LANES_CHI(b4, b0, b1);                                          \
    } while (0)

#define KECCAK_ROUND(a, e, round)                                                      \
    do {                                                                               \
        lanes c0 = KECCAK_COLUMN(a, 0), c1 = KECCAK_COLUMN(a, 1);                      \
        lanes c2 = KECCAK_COLUMN(a, 2), c3 = KECCAK_COLUMN(a, 3);                      \
        lanes c4 = KECCAK_COLUMN(a, 4);                                                \
        lanes d[5] = {                                                                 \
            LANES_XOR(c4, LANES_ROTATE(c1, 1)), LANES_XOR(c0, LANES_ROTATE(c2, 1)),    \
            LANES_XOR(c1, LANES_ROTATE(c3, 1)), LANES_XOR(c2, LANES_ROTATE(c4, 1)),    \
            LANES_XOR(c3, LANES_ROTATE(c0, 1))};                                       \
        KECCAK_ROW(a, e, 0, LANES_XOR(a[0], d[0]), 6, 44, 12, 43, 18, 21, 24, 14);     \
        e[0] = LANES_XOR(e[0], LANES_ALL(keccak_round_constants[round]));              \
        KECCAK_ROW(a, e, 1, KECCAK_MOVE(a, 3, 28), 9, 20, 10, 3, 16, 45, 22, 61);      \
        KECCAK_ROW(a, e, 2, KECCAK_MOVE(a, 1, 1), 7, 6, 13, 25, 19, 8, 20, 18);        \
        KECCAK_ROW(a, e, 3, KECCAK_MOVE(a, 4, 27), 5, 36, 11, 10, 17, 15, 23, 56);     \
        KECCAK_ROW(a, e, 4, KECCAK_MOVE(a, 2, 62), 8, 55, 14, 39, 15, 41, 21, 2);      \
    } while (0)

LANES_TARGET __attribute__((noinline)) static void keccak_permute(lanes state[25]) {
    lanes a[25], e[25];
#pragma GCC unroll 25
    for (int i = 0; i < 25; i++)
        a[i] = state[i];
    for (int round = 0; round < 24; round += 2) {
        KECCAK_ROUND(a, e, round);
        KECCAK_ROUND(e, a, round + 1);
    }
#pragma GCC unroll 25
    for (int i = 0; i < 25; i++)
        state[i] = a[i];
}
