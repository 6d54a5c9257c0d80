/* Counters of different elements: counted one by one. The commands estimate: they may be wrong by what the method says, of
 * which five times the standard error is allowed (0.81 %), and one more for small numbers. The keys are this family's
 * own. */
#include <stdio.h>

#include "tests/lib/model/model.h"

/* Nobody says in advance whether a new element changes the estimate; an old one does not. */
static void add(struct model_call *c)
{
    struct model_key *k = model_find(c->model, c->argv[1]);
    bool changed = !k;
    k = model_make(c->model, c->argv[1], TYPE_STRING);
    for (size_t i = 2; i < c->argc; i++) {
        if (model_index(k, c->argv[i]) < k->count) continue;
        (void)model_insert(k, k->count, c->argv[i]);
        c->slack = !changed;
    }
    model_reply_int(c, changed);
}

enum { ELEMENTS_MAX = 600 };

/* Which elements, by the number behind their letter, the keys from argument @first on have; returns how many. */
static int64_t unite(const struct model_call *c, size_t first, bool *there)
{
    int64_t n = 0;
    for (size_t i = first; i < c->argc; i++) {
        const struct model_key *k = model_find(c->model, c->argv[i]);
        for (size_t at = 0; k && at < k->count; at++) {
            const struct span name = model_name(&k->items[at]);
            bool *mark = &there[model_int(span_of(name.p + 1, name.n - 1))];
            n += !*mark;
            *mark = true;
        }
    }
    return n;
}

static void count(struct model_call *c)
{
    bool there[ELEMENTS_MAX] = {false};
    const int64_t n = unite(c, 1, there);
    c->slack = 1 + n * 5 * 81 / 10000;
    model_reply_int(c, n);
}

static void merge(struct model_call *c)
{
    bool there[ELEMENTS_MAX] = {false};
    (void)unite(c, 1, there);
    struct model_key *k = model_find(c->model, c->argv[1]);
    if (k) model_drop(c->model, k);
    k = model_make(c->model, c->argv[1], TYPE_STRING);
    for (unsigned i = 0; i < ELEMENTS_MAX; i++) {
        char name[16];
        if (there[i]) (void)model_insert(k, k->count, span_of(name, (size_t)snprintf(name, sizeof name, "e%u", i)));
    }
    model_reply_ok(c);
}

static void del(struct model_call *c)
{
    struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_int(c, k != NULL);
    if (k) model_drop(c->model, k);
}

const struct model_command model_counters[] = {
    {"PFADD", "hll0 {h}", add},
    {"PFADD", "hll1 {h}", add},
    {"PFADD", "hll0 h h h h h h h h h h", add},
    {"PFADD", "hll2 h", add},
    {"PFCOUNT", "hll0", count},
    {"PFCOUNT", "hll1", count},
    {"PFCOUNT", "hll0 hll1", count},
    {"PFCOUNT", "hll2 hll0 hll1", count},
    {"PFMERGE", "hll2 hll0 hll1", merge},
    {"PFMERGE", "hll2 hll1", merge},
    {"DEL", "hll2", del},
    {NULL, NULL, NULL},
};
