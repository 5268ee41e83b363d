/* keccak256 in lanes against one at a time, with every input at the edge of what may be
 * read; recovery of rows that lie; dropped messages. The library behind the recovery is
 * a stand-in that says what reached it: the real one is the Python tests' part. */
#include "check.h"
#include "internal.h"

#define MAX_INPUTS 40
#define MAX_LEN 420

static guarded input_pages, digest_pages;

/* Inputs one after the other that end, or begin, at a guard page. */
static size_t inputs_place(codec_span *spans, const size_t *lens, size_t n,
                           int at_end) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += lens[i];
    uint8_t *at = at_end ? input_pages.end - total : input_pages.start;
    for (size_t i = 0; i < n; i++) {
        random_fill(at, lens[i]);
        spans[i] = (codec_span){at, lens[i]};
        at += lens[i];
    }
    return total;
}

static void lanes_check(const size_t *lens, size_t n) {
    codec_span spans[MAX_INPUTS];
    for (int at_end = 0; at_end < 2; at_end++) {
        inputs_place(spans, lens, n, at_end);
        guarded_fill(digest_pages);
        uint8_t *digests = digest_pages.end - 32 * n;
        codec_keccak256_many(digests, spans, n);
        CHECK(guarded_clean(digest_pages, digests, 32 * n), "%zu inputs", n);
        for (size_t i = 0; i < n; i++) {
            uint8_t expected[32];
            codec_keccak256(expected, spans[i].data, spans[i].len);
            CHECK(memcmp(digests + 32 * i, expected, 32) == 0,
                  "%s: input %zu of %zu, %zu bytes", codec_isa_selected(), i, n,
                  lens[i]);
        }
    }
}

static void lanes_test(int rounds) {
    size_t lens[MAX_INPUTS];
    for (size_t len = 0; len <= MAX_LEN; len++) {
        for (size_t i = 0; i < 9; i++)
            lens[i] = len;
        lanes_check(lens, 1 + len % 9);
    }
    static const size_t edges[] = {0,   1,   7,   8,   63,  64,  65,  127,
                                   128, 129, 134, 135, 136, 137, 199, 200,
                                   201, 263, 264, 271, 272, 273};
    for (int round = 0; round < rounds; round++) {
        size_t n = random_below(MAX_INPUTS + 1);
        for (size_t i = 0; i < n; i++)
            lens[i] = round % 2 ? random_below(MAX_LEN)
                                : edges[random_below(sizeof edges / sizeof *edges)];
        lanes_check(lens, n);
    }
    codec_span nothing[9] = {{NULL, 0}};
    uint8_t digests[9 * 32], empty[32];
    codec_keccak256(empty, NULL, 0);
    codec_keccak256_many(digests, nothing, 9);
    for (size_t i = 0; i < 9; i++)
        CHECK(memcmp(digests + 32 * i, empty, 32) == 0, "%s: no data, lane %zu",
              codec_isa_selected(), i);
    static const uint8_t known[4] = {0xC5, 0xD2, 0x46, 0x01};
    CHECK(memcmp(empty, known, 4) == 0, "keccak256 of nothing");
}

/* A library whose "key" is the signature's r twice, and which finds none for r = 5. */
static size_t n_parsed;

static int stub_parse(const void *context, void *signature, const uint8_t *rs, int v) {
    CHECK(context == &n_parsed && (v == 0 || v == 1), "v %d reached the library", v);
    memcpy(signature, rs, 64);
    ((uint8_t *)signature)[64] = (uint8_t)v;
    n_parsed++;
    return 1;
}

static int stub_recover(const void *context, void *key, const void *signature,
                        const uint8_t *digest) {
    (void)context, (void)digest;
    memcpy(key, signature, 32);
    memcpy((uint8_t *)key + 32, signature, 32);
    return ((const uint8_t *)signature)[31] != 5;
}

