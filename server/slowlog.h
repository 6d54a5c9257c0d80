/* The slow log: the last commands that took long, with their first arguments. Bounded: in number by its owner, and an entry by
 * SLOWLOG_ARGS arguments of SLOWLOG_ARG_BYTES. Pure. */
#pragma once

#include "common/command.h"

enum { SLOWLOG_ARGS = 32, SLOWLOG_ARG_BYTES = 128 };

struct slow_entry {
    const struct slow_entry *older; /* NULL: the last one */
    uint64_t id;
    int64_t at_s, took_us; /* Unix time of its end; how long */
    struct span client, name;
    size_t argc;
    struct span argv[SLOWLOG_ARGS]; /* as redact_argument() shows them, cut; how much was cut is said in words */
};

struct slowlog;

struct slowlog *slowlog_new(void);
void slowlog_free(struct slowlog *l);

/* A command took @took_us; of all, the @most newest stay. */
void slowlog_add(struct slowlog *l, const struct command_entry *command, const struct span *argv, size_t argc,
                 struct span client, struct span name, int64_t at_s, int64_t took_us, size_t most);
void slowlog_trim(struct slowlog *l, size_t most);

const struct slow_entry *slowlog_newest(const struct slowlog *l); /* NULL: it is empty */
size_t slowlog_length(const struct slowlog *l);
