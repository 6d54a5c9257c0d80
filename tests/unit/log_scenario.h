/* A short life of a log, and what must be left of it whatever happened: for the tests of faults and of power cuts. */
#pragma once

#include "log_kit.h"

static inline void set_numbered(struct kit *k, unsigned i)
{
    char key[16];
    (void)snprintf(key, sizeof key, "k%u", i);
    kit_set(k, key, "v");
}

/* Load with sound calls: the data must be "[base.]" or nothing, and then SET k<first>.. up to at least @durable. */
static inline void expect_all(struct kit *k, unsigned appended, unsigned durable, const char *what)
{
    k->options.io = NULL;
    cr_assert_eq(kit_open(k), ERR_OK, "%s: %s", what, k->m.text);
    const char *at = k->loaded.p;
    unsigned next = 0;
    if (sscanf(at, "[to %u.]", &next) == 1) at = strchr(at, ']') + 1;
    char line[32];
    for (; *at && next < appended; next++) {
        (void)snprintf(line, sizeof line, "SET k%u v\n", next);
        cr_assert_eq(strncmp(at, line, strlen(line)), 0, "%s: not %s but %.20s", what, line, at);
        at += strlen(line);
    }
    cr_expect_eq(*at, 0, "%s: more than was appended", what);
    cr_expect_geq(next, durable, "%s: %u of %u that were durable", what, next, durable);
}

static inline unsigned durable_count(struct kit *k, const uint64_t *ends, unsigned n)
{
    const uint64_t durable = log_durable(k->log);
    unsigned count = 0;
    while (count < n && ends[count] <= durable) count++;
    return count;
}

/* Eight batches with a checkpoint in their middle; @ends has room for them. *durable of them were called so. */
static inline void scenario(struct kit *k, uint64_t *ends, unsigned *appended, unsigned *durable)
{
    char base[32];
    for (*appended = 0; *appended < 4; (*appended)++) {
        set_numbered(k, *appended);
        ends[*appended] = log_end(k->log);
        if (*appended % 2 == 0 && log_sync(k->log, &k->m)) k->stream.len = 0;
    }
    (void)snprintf(base, sizeof base, "to %u.", *appended);
    (void)kit_checkpoint(k, base);
    for (; *appended < 8; (*appended)++) {
        set_numbered(k, *appended);
        ends[*appended] = log_end(k->log);
    }
    if (log_sync(k->log, &k->m)) k->stream.len = 0;
    *durable = durable_count(k, ends, *appended);
}
