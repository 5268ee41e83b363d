/* Messages, lines and payloads, good and mutated, on every instruction set, flush
 * against guard pages; and the cases that only size or another thread brings about.
 *
 * With the argument "quick", fewer mutations. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "internal.h"
#include "invariants.h"

#define TEXT_MAX ((size_t)256 << 10)

static guarded pages;

/* Every instruction set (there are at most four) and every setting, or one of them. */
static void text_check(const uint8_t *text, size_t len, unsigned form, bool thorough) {
    uint8_t *end = pages.end - len, *start = pages.start;
    memmove(end, text, len);
    unsigned all = thorough ? 64 : 1, first = (unsigned)random_u64();
    for (unsigned i = 0; i < all; i++)
        invariants_check(((first + i) << 2 & 0xFF) | form, end, len);
    memmove(start, end, len);
    invariants_check((first << 2 & 0xFF) | form, start, len);
}

static const char head[] = "{\"type\":\"signed_ecdsa\",\"p\":\"0x";

static size_t payload_make(uint8_t *payload, size_t n, int with_status) {
    uint8_t *rows = malloc(16 * n + 16);
    random_fill(rows, 16 * n + 16);
    random_fill(payload, CODEC_SIGNATURE_LEN);
    codec_payload_pack(payload, n, random_u64(), (uint16_t)random_below(0xFF00), rows,
                       16, rows, 16, with_status ? rows : NULL, 16);
    free(rows);
    return codec_payload_len(n, with_status);
}

static size_t frame_make(uint8_t *frame, size_t n, int with_status) {
    uint8_t *payload = malloc(codec_payload_len(n, with_status));
    size_t len = payload_make(payload, n, with_status);
    codec_frame_write(frame, payload, len);
    free(payload);
    return 32 + 2 * len;
}

static const char *const texts[] = {
    "",
    " ",
    "{",
    "0x",
    "{}",
    "{\"type\":\"unsigned\",\"tax\":1,\"ts\":1764608698685038908,\"a\":["
    "{\"id\":1,\"v\":\"999875000000000069\"},{\"id\":2,\"v\":\"-1\",\"ms\":3}]}",
    "{\"type\":\"unsigned\",\"tax\":1,\"ts\":2,\"a\":[]}",
    "{ \"a\" : [ { \"v\" : \"\\u0031\" , \"id\" : 65535 , \"x\" : [[{}],1.5e-3] } ] ,"
    "\"ts\":0,\"tax\":0,\"type\":\"unsi\\u0067ned\"}",
    "{\"type\":\"unsigned\",\"tax\":1,\"ts\":2,\"a\":[{\"id\":1,"
    "\"v\":\"-170141183460469231731687303715884105728\"}]}",
    "{\"type\":\"signed_ecdsa\",\"p\":\"\"}",
    "{\"type\":\"signed_ecdsa\",\"x\":\"\xE2\x82\xAC\\ud83d\\ude00\",\"p\":"
    "\"0x\\u0061\"}",
    "{\"type\":\"subscribe\",\"assets\":[1,2,3]}",
    "{\"type\":\"error\",\"data\":null,\"more\":[true,false,{\"x\":-0.0}]}",
};

/* What mutations put in: bytes that mean something somewhere. */
static uint8_t telling_byte(void) {
    static const uint8_t bytes[] =
        "\0\n \"\\{}[]:,-0159afAFgxu\x7F\x80\xBF\xC3\xE2\xF0\xFF";
    return random_below(4) ? bytes[random_below(sizeof bytes - 1)]
                           : (uint8_t)random_u64();
}

static size_t mutate(uint8_t *text, size_t len) {
    for (size_t n = 1 + random_below(3); n; n--) {
        size_t at = random_below(len + 1), k = random_below(8);
        switch (random_below(4)) {
        case 0: /* change */
            if (at < len)
                text[at] = telling_byte();
            break;
        case 1: /* leave out */
            k = k < len - at ? k : len - at;
            memmove(text + at, text + at + k, len - at - k);
            len -= k;
            break;
        case 2: /* put in */
            memmove(text + at + k, text + at, len - at);
            for (size_t i = 0; i < k; i++)
                text[at + i] = telling_byte();
            len += k;
            break;
        default: /* cut */
            if (random_below(4) == 0)
                len = at;
        }
    }
    return len;
}

