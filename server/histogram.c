#include "server/histogram.h"

#include <math.h>
#include <stdbool.h>

#include "common/mem.h"

enum { FIRST_BOUND_BITS = 10 }; /* 1024 ns */

void histogram_free(struct histogram *h)
{
    if (!h) return;
    for (unsigned row = 0; row < HISTOGRAM_ROWS; row++) mem_free(h->rows[row]);
    mem_free(h);
}

uint64_t *histogram_make_row(struct histogram *h, unsigned row)
{
    return h->rows[row] = mem_zalloc(HISTOGRAM_ROW_STEPS, sizeof **h->rows);
}

/* The greatest value that falls into a step: rows 0 and 1 have steps of 1, row r of 2^(r-1). */
static uint64_t greatest(unsigned row, unsigned step)
{
    if (row < 2) return (uint64_t)row * HISTOGRAM_ROW_STEPS + step;
    return (((uint64_t)HISTOGRAM_ROW_STEPS + step + 1) << (row - 1)) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    const double share = percent / 100 * (double)h->total;
    uint64_t wanted = (uint64_t)(share + 0.5), sum = 0;
    if (wanted < 1) wanted = 1;
    for (unsigned row = 0; row < HISTOGRAM_ROWS; row++)
        for (unsigned i = 0; h->rows[row] && i < HISTOGRAM_ROW_STEPS; i++) {
            sum += h->rows[row][i];
            if (h->rows[row][i] && sum >= wanted) return greatest(row, i);
        }
    return 0;
}

/* How many fall into steps that do not lie above @value. */
static uint64_t count_to(const struct histogram *h, uint64_t value)
{
    uint64_t sum = 0;
    for (unsigned row = 0; row < HISTOGRAM_ROWS; row++)
        for (unsigned i = 0; h->rows[row] && i < HISTOGRAM_ROW_STEPS && greatest(row, i) <= value; i++)
            sum += h->rows[row][i];
    return sum;
}

uint64_t histogram_next_bound(const struct histogram *h, unsigned *at, uint64_t *sum)
{
    const uint64_t before = *at ? *sum : 0;
    for (unsigned bits = FIRST_BOUND_BITS + *at; bits <= 30 && before < h->total; bits++) {
        /* The bound itself belongs to the first step of its row, whose width depends on the row. */
        const uint64_t bound =
            bits < 30 ? greatest(bits - 6, 0) : greatest(HISTOGRAM_ROWS - 1, HISTOGRAM_ROW_STEPS - 1);
        *sum = count_to(h, bound);
        *at = bits - FIRST_BOUND_BITS + 1;
        if (*sum > before) return bound;
    }
    return 0;
}

size_t histogram_bytes(const struct histogram *h)
{
    size_t n = mem_size(h);
    for (unsigned row = 0; row < HISTOGRAM_ROWS; row++) n += mem_size(h->rows[row]);
    return n;
}
