/* What the C tests share: checks that count, memory between guard pages, and bytes from
 * a generator that gives the same ones every time. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

static unsigned long checks_failed;

/* Reports a failure with a printf-style account of it; only the first few of them. */
#define CHECK(condition, ...)                                                          \
    do {                                                                               \
        if (!(condition) && checks_failed++ < 20) {                                    \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);            \
            fprintf(stderr, __VA_ARGS__);                                              \
            fputc('\n', stderr);                                                       \
        }                                                                              \
    } while (0)

static inline int check_report(const char *what) {
    if (checks_failed) {
        fprintf(stderr, "%s: %lu checks failed\n", what, checks_failed);
        return 1;
    }
    printf("%s: good\n", what);
    return 0;
}

/* `len` readable and writable bytes (whole pages) between two pages that fault. */
typedef struct {
    uint8_t *start, *end;
} guarded;

static inline guarded guarded_new(size_t len) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    len = (len + page - 1) / page * page;
    uint8_t *data = mmap(NULL, len + 2 * page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED || mprotect(data, page, PROT_NONE) ||
        mprotect(data + page + len, page, PROT_NONE)) {
        perror("guard pages");
        exit(2);
    }
    return (guarded){data + page, data + page + len};
}

#define CANARY 0xA5

static inline void guarded_fill(guarded g) {
    memset(g.start, CANARY, (size_t)(g.end - g.start));
}

/* True where nothing but the n bytes at `at` was written since guarded_fill. */
static inline int guarded_clean(guarded g, const uint8_t *at, size_t n) {
    for (const uint8_t *p = g.start; p < g.end; p++) {
        if (p == at)
            p += n;
        if (p < g.end && *p != CANARY)
            return 0;
    }
    return 1;
}

/* xorshift64* */
static uint64_t random_state = 0x9E3779B97F4A7C15ULL;

static inline uint64_t random_u64(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545F4914F6CDD1DULL;
}

static inline size_t random_below(size_t n) {
    return n ? (size_t)(random_u64() % n) : 0;
}

static inline void random_fill(uint8_t *dst, size_t n) {
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)(random_u64() >> 32);
}

#endif