static void mutations_check(const uint8_t *text, size_t len, unsigned form, int n) {
    static uint8_t changed[TEXT_MAX + 64];
    text_check(text, len, form, len < 1000);
    for (int i = 0; i < n; i++) {
        memcpy(changed, text, len);
        size_t changed_len = mutate(changed, len);
        if (changed_len <= TEXT_MAX)
            text_check(changed, changed_len, form, false);
    }
}

static void messages_test(int n_mutations) {
    static uint8_t text[TEXT_MAX];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t len = strlen(texts[i]);
        for (unsigned form = FORM_TEXT; form <= FORM_TEXTS; form++)
            mutations_check((const uint8_t *)texts[i], len, form, n_mutations);
    }
    for (size_t n = 0; n <= 40; n++) {
        for (int layout = 1; layout <= 2; layout++) {
            size_t len = frame_make(text, n, layout == 2);
            size_t skip = strlen(head);
            mutations_check(text, len, FORM_TEXT, n_mutations / 4);
            mutations_check(text, len, FORM_TEXTS, n_mutations / 4);
            /* Bare, with its prefix and without. */
            mutations_check(text + skip - 2, len - skip, FORM_TEXT, n_mutations / 8);
            mutations_check(text + skip, len - skip - 2, FORM_TEXT, n_mutations / 8);
            len = payload_make(text, n, layout == 2);
            mutations_check(text, len, FORM_BINARY, n_mutations / 4);
        }
    }
    /* Longer than the stage, in the middle of others that are not. */
    for (size_t n = 1400; n < 3400; n += 333) {
        size_t len = frame_make(text, n, 0);
        mutations_check(text, len, FORM_TEXTS, 8);
        len = payload_make(text, n, 1);
        mutations_check(text, len, FORM_BINARY, 8);
    }
}

static size_t lines_make(uint8_t *text, size_t n_lines) {
    size_t len = 0;
    for (size_t i = 0; i < n_lines; i++) {
        if (random_below(4) == 0)
            len += (size_t)sprintf((char *)text + len, "%llu ",
                                   (unsigned long long)(random_u64() >> 8));
        if (random_below(8) == 0) {
            const char *some = texts[random_below(sizeof texts / sizeof *texts)];
            len += (size_t)sprintf((char *)text + len, "%s", some);
        } else {
            len += frame_make(text + len, random_below(3) ? 4 : random_below(40),
                              random_below(5) == 0);
        }
        text[len++] = '\n';
    }
    return len - random_below(2);
}

static void lines_test(int rounds) {
    static uint8_t text[TEXT_MAX];
    for (int i = 0; i < rounds; i++) {
        size_t len = lines_make(text, 1 + random_below(30));
        mutations_check(text, len, FORM_LINES, 8);
    }
}

/* As codec_output_expect is used: a first line that says nothing about the others, or
 * nothing at all, must neither ask for absurd amounts nor leave results misaligned. */
