/* JSON by RFC 8259: well-formedness, and the places of an object's members.
 *
 * The text is UTF-8 already. It may change under our eyes (another thread's buffer):
 * every step checks its bounds anew and relies on nothing that an earlier pass saw. */
#include "internal.h"

typedef struct {
    const uint8_t *text;
    size_t len;
} source;

/* The byte at `at`, 0 at the end: no JSON text continues with a NUL. */
static inline uint8_t peek(source s, size_t at) { return at < s.len ? s.text[at] : 0; }

size_t codec_json_space_skip(const uint8_t *text, size_t len, size_t at) {
    while (at < len && codec_json_is_space(text[at]))
        at++;
    return at;
}

static inline size_t space_skip(source s, size_t at) {
    return codec_json_space_skip(s.text, s.len, at);
}

static inline bool is_digit(uint8_t c) { return (uint8_t)(c - '0') <= 9; }

static inline int hex_value(uint8_t c) {
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* True where none of eight bytes is a quote, a backslash or a control character. */
static inline bool eight_are_plain(uint64_t x) {
    const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
    uint64_t quote = x ^ ones * '"', backslash = x ^ ones * '\\';
    uint64_t hits = (quote - ones) & ~quote;
    hits |= (backslash - ones) & ~backslash;
    hits |= (x - ones * 0x20) & ~x;
    return !(hits & tops);
}

/* Each reader starts at the first byte of its kind, and leaves `*at` behind it or at
 * the byte that does not fit. */
static bool string_read(source s, size_t *at, bool *escaped) {
    size_t i = *at + 1;
    *escaped = false;
    for (;;) {
        while (s.len - i >= 8 && eight_are_plain(load_le64(s.text + i)))
            i += 8;
        *at = i;
        uint8_t c = peek(s, i);
        if (c == '"') {
            *at = i + 1;
            return true;
        }
        if (c < 0x20)
            return false;
        i++;
        if (c != '\\')
            continue;
        *escaped = true;
        *at = i;
        c = peek(s, i++);
        if (c == 'u') {
            for (int k = 0; k < 4; k++, i++) {
                *at = i;
                if (hex_value(peek(s, i)) < 0)
                    return false;
            }
        } else if (c == 0 || !strchr("\"\\/bfnrt", c)) {
            return false;
        }
    }
}

static bool digits_read(source s, size_t *at) {
    size_t start = *at;
    while (is_digit(peek(s, *at)))
        ++*at;
    return *at > start;
}

static bool number_read(source s, size_t *at) {
    if (peek(s, *at) == '-')
        ++*at;
    if (peek(s, *at) == '0')
        ++*at;
    else if (!digits_read(s, at))
        return false;
    if (peek(s, *at) == '.') {
        ++*at;
        if (!digits_read(s, at))
            return false;
    }
    if ((peek(s, *at) | 0x20) == 'e') {
        ++*at;
        if (peek(s, *at) == '+' || peek(s, *at) == '-')
            ++*at;
        if (!digits_read(s, at))
            return false;
    }
    return true;
}

static bool word_read(source s, size_t *at, const char *word) {
    for (; *word; word++, ++*at) {
        if (peek(s, *at) != (uint8_t)*word)
            return false;
    }
    return true;
}

static bool scalar_read(source s, size_t *at, bool *escaped) {
    switch (peek(s, *at)) {
    case '"':
        return string_read(s, at, escaped);
    case 't':
        return word_read(s, at, "true");
    case 'f':
        return word_read(s, at, "false");
    case 'n':
        return word_read(s, at, "null");
    default:
        return number_read(s, at);
    }
}

/* A key, its colon and the space around it: up to the value. */
static bool key_read(source s, size_t *at, codec_json_value *key) {
    key->start = *at;
    if (peek(s, *at) != '"' || !string_read(s, at, &key->escaped))
        return false;
    key->end = *at;
    *at = space_skip(s, *at);
    if (peek(s, *at) != ':')
        return false;
    *at = space_skip(s, *at + 1);
    return true;
}

/* Behind a value inside containers: closes those that end here. Returns the depth that
 * is left; where the container goes on, `*at` is behind the comma. -1 where neither
 * fits. */
static int containers_close(source s, size_t *at, int depth, int floor,
                            uint64_t objects) {
    while (depth > floor) {
        *at = space_skip(s, *at);
        uint8_t c = peek(s, *at);
        if (c == ',') {
            *at = space_skip(s, *at + 1);
            return depth;
        }
        if (c != (objects >> (depth - 1) & 1 ? '}' : ']'))
            return -1;
        ++*at;
        depth--;
    }
    return depth;
}

/* Any value, without recursion: bit d - 1 of `objects` says whether the container at
 * level d is an object. `floor` is the level that the value stands in. */
static int value_read(source s, size_t *at, int floor, bool *escaped) {
    uint64_t objects = 0;
    int depth = floor;
    codec_json_value key;
    *escaped = false;
    for (;;) {
        uint8_t c = peek(s, *at);
        if (c == '{' || c == '[') {
            if (depth == CODEC_MAX_DEPTH)
                return CODEC_ERROR_TOO_DEEP;
            uint64_t bit = 1ULL << depth++;
            objects = c == '{' ? objects | bit : objects & ~bit;
            *at = space_skip(s, *at + 1);
            if (peek(s, *at) == (c == '{' ? '}' : ']')) {
                ++*at;
                depth--;
            } else {
                if (c == '{' && !key_read(s, at, &key))
                    return CODEC_ERROR_INVALID_JSON;
                continue;
            }
        } else if (!scalar_read(s, at, escaped)) {
            return CODEC_ERROR_INVALID_JSON;
        }
        depth = containers_close(s, at, depth, floor, objects);
        if (depth < 0)
            return CODEC_ERROR_INVALID_JSON;
        if (depth == floor)
            return 0;
        if (objects >> (depth - 1) & 1 && !key_read(s, at, &key))
            return CODEC_ERROR_INVALID_JSON;
    }
}

int codec_json_value_read(const uint8_t *text, size_t len, size_t *at, int depth,
                          bool *escaped) {
    return value_read((source){text, len}, at, depth, escaped);
}

/* Walks a string's characters: each call gives one (0xFF for what is not ASCII) and
 * moves
 * `*at` behind it; -1 at the end. */
static int character_next(source s, size_t *at, size_t end) {
    if (*at >= end)
        return -1;
    uint8_t c = s.text[(*at)++];
    if (c >= 0x80) {
        while (*at < end && (s.text[*at] & 0xC0) == 0x80)
            ++*at;
        return 0xFF;
    }
    if (c != '\\')
        return c;
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    c = *at < end ? s.text[(*at)++] : 0;
    if (c == 'u') {
        int unit = 0;
        for (int k = 0; k < 4; k++) {
            int digit = *at < end ? hex_value(s.text[(*at)++]) : -1;
            unit = digit < 0 ? 0xFF : unit << 4 | digit;
        }
        return unit < 0x80 ? unit : 0xFF;
    }
    const char *found = c ? strchr(letters, c) : NULL;
    return found ? meanings[found - letters] : 0xFF;
}

size_t codec_json_unescape(uint8_t *dst, const uint8_t *text, codec_json_value string) {
    source s = {text, string.end - 1};
    size_t at = string.start + 1, n = 0;
    for (int c; (c = character_next(s, &at, s.len)) >= 0;)
        dst[n++] = (uint8_t)c;
    return n;
}

size_t codec_json_source(const uint8_t *text, codec_json_value string, size_t index) {
    source s = {text, string.end - 1};
    size_t at = string.start + 1;
    while (index-- && character_next(s, &at, s.len) >= 0)
        ;
    return at;
}

static bool key_is(source s, codec_json_value key, const char *name) {
    size_t at = key.start + 1, end = key.end - 1;
    if (!key.escaped) {
        size_t n = strlen(name);
        return end - at == n && memcmp(s.text + at, name, n) == 0;
    }
    for (; *name; name++) {
        if (character_next(s, &at, end) != (uint8_t)*name)
            return false;
    }
    return at == end;
}

int codec_json_object_read(const uint8_t *text, size_t len, size_t at, int depth,
                           const char *const *names, size_t n_names,
                           codec_json_value *values, size_t *duplicate, size_t *end) {
    source s = {text, len};
    int status = CODEC_ERROR_INVALID_JSON;
    memset(values, 0, n_names * sizeof *values);
    *duplicate = SIZE_MAX;
    at = space_skip(s, at + 1);
    if (peek(s, at) == '}') {
        *end = at + 1;
        return 0;
    }
    for (;;) {
        codec_json_value key, ignored, *value = &ignored;
        if (!key_read(s, &at, &key))
            break;
        for (size_t i = 0; i < n_names; i++) {
            if (!key_is(s, key, names[i]))
                continue;
            if (!values[i].found)
                value = &values[i];
            else if (*duplicate == SIZE_MAX)
                *duplicate = key.start;
        }
        value->found = true;
        value->start = at;
        status = value_read(s, &at, depth, &value->escaped);
        if (status)
            break;
        status = CODEC_ERROR_INVALID_JSON;
        value->end = at;
        at = space_skip(s, at);
        if (peek(s, at) == '}') {
            *end = at + 1;
            return 0;
        }
        if (peek(s, at) != ',')
            break;
        at = space_skip(s, at + 1);
    }
    *end = at;
    return status;
}
