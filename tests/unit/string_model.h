/* The naive model of a sequence of byte strings, to compare lists and listpacks with: an array. */
#pragma once

#include "common/mem.h"
#include "common/span.h"

enum { MODEL_ROOM = 1200 };
struct model {
    struct span at[MODEL_ROOM];
    size_t n;
};

static inline void model_insert(struct model *m, size_t at, struct span s)
{
    memmove(m->at + at + 1, m->at + at, (m->n - at) * sizeof *m->at);
    m->at[at] = span_of(mem_dup(s.p, s.n), s.n);
    m->n++;
}

static inline void model_delete(struct model *m, size_t at)
{
    mem_free((void *)m->at[at].p);
    memmove(m->at + at, m->at + at + 1, (m->n - at - 1) * sizeof *m->at);
    m->n--;
}

static inline void model_free(struct model *m)
{
    while (m->n > 0) model_delete(m, m->n - 1);
}
