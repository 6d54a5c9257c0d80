/* HyperLogLog: how many different elements were there, in 12 KB at most, with a standard error of 0.81 %.
 *
 * Flajolet, Fusy, Gandouet, Meunier (2007) with 2^14 registers and 64-bit hashes; the estimate is Ertl's (2017,
 * arXiv:1702.01284). The whole counter is a string that clients can read and write, in Redis's form byte for byte:
 *
 *     | "HYLL" | encoding: 1 | unused: 3 | cached estimate: 8, little endian | registers |
 *
 * The highest bit of the cached estimate says that it is out of date. Registers are either dense, 6 bits each from the
 * lowest bit of the first byte on, or sparse, a row of runs:
 *
 *     00nnnnnn            n+1 registers of 0
 *     01nnnnnn nnnnnnnn   n+1 registers of 0
 *     1vvvvvnn            n+1 registers of v+1
 *
 * A row covers all registers. As anybody may have written the string, each function stays within its bytes whatever
 * they are, and says where they make no sense. */
#pragma once

#include "common/buf.h"

enum {
    HLL_BITS = 14,
    HLL_REGISTERS = 1 << HLL_BITS,
    HLL_HASH_BITS = 64 - HLL_BITS,
    HLL_HEADER_BYTES = 16,
    HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8,
};

enum hll_encoding { HLL_DENSE, HLL_SPARSE };

/* Is this the string of a counter, as far as its header and length tell? The others below want such a one. */
bool hll_valid(struct span s);
enum hll_encoding hll_encoding(struct span s);

/* Make an empty counter of what @b held. */
void hll_init(struct buf *b);

/* What a change came to. */
enum hll_change {
    HLL_SAME,
    HLL_CHANGED,
    HLL_DAMAGED, /* the runs make no sense; the counter is to be thrown away */
};

/* Where an element leaves its mark. */
struct hll_mark {
    uint32_t index;
    uint8_t rank; /* 1 .. HLL_HASH_BITS + 1 */
};
struct hll_mark hll_mark_of(struct span element);

/* A sparse counter under change. Marks that come by rising index cost no search from the beginning. */
struct hll_editor {
    struct buf *b;
    size_t sparse_max_bytes; /* a longer one turns dense */
    size_t hint;             /* offset of a run, at or before which nothing has to be looked for; 0: none */
    uint32_t hint_first;     /* the first register of that run */
};

/* Raise the register to the mark. Does not touch the cached estimate. */
enum hll_change hll_raise(struct hll_editor *e, struct hll_mark mark);

/* As hll_raise() for a dense counter at @bytes; true if it changed. */
bool hll_raise_dense(char *bytes, struct hll_mark mark);

/* Turn dense what is sparse; false: damaged, nothing was changed. */
bool hll_make_dense(struct buf *b);

/* Raise @registers (HLL_REGISTERS of them) to those of @s; false: damaged, some may have been raised. */
bool hll_merge(uint8_t *registers, struct span s);

/* The estimate for some registers. */
uint64_t hll_estimate(const uint8_t *registers);

/* The cached estimate, if it is up to date. */
bool hll_cached(struct span s, uint64_t *estimate);
/* Its eight bytes as they stand at HLL_CACHE_AT. */
enum { HLL_CACHE_AT = 8, HLL_CACHE_BYTES = 8 };
void hll_format_cache(char *to, uint64_t estimate);
/* Say that it is out of date. */
void hll_spoil_cache(char *bytes);

/* A run of a sparse counter, from offset *at (HLL_HEADER_BYTES at first) on, which is stepped over; false at the end, and
 * where a run is cut off. */
struct hll_run {
    uint32_t registers;
    uint8_t value;
    bool wide; /* of two bytes */
};
bool hll_next_run(struct span s, size_t *at, struct hll_run *run);
