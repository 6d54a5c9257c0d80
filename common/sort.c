#include "common/sort.h"

#include <stdbool.h>
#include <string.h>

#include "common/mem.h"

struct order {
    sort_compare *compare;
    void *context;
};

static int compare(const struct order *o, const void *a, const void *b) { return o->compare(a, b, o->context); }

static void insertion_sort(const struct order *o, void **items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        void *item = items[i];
        size_t at = i;
        for (; at > 0 && compare(o, items[at - 1], item) > 0; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Merge sort with room for half of the items. */
static void merge_sort(const struct order *o, void **items, size_t n, void **room)
{
    enum { FEW = 8 };
    if (n <= FEW) {
        insertion_sort(o, items, n);
        return;
    }
    const size_t half = n / 2;
    merge_sort(o, items, half, room);
    merge_sort(o, items + half, n - half, room);
    if (compare(o, items[half - 1], items[half]) <= 0) return;
    memcpy(room, items, half * sizeof *items);
    size_t left = 0, right = half, to = 0;
    while (left < half && right < n)
        items[to++] = compare(o, room[left], items[right]) <= 0 ? room[left++] : items[right++];
    memcpy(items + to, room + left, (half - left) * sizeof *items);
}

void sort_stable(void **items, size_t n, sort_compare *compare_, void *context)
{
    const struct order o = {compare_, context};
    void **room = mem_alloc(n / 2 * sizeof *room);
    merge_sort(&o, items, n, room);
    mem_free(room);
}

/* --- Quicksort of a range ---------------------------------------------------------------------------------------- *
 *
 * Bentley and McIlroy, "Engineering a sort function" (1993): the pivot is a median of three, or of three such medians;
 * items that equal it are collected at both ends while partitioning, and brought to the middle then. A part that has
 * nothing of the wanted range is left as it is. Redis does the same, so where items compare equal the same ones win. */

static void swap(void **a, void **b)
{
    void *t = *a;
    *a = *b;
    *b = t;
}

static void swap_runs(void **a, void **b, size_t n)
{
    for (size_t i = 0; i < n; i++) swap(a + i, b + i);
}

static void **median(const struct order *o, void **a, void **b, void **c)
{
    if (compare(o, *a, *b) < 0) {
        if (compare(o, *b, *c) < 0) return b;
        return compare(o, *a, *c) < 0 ? c : a;
    }
    if (compare(o, *b, *c) > 0) return b;
    return compare(o, *a, *c) < 0 ? a : c;
}

static void **choose_pivot(const struct order *o, void **a, size_t n)
{
    enum { SMALL = 7, LARGE = 40 };
    void **low = a, **middle = a + n / 2, **high = a + n - 1;
    if (n <= SMALL) return middle;
    if (n > LARGE) {
        const size_t d = n / 8;
        low = median(o, low, low + d, low + 2 * d);
        middle = median(o, middle - d, middle, middle + d);
        high = median(o, high - 2 * d, high - d, high);
    }
    return median(o, low, middle, high);
}

/* Partition into *below items that come before the pivot, those that equal it, and *above items behind it. */
static void partition(const struct order *o, void **a, size_t n, size_t *below, size_t *above)
{
    swap(a, choose_pivot(o, a, n));
    /* [0, equal) and (equal_high, n) equal the pivot, [equal, low) lies below, (high, equal_high] above. */
    size_t equal = 1, low = 1, high = n - 1, equal_high = n - 1;
    for (;; swap(a + low++, a + high--)) {
        int order;
        for (; low <= high && (order = compare(o, a[low], a[0])) <= 0; low++)
            if (order == 0) swap(a + equal++, a + low);
        for (; low <= high && (order = compare(o, a[high], a[0])) >= 0; high--)
            if (order == 0) swap(a + high, a + equal_high--);
        if (low > high) break;
    }
    *below = low - equal;
    *above = equal_high - high;
    const size_t left = equal < *below ? equal : *below;
    swap_runs(a, a + low - left, left);
    const size_t behind = n - 1 - equal_high, right = *above < behind ? *above : behind;
    swap_runs(a + low, a + n - right, right);
}

static void sort_part(const struct order *o, void **a, size_t n, size_t at, size_t first, size_t end)
{
    enum { FEW = 7 };
    for (;;) {
        size_t below, above;
        if (n < FEW) {
            insertion_sort(o, a, n);
            return;
        }
        partition(o, a, n, &below, &above);
        if (below > 1 && first < at + below && end > at) sort_part(o, a, below, at, first, end);
        const size_t skip = n - above;
        if (above <= 1 || first >= at + n || end <= at + skip) return;
        a += skip;
        at += skip;
        n = above;
    }
}

void sort_range(void **items, size_t n, size_t first, size_t end, sort_compare *compare_, void *context)
{
    const struct order o = {compare_, context};
    sort_part(&o, items, n, 0, first, end);
}
