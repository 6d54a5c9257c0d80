/* Sorting rows of pointers, such that equal data comes out in equal order on any machine.
 *
 * The C library's qsort() does not promise what becomes of items that compare equal, and what is sorted here is stored
 * and replayed: so the order of equal items has to be ours. */
#pragma once

#include <stddef.h>

/* Below, equal to or above 0, as strcmp(). */
typedef int sort_compare(const void *a, const void *b, void *context);

/* Merge sort: equal items keep their order. */
void sort_stable(void **items, size_t n, sort_compare *compare, void *context);

/* Put those items into place that belong to positions [first, end) of the whole order; the others stand before and behind
 * in any order. Where equal items go is fixed, but not by the order that they had. O(n) for few of them. */
void sort_range(void **items, size_t n, size_t first, size_t end, sort_compare *compare, void *context);