static void expect_test(void) {
    static uint8_t frame[512];
    size_t len = frame_make(frame, 3, 0), n = (size_t)8 << 20, at = 0;
    uint8_t *text = malloc(n);
    text[at++] = '\n';
    while (at + len + 1 <= n) {
        memcpy(text + at, frame, len);
        at += len;
        text[at++] = '\n';
    }
    for (size_t i = 0; codec_isa_name(i); i++) {
        static const size_t typical[] = {0, 1, 2, 63, 100, 181, 182, 1000, 50000};
        for (size_t k = 0; k < sizeof typical / sizeof *typical; k++) {
            uint64_t n_lines;
            codec_output out = {.keep_payloads = (k & 1) == 0};
            codec_isa_select(codec_isa_name(i));
            CHECK(!codec_output_expect(&out, at, typical[k]), "expect %zu", typical[k]);
            CHECK(out.updates.capacity / 4 < at && out.messages.capacity / 4 < at,
                  "%zu bytes for a typical length of %zu", out.messages.capacity,
                  typical[k]);
            CHECK(!codec_lines_decode(&out, text, at, 0, &n_lines), "decode");
            codec_output_finish(&out);
            CHECK(out.n_errors == 1 && out.n_updates == 3 * out.n_messages, "results");
            codec_output_trim(&out);
            codec_output_release(&out);
        }
    }
    codec_output out = {.keep_payloads = 1};
    CHECK(!codec_output_expect(&out, SIZE_MAX / 64, 200), "a guess cannot fail");
    codec_output_release(&out);
    free(text);
}

/* A text that another thread changes while it is decoded: any result will do. */
typedef struct {
    atomic_bool stop;
    uint8_t *text;
    size_t len;
} disturber;

static void *disturb(void *argument) {
    disturber *d = argument;
    static const uint8_t bytes[] = "\"\"1[{}]\n0\\u,:-x";
    for (uint64_t x = 1; !atomic_load(&d->stop);) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        volatile uint8_t *place = d->text + x % d->len;
        uint8_t before = *place;
        *place = bytes[x >> 40 & 15];
        for (volatile unsigned wait = x >> 50 & 255; wait; wait--)
            ;
        *place = before;
    }
    return NULL;
}

static void disturbed_decode(uint8_t *text, size_t len, int rounds) {
    for (int i = 0; i < rounds; i++) {
        codec_output out = {.keep_payloads = i & 1};
        uint64_t n_lines, offset;
        codec_isa_select(codec_isa_name(random_below(4)) ? codec_isa_name(0)
                                                         : "scalar");
        CHECK(codec_lines_decode(&out, text, len, 0, &n_lines) == 0, "lines");
        int status = codec_text_append(&out, text, len, 0, NULL, &offset);
        CHECK(status >= 0 && (!status || offset <= len), "fault %d beyond", status);
        codec_output_release(&out);
    }
}

/* `"p":1` and `"v":7` become strings and back: their lengths are not those of strings.
 */
static void changing_test(int rounds) {
    static const char *const changing[] = {
        "{\"type\":\"signed_ecdsa\",\"p\":1}",
        "{\"type\":\"unsigned\",\"tax\":1,\"ts\":2,\"a\":[{\"id\":1,\"v\":7 }]}",
        "{\"p\":\"\\u0030\\u0078ab\",\"type\":\"signed\\u005fecdsa\"}",
        "{\"a\":[{\"v\":\"\\u0031\",\"id\":3}],\"ts\":1,\"tax\":1,\"type\":"
        "\"unsigned\"}",
        "17 "
        "{\"type\":\"unsigned\",\"tax\":1,\"ts\":2,\"a\":[]}\n{\"x\":[["
        "\"\xE2\x82\xAC\"]]}",
    };
    for (size_t i = 0; i <= sizeof changing / sizeof *changing; i++) {
        uint8_t text[1024];
        size_t len = 0;
        if (i < sizeof changing / sizeof *changing) {
            len = strlen(changing[i]);
            memcpy(text, changing[i], len);
        } else {
            len = frame_make(text, 8, 0);
        }
        disturber d = {.text = pages.end - len, .len = len};
        memcpy(d.text, text, len);
        pthread_t thread;
        if (pthread_create(&thread, NULL, disturb, &d))
            exit(2);
        disturbed_decode(d.text, len, rounds);
        atomic_store(&d.stop, true);
        pthread_join(thread, NULL);
    }
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    pages = guarded_new(TEXT_MAX);
    messages_test(quick ? 20 : 1500);
    lines_test(quick ? 20 : 1500);
    expect_test();
    changing_test(quick ? 200 : 20000);
    return check_report("messages");
}
