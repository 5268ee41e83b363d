/* Sorting by two words: merges of the ascending runs that the items have already. */
#include "internal.h"

static inline bool is_before(const codec_item *x, const codec_item *y) {
    return x->a != y->a ? x->a < y->a : x->b < y->b;
}

/* The end of the ascending run at `start`. */
static size_t run_end(const codec_item *items, size_t start, size_t n) {
    if (start == n)
        return n;
    while (++start < n && !is_before(&items[start], &items[start - 1]))
        ;
    return start;
}

static void runs_merge(codec_item *to, const codec_item *items, size_t start,
                       size_t middle, size_t end) {
    size_t left = start, right = middle;
    for (size_t i = start; i < end; i++) {
        bool from_right =
            left == middle || (right < end && is_before(&items[right], &items[left]));
        to[i] = from_right ? items[right++] : items[left++];
    }
}

codec_item *codec_items_sort(codec_item *items, codec_item *spare, size_t n) {
    while (run_end(items, 0, n) < n) {
        for (size_t start = 0; start < n;) {
            size_t middle = run_end(items, start, n), end = run_end(items, middle, n);
            runs_merge(spare, items, start, middle, end);
            start = end;
        }
        codec_item *merged = spare;
        spare = items;
        items = merged;
    }
    return items;
}
