/* A naive model of the data and of the commands on it: arrays, linear search, nothing clever. What it says is held against
 * what the engine says (model_run.h), so it is written from what the commands promise and shares no code with them.
 *
 *     a key = a type and an array of items
 *     string: one item | list: in order | set: as they came | hash: name and value | sorted set: in order of score
 *     stream: an item for each entry, named by its field | counter of PFADD: a string with an item for each element */
#pragma once

#include "common/buf.h"
#include "common/keyspace.h"

struct model_item {
    struct buf name, value;
    double score;
    uint64_t ms, seq; /* of a stream's entry, or of a pending one */
    int64_t time_ms;  /* of a hash's field: its expiry, or NO_EXPIRY; of a pending entry: when it was delivered */
};

struct model_group;

struct model_key {
    struct buf name;
    enum type type;
    int64_t expiry; /* ms, or NO_EXPIRY */
    struct model_item *items;
    size_t count;
    uint64_t last_ms, last_seq; /* of a stream: the highest ID that ever was */
    struct model_group *groups; /* of a stream */
    size_t group_count;
};

/* A group of a stream's consumers. */
struct model_group {
    struct buf name;
    uint64_t last_ms, last_seq; /* what was given out last */
    struct model_key consumers; /* an item for each, by its name */
    struct model_key pending;   /* in order of ID: named by its consumer, the score is the number of deliveries */
};

struct model {
    struct model_key *keys;
    size_t count;
    int64_t now_ms;
};

/* One command. */
struct model_call {
    struct model *model;
    const struct span *argv;
    size_t argc;
    struct buf *out; /* the reply in the protocol's form; of an error only "-" and its first word */
    bool any_order;  /* the elements of the reply's array may come in any order, the fields of a hash two by two */
    unsigned stride; /* with any_order: elements that belong together */
    int64_t slack;   /* an integer: it may be wrong by so much */
};

/* What can be asked, and how it may look: k a key, v a value, f a name within a collection, s a score, n an index, c a count,
 * i an increment, b a position of a bit, d a bit, t a time, e the ID of an entry, q a new ID, g a group, u a consumer, l a
 * bound of names, w a weight, y a type of BITFIELD, o a longitude, a a latitude, r a radius, h one of 600 elements to be counted;
 * {} stands one to three times; others are words. Keys that are words are those of one family alone. */
struct model_command {
    const char *name, *shape;
    void (*run)(struct model_call *c);
};

/* Families; each array ends in a row without a name. */
extern const struct model_command model_keys[], model_strings[], model_bitmaps[], model_lists[], model_sets[],
    model_hashes[], model_zsets[], model_streams[], model_fields[], model_zset_sums[], model_zset_names[],
    model_groups[], model_sorts[], model_places[], model_counters[];

void model_clear(struct model *m);

/* The key, or NULL; one whose time is over goes. Keys move when one goes or is made. */
struct model_key *model_find(struct model *m, struct span name);
/* The key of argument @at, which must be of @type: false, and the error replied, if it is of another. */
bool model_get(struct model_call *c, size_t at, enum type type, struct model_key **k);
/* The key, made empty if it is not there. */
struct model_key *model_make(struct model *m, struct span name, enum type type);
void model_drop(struct model *m, struct model_key *k);
void model_drop_if_empty(struct model *m, struct model_key *k);
void model_clear_items(struct model_key *k); /* also of one that is not in the model */
void model_copy(struct model *m, const struct model_key *from, struct span name); /* replaces what is there */

struct span model_name(const struct model_item *i);
struct span model_value(const struct model_item *i);
/* Does the argument say this word? */
bool model_is(struct span s, const char *word);
/* Where @name is among the items; their count if nowhere. */
size_t model_index(const struct model_key *k, struct span name);
struct model_item *model_insert(struct model_key *k, size_t at, struct span name);
void model_remove(struct model_key *k, size_t at);
void model_set_text(struct buf *b, struct span s);

/* Replies. */
void model_reply_int(struct model_call *c, int64_t v);
void model_reply_bulk(struct model_call *c, struct span s);
void model_reply_nil(struct model_call *c);
void model_reply_array(struct model_call *c, size_t n);
void model_reply_ok(struct model_call *c);
void model_reply_error(struct model_call *c, const char *first_word);
void model_reply_double(struct model_call *c, double v);

int64_t model_int(struct span s);               /* the arguments are well-formed: an integer */
bool model_text_int(struct span s, int64_t *v); /* a value: it may be none */

double model_double(struct span s); /* likewise, a number */
/* What is behind @text in the argument list; the count of arguments if it does not stand there. */
size_t model_behind(const struct model_call *c, const char *text);

/* Bring [first, last] of redis's indices (negative: from the end) into [*first, *last) within @n. */
void model_range(int64_t first, int64_t last, size_t n, size_t *begin, size_t *end);

/* ---- What several families use ---- */

/* Strings: the text of a key, "" if there is none; make it a string, whatever it was; the same, but a time stays. */
struct span model_text(const struct model_key *k);
void model_put_text(struct model_call *c, struct span key, struct span value);
void model_edit_text(struct model_call *c, struct span key, struct span value);
void model_byte_range(int64_t first, int64_t last, size_t n, size_t *begin, size_t *end);

/* Sorted sets: true if the member is new. */
bool model_put_score(struct model_key *k, struct span name, double score);
void model_reply_scored(struct model_call *c, const struct model_key *k, size_t begin, size_t end, bool scores,
                        bool backwards);
/* Store what was computed, free it, and reply how much it is. */
void model_store(struct model_call *c, struct span key, struct model_key *result);

/* Streams. */
struct model_id {
    uint64_t ms, seq;
};
struct model_id model_id(struct span s, uint64_t missing_seq);
bool model_id_below(uint64_t ms, uint64_t seq, struct model_id id);
void model_reply_id(struct model_call *c, uint64_t ms, uint64_t seq);
void model_reply_entry(struct model_call *c, const struct model_item *i);
