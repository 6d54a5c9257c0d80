/* The history of a data set: its lineage, and which epoch wrote which part of the log.
 *
 *     lineage 5c0f...   epoch 1 (id a)        epoch 2 (id b)      epoch 5 (id c)
 *     offset  0 ........................ 7000 ............. 7450 ..............> end
 *
 * A lineage (random, 128 bits) names the data set. An epoch (a number and a random 64-bit id) names one
 * writer's term: every start of a primary and every promotion opens one. Bytes belong to the last epoch that
 * starts at or before them. Two logs of one lineage hold equal bytes exactly as far as the epochs that wrote
 * them are equal. Pure. */
#pragma once

#include "replication/batch.h"

enum { HISTORY_EPOCHS_MAX = 4096 };

struct lineage {
    uint8_t bytes[16]; /* all zero: none */
};

struct epoch {
    uint64_t number, id;
    uint64_t start; /* offset of its first byte */
    uint32_t crc;   /* of the batch that ends at `start` */
};

struct history {
    struct lineage lineage;
    struct epoch *epochs; /* numbers strictly rising, starts never falling */
    size_t count;
};

bool lineage_is_set(const struct lineage *l);
static inline bool lineage_eq(const struct lineage *a, const struct lineage *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Lower-case hexadecimal, zero-terminated. */
void lineage_format(const struct lineage *l, char text[33]);
bool lineage_parse(struct span text, struct lineage *l);

void history_free(struct history *h);                                 /* the history is empty and valid again */
void history_copy(struct history *to, const struct history *from);    /* @to is freed first */
bool history_equal(const struct history *a, const struct history *b); /* the same epochs of the same lineage */

/* Append an epoch. The oldest goes when there are more than HISTORY_EPOCHS_MAX.
 * Errors: ERR_INVALID  its number does not rise or its start falls behind the last one's. */
MUST_USE enum err history_add(struct history *h, const struct epoch *e);

/* Forget the epochs that start behind @end: the log was cut there. */
void history_truncate(struct history *h, uint64_t end);

/* The epoch to which a byte at @offset belongs, or NULL. */
const struct epoch *history_at(const struct history *h, uint64_t offset);
const struct epoch *history_last(const struct history *h);
const struct epoch *history_find(const struct history *h, uint64_t number);

/* Set the chain's epoch to the one that writes at its offset. False if there is none, or if an epoch that
 * starts right there names another crc than the chain has: the bytes before are not those that it followed.
 */
MUST_USE bool history_enter(const struct history *h, struct batch_chain *chain);

enum history_relation {
    HISTORY_EQUAL,     /* the same bytes */
    HISTORY_BEHIND,    /* a's log is a beginning of b's */
    HISTORY_AHEAD,     /* b's log is a beginning of a's */
    HISTORY_DIVERGED,  /* they part before either ends */
    HISTORY_UNRELATED, /* another lineage, or nothing in common */
};

/* Compare the log that a describes, up to @a_end, with b's up to @b_end. *parting is the offset up to which
 * both are the same (0 for UNRELATED). Epochs that wrote nothing do not count. */
enum history_relation history_compare(const struct history *a, uint64_t a_end, const struct history *b,
                                      uint64_t b_end, uint64_t *parting);

/* Text: "<lineage hex>" and then " <number>:<id>:<start>:<crc>" for each epoch, in hexadecimal; for RDB
 * auxiliary fields and messages. */
void history_encode(const struct history *h, struct buf *out);
MUST_USE enum err history_decode(struct span text, struct history *h, struct errmsg *m);

/* A place in the log. */
struct position {
    uint64_t epoch, offset;
    uint32_t crc; /* of the batch that ends there */
};

/* Text: "<epoch> <offset> <crc>", in hexadecimal; for RDB auxiliary fields. */
void position_encode(const struct position *p, struct buf *out);
bool position_decode(struct span text, struct position *p);

/* The auxiliary fields that a checkpoint carries. */
#define RDB_AUX_HISTORY  "relevo-history"
#define RDB_AUX_POSITION "relevo-position"
#define RDB_AUX_TIME     "relevo-time" /* decimal milliseconds, Unix: no batch up to the position is later */