static int stub_serialize(const void *context, uint8_t *text, size_t *len,
                          const void *key, unsigned format) {
    (void)context;
    CHECK(*len == 65 && format == 2, "%zu bytes, format %u", *len, format);
    text[0] = 4;
    memcpy(text + 1, key, 64);
    return 1;
}

static const codec_secp256k1 stub = {&n_parsed, stub_parse, stub_recover,
                                     stub_serialize};

static codec_signer signer_of(const uint8_t r[32]) {
    uint8_t key[64], digest[32];
    memcpy(key, r, 32);
    memcpy(key + 32, r, 32);
    codec_keccak256(digest, key, 64);
    codec_signer signer = {.status = 0};
    memcpy(signer.address, digest + 12, 20);
    return signer;
}

enum { N_MESSAGES = 77, PAYLOAD_LEN = 93 };

/* Payloads that fill the arena to its last byte: r = i + 1, s = 1, v = 0 or 1. */
static void messages_make(codec_message *messages, uint8_t *arena) {
    memset(arena, 0, N_MESSAGES * PAYLOAD_LEN);
    memset(messages, 0, N_MESSAGES * sizeof *messages);
    for (size_t i = 0; i < N_MESSAGES; i++) {
        uint8_t *payload = arena + i * PAYLOAD_LEN;
        payload[31] = (uint8_t)(i + 1);
        payload[63] = 1;
        payload[64] = i & 1;
        messages[i].kind = 1;
        messages[i].payload_offset = i * PAYLOAD_LEN;
        messages[i].payload_len = PAYLOAD_LEN;
    }
}

static void rows_that_lie_test(void) {
    codec_message messages[N_MESSAGES];
    size_t arena_len = N_MESSAGES * PAYLOAD_LEN;
    guarded pages = guarded_new(arena_len);
    uint8_t *arena = pages.end - arena_len;
    messages_make(messages, arena);
    messages[1].payload_len = PAYLOAD_LEN + 1; /* still inside */
    messages[N_MESSAGES - 1].payload_len = PAYLOAD_LEN + 1;
    messages[2].payload_offset = UINT64_MAX;
    messages[3].payload_len = 64;
    messages[5].payload_offset = arena_len;
    messages[6].payload_len = UINT32_MAX;
    messages[7].kind = 0;
    messages[8].payload_len = 65;
    arena[9 * PAYLOAD_LEN + 64] = 2;
    arena[10 * PAYLOAD_LEN + 64] = 255;
    static const struct {
        size_t i;
        uint8_t status;
    } expected[] = {
        {2, CODEC_ERROR_INVALID_LENGTH},
        {3, CODEC_ERROR_INVALID_LENGTH},
        {4, CODEC_ERROR_NO_POINT},
        {5, CODEC_ERROR_INVALID_LENGTH},
        {6, CODEC_ERROR_INVALID_LENGTH},
        {7, CODEC_ERROR_UNSIGNED},
        {9, CODEC_ERROR_INVALID_V},
        {10, CODEC_ERROR_INVALID_V},
        {N_MESSAGES - 1, CODEC_ERROR_INVALID_LENGTH},
    };
    codec_signer signers[N_MESSAGES];
    uint8_t verified[N_MESSAGES], addresses[2][20];
    codec_signer chosen[2] = {signer_of(arena), signer_of(arena + 30 * PAYLOAD_LEN)};
    int swapped = memcmp(chosen[0].address, chosen[1].address, 20) > 0;
    memcpy(addresses[swapped], chosen[0].address, 20);
    memcpy(addresses[!swapped], chosen[1].address, 20);
    codec_recovery job = {
        .lib = &stub,
        .items = {.n = N_MESSAGES,
                  .messages = messages,
                  .arena = arena,
                  .arena_len = arena_len},
        .signers = signers,
        .verified = verified,
        .addresses = addresses[0],
        .n_addresses = 2,
    };
    n_parsed = 0;
    while (codec_recovery_work(&job, 1, NULL))
        ;
    CHECK(n_parsed == N_MESSAGES - 8, "%zu signatures reached the library", n_parsed);
    size_t k = 0;
    for (size_t i = 0; i < N_MESSAGES; i++) {
        codec_signer good = signer_of(arena + i * PAYLOAD_LEN), bad = {.status = 0};
        bool is_bad = k < sizeof expected / sizeof *expected && expected[k].i == i;
        if (is_bad)
            bad.status = expected[k++].status;
        CHECK(memcmp(&signers[i], is_bad ? &bad : &good, sizeof good) == 0,
              "message %zu: status %d", i, signers[i].status);
        CHECK(verified[i] == (i == 0 || i == 30), "message %zu: verified %d", i,
              verified[i]);
    }
    uint8_t digests[N_MESSAGES][32], digest[32];
    codec_messages_digest(digests[0], &job.items);
    codec_keccak256(digest, arena + 65, PAYLOAD_LEN - 65);
    CHECK(memcmp(digests[0], digest, 32) == 0, "digest of message 0");
    memset(digest, 0, 32);
    CHECK(memcmp(digests[2], digest, 32) == 0, "digest of message 2");
}

