/* Chooses the kernels: the best set that the processor and its system support. */
#include "internal.h"

const codec_kernels *codec_kernels_active = &codec_kernels_scalar;

#if defined(__x86_64__)
/* __builtin_cpu_supports asks CPUID, and XGETBV for the register state. */
static bool has_sse41(void) {
    return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

static bool has_avx2(void) { return has_sse41() && __builtin_cpu_supports("avx2"); }

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi");
}
#endif

/* The sets of this machine, best first; returns how many. */
static size_t available(const codec_kernels *sets[4]) {
    size_t n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (has_avx512())
        sets[n++] = &codec_kernels_avx512;
    if (has_avx2())
        sets[n++] = &codec_kernels_avx2;
    if (has_sse41())
        sets[n++] = &codec_kernels_sse41;
#elif defined(__aarch64__)
    sets[n++] = &codec_kernels_neon;
#endif
    sets[n++] = &codec_kernels_scalar;
    return n;
}

const char *codec_isa_name(size_t index) {
    const codec_kernels *sets[4];
    return index < available(sets) ? sets[index]->name : NULL;
}

const char *codec_isa_selected(void) { return codec_kernels_active->name; }

int codec_isa_select(const char *name) {
    const codec_kernels *sets[4];
    size_t n = available(sets);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sets[i]->name, name) == 0) {
            codec_kernels_active = sets[i];
            return 0;
        }
    }
    return -1;
}
