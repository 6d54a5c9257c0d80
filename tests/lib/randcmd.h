/* Random commands over a whole command table, for tests that compare engines.
 *
 * What a command may look like comes out of its row's syntax: literal words are taken or left, groups repeated, and a
 * value is invented by its name ("key", "score", "milliseconds" ...). So a new command is tested as soon as it has a
 * row. Keys are few and mostly of the type that the command is for; values are small and large, integers, fractions,
 * infinities, binary and long texts; now and then something is wrong: a type, an option, a number, a count.
 *
 * The same seed gives the same commands, given the same table. */
#pragma once

#include "common/command.h"
#include "common/resp.h"
#include "tests/unit/rand.h"

enum { RANDCMD_MAX_ARGS = 600, RANDCMD_DATABASES = 3 };

struct randcmd {
    struct rand random;
    const struct command_set *commands;
    int64_t now_ms;               /* the test's clock, set by the test: absolute times are invented around it */
    char token[40], token_key[8]; /* the last that a command gave, and for which key; set by the test */

    /* The command that is being made. */
    const struct command_entry *command;
    struct buf syntax, bytes;
    size_t ends[RANDCMD_MAX_ARGS]; /* of each argument, in `bytes` */
    size_t argc;
    uint64_t numkeys; /* the number that was given before the keys or fields; 0: none was */
    struct span argv[RANDCMD_MAX_ARGS];
    struct buf raw;
};

void randcmd_init(struct randcmd *r, const struct command_set *commands, uint64_t seed);
void randcmd_free(struct randcmd *r);

/* Make the next command; its number of arguments fits its arity. Valid until the next call. */
const struct command_entry *randcmd_next(struct randcmd *r, struct request *request);

/* The last command as a line for a person; appended to @to. */
void randcmd_print(const struct randcmd *r, struct buf *to);
