/* How often something took how long: counts in steps of less than one percent of the value, as HdrHistogram has them (Gil
 * Tene, "How NOT to measure latency", and hdrhistogram.org), with two significant digits:
 *
 *     value in ns      0 .. 255   step 1     256 .. 511   step 2     512 .. 1023   step 4    ...   up to one second
 *
 * A row of counts is allocated when something first falls into it: 2 KB for the first row and 1 KB for each doubling, so a
 * command usually takes some 6 KB, and never more than 26 KB. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_ROWS = 24, HISTOGRAM_ROW_STEPS = 128 };

struct histogram {
    uint64_t total;
    uint64_t *rows[HISTOGRAM_ROWS];
};

void histogram_free(struct histogram *h); /* NULL is a no-op */

/* For histogram_add(). */
uint64_t *histogram_make_row(struct histogram *h, unsigned row);

/* Something took @ns. */
static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    const uint64_t most = (UINT64_C(1) << 30) - 1;
    if (ns > most) ns = most;
    const unsigned bits = 64 - (unsigned)__builtin_clzll(ns | 1), shift = bits > 8 ? bits - 8 : 0;
    const uint64_t step = ns >> shift; /* 0 .. 255 in row 0, 128 .. 255 in the others */
    const unsigned row = shift ? shift + 1 : (unsigned)(step >> 7);
    uint64_t *counts = h->rows[row];
    if (__builtin_expect(!counts, 0)) counts = histogram_make_row(h, row);
    counts[step & (HISTOGRAM_ROW_STEPS - 1)]++;
    h->total++;
}

/* The value in ns that @percent of all do not pass: the greatest that counts as the same. 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* The counts summed up to bounds that double: 1024 ns, 2048 ns ... The next bound from number *@at on at which the sum grows,
 * as the greatest value that counts as the same, in ns; 0: there is none. *@sum: how many took no longer. Begin with *@at 0. */
uint64_t histogram_next_bound(const struct histogram *h, unsigned *at, uint64_t *sum);

size_t histogram_bytes(const struct histogram *h);
