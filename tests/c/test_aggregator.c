/* Messages of the aggregator, good and mutated, on every instruction set, flush against
 * guard pages; and names, as a table of them grows, is cut back, and is full.
 *
 * With the argument "quick", fewer mutations. */
#include "check.h"
#include "internal.h"
#include "invariants.h"

#define TEXT_MAX ((size_t)64 << 10)
#define HEX_20 "\"0xABABababababababababababababababababab00\""
#define HEX_32 "\"0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\""
#define SUM "\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\""
#define STAMPED                                                                        \
    "\"timestamped_signature\":{\"signature\":{\"r\":" HEX_32 ",\"s\":" HEX_32         \
    ",\"v\":\"0x1c\"},\"timestamp\":1757543080509034593,\"msg_hash\":" HEX_32 "}"
#define PUBLISHER(name, type)                                                          \
    "{\"publisher_key\":" HEX_20 ",\"external_asset_id\":\"" name                      \
    "\",\"signature_type\":\"" type "\",\"price\":\"-12\"," STAMPED "}"
#define STORK                                                                          \
    "{\"public_key\":" HEX_20 ",\"encoded_asset_id\":" HEX_32                          \
    ",\"price\":\"100002000000000000000000\"," STAMPED                                 \
    ",\"publisher_merkle_root\":" HEX_32                                               \
    ",\"calculation_alg\":{\"type\":\"median\",\"version\":\"v1\",\"checksum\":" SUM   \
    "}}"
#define ENTRY(name, rest)                                                              \
    "\"" name "\":{\"timestamp\":1757543080505451010,\"asset_id\":\"" name             \
    "\",\"signature_type\":\"evm\",\"trigger\":\"clock\",\"price\":\"1\"" rest "}"
#define MESSAGE(entries)                                                               \
    "{\"type\":\"oracle_prices\",\"trace_id\":\"x\",\"data\":{" entries "}}"

static const char *const texts[] = {
    "",
    "{}",
    MESSAGE(""),
    MESSAGE(ENTRY("A", "")),
    MESSAGE(ENTRY("A", ",\"stork_signed_price\":null,\"signed_prices\":[]")),
    MESSAGE(ENTRY("A", ",\"stork_signed_price\":" STORK)),
    MESSAGE(ENTRY("A", ",\"stork_signed_price\":" STORK
                       ",\"signed_prices\":[" PUBLISHER("A", "evm") "]")),
    MESSAGE(ENTRY(
        "A", ",\"signed_prices\":[" PUBLISHER("A", "evm") ",{}," PUBLISHER(
                 "B", "stark") "," PUBLISHER("\\u0041\\ud83d\\ude00",
                                             "evm") "]") "," ENTRY("\\\"x",
                                                                   ",\"stork_signed_"
                                                                   "price\":" STORK
                                                                   ",\"y\":[{}]")),
    " { \"data\" : { \"\" : { \"price\" : \"\\u0035\" , \"signature_type\" : \"x\" ,"
    "\"asset_id\" : \"\" , \"timestamp\" : 0 } , \"\\ud800\" : 1 , \"\" : [ ] } ,"
    "\"type\" : \"oracle\\u005fprices\" } ",
    "{\"type\":\"subscribe\",\"data\":[\"A\"]}",
};

static guarded pages;

static uint8_t telling_byte(void) {
    static const uint8_t bytes[] = "\0\n \"\\{}[]:,-0159aFgxu\x7F\x80\xC3\xE2\xF0\xFF";
    return random_below(4) ? bytes[random_below(sizeof bytes - 1)]
                           : (uint8_t)random_u64();
}

/* In the end of the pages, and a mutation of it. */
static void text_check(const uint8_t *text, size_t len, bool changed) {
    static uint8_t copy[TEXT_MAX];
    memcpy(copy, text, len);
    for (size_t n = changed ? 1 + random_below(3) : 0; n; n--) {
        size_t at = random_below(len + 1), k = random_below(6);
        if (random_below(3) == 0 && at + k <= len) {
            memmove(copy + at, copy + at + k, len - at - k);
            len -= k;
        } else if (random_below(2)) {
            memmove(copy + at + k, copy + at, len - at);
            for (size_t i = 0; i < k; i++)
                copy[at + i] = telling_byte();
            len += k;
        } else if (at < len) {
            copy[at] = telling_byte();
        }
    }
    uint8_t *end = pages.end - len;
    memcpy(end, copy, len);
    for (unsigned isa = 0; isa < 4; isa++) {
        unsigned stop = random_below(4) ? 0 : MODE_STOP;
        aggregator_invariants_check(isa << 2 | stop | FORM_TEXT, end, len);
        aggregator_invariants_check(isa << 2 | stop | FORM_LINES, end, len);
    }
}

static void texts_test(int n_mutations) {
    static uint8_t lines[TEXT_MAX];
    size_t n_lines = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t len = strlen(texts[i]);
        for (int k = 0; k < n_mutations; k++)
            text_check((const uint8_t *)texts[i], len, k > 0);
        n_lines += (size_t)sprintf((char *)lines + n_lines, "%s%s\n",
                                   i % 2 ? "17 " : "", texts[i]);
    }
    for (int k = 0; k < n_mutations; k++)
        text_check(lines, n_lines, k > 0);
}

static void symbols_test(void) {
    codec_symbols symbols = {.seed = random_u64()};
    char name[32];
    uint32_t index;
    for (uint32_t i = 0; i < CODEC_SYMBOLS_MAX; i++) {
        size_t n = (size_t)sprintf(name, "%x", i * 40503);
        CHECK(!codec_symbols_add(&symbols, (uint8_t *)name, n, &index) && index == i,
              "name %u", i);
    }
    CHECK(codec_symbols_add(&symbols, (const uint8_t *)"x", 1, &index) ==
              CODEC_ERROR_TOO_LARGE,
          "a full table");
    for (size_t n = CODEC_SYMBOLS_MAX; n > 100; n = n * 2 / 3) {
        codec_symbols_truncate(&symbols, n);
        for (uint32_t i = 0; i < CODEC_SYMBOLS_MAX; i += 7) {
            size_t len = (size_t)sprintf(name, "%x", i * 40503);
            int found = codec_symbols_find(&symbols, (uint8_t *)name, len, &index);
            CHECK(found == (i < n) && (!found || index == i), "name %u of %zu", i, n);
        }
    }
    codec_symbols_release(&symbols);
    CHECK(!codec_symbols_find(&symbols, (const uint8_t *)"x", 1, &index), "none");
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    pages = guarded_new(TEXT_MAX);
    texts_test(quick ? 100 : 3000);
    symbols_test();
    return check_report("aggregator");
}