static void drop_test(void) {
    static const uint8_t keep[3] = {0, 1, 0};
    uint8_t text[3][2 * PAYLOAD_LEN + 1] = {{0}}, payload[PAYLOAD_LEN] = {0};
    codec_output out = {.keep_payloads = 1};
    static const char digits[] = "0123456789abcdef";
    codec_span spans[5] = {{(const uint8_t *)"{}", 2}};
    for (size_t i = 0; i < 3; i++) {
        payload[92] = (uint8_t)(i + 1);
        for (size_t j = 0; j < PAYLOAD_LEN; j++) {
            text[i][2 * j] = (uint8_t)digits[payload[j] >> 4];
            text[i][2 * j + 1] = (uint8_t)digits[payload[j] & 15];
        }
        spans[i + 1] = (codec_span){text[i], 2 * PAYLOAD_LEN};
    }
    spans[4] = (codec_span){(const uint8_t *)"x", 1};
    CHECK(codec_spans_decode(&out, spans, 5, CODEC_TEXT, 0, 0) == 0, "decode");
    codec_output_finish(&out);
    codec_signer signers[3] = {{.status = 0}};
    signers[0].status = CODEC_ERROR_SCALAR_RANGE;
    uint8_t verified[3];
    memcpy(verified, keep, 3);
    CHECK(codec_output_drop(&out, signers, verified) == 0, "drop");
    CHECK(out.n_messages == 1 && out.n_updates == 1 && out.n_errors == 4,
          "what is left");
    CHECK(out.payloads_len == PAYLOAD_LEN && out.payloads.data[92] == 2, "its payload");
    const codec_update *updates = (const codec_update *)(void *)out.updates.data;
    const codec_message *messages = (const codec_message *)(void *)out.messages.data;
    CHECK(updates[0].value.lo == 2 && messages[0].first_update == 0, "its update");
    static const codec_error expected[4] = {
        {.index = 0, .offset = 0, .code = CODEC_ERROR_NOT_DATA},
        {.index = 1, .offset = 0, .code = CODEC_ERROR_SCALAR_RANGE},
        {.index = 3, .offset = 0, .code = CODEC_ERROR_WRONG_SIGNER},
        {.index = 4, .offset = 0, .code = CODEC_ERROR_INVALID_HEX},
    };
    CHECK(memcmp(out.errors.data, expected, sizeof expected) == 0, "errors");
    codec_output_release(&out);
}

int main(int argc, char **argv) {
    (void)argv;
    input_pages = guarded_new(MAX_INPUTS * MAX_LEN);
    digest_pages = guarded_new(MAX_INPUTS * 32);
    for (size_t i = 0; codec_isa_name(i); i++) {
        codec_isa_select(codec_isa_name(i));
        lanes_test(argc > 1 ? 200 : 4000);
        rows_that_lie_test();
    }
    drop_test();
    return check_report("signatures");
}
