/* What COMMAND INFO, COMMAND DOCS and ACL CAT say of a command, derived from its row; the server only renders it. */
#pragma once

#include "common/buf.h"
#include "common/command.h"
#include "common/syntax.h"

/* Words of a list, in Redis's order; static storage. */
enum { COMMAND_MAX_WORDS = 32 };
struct words {
    const char *word[COMMAND_MAX_WORDS];
    size_t count;
};

struct words command_flag_words(const struct command_entry *e);     /* "write", "denyoom" ... */
struct words command_category_words(const struct command_entry *e); /* "@write", "@slow" ... */
struct words command_categories(void);                              /* all there are; the same pointers */
struct words key_flag_words(uint16_t flags);                        /* "RW", "access" ... */

/* "string", "sorted-set", "connection" ...: the chapter of the manual. */
const char *command_group(const struct command_entry *e);

/* First key, last key (negative: from the end) and step, as far as these three can say it; all 0 if there are none. */
struct key_range {
    int first, last, step;
};
struct key_range command_key_range(const struct command_entry *e);
size_t command_key_specs(const struct command_entry *e); /* how many of row->keys are in use */

/* Name and type ("key", "integer", "pure-token", "oneof" ...) of an argument in the tree of row->syntax. */
void argument_name(const struct syntax *argument, struct buf *to);
struct span argument_type(const struct syntax *argument);

/* The history of a command, one version after the other: what the arguments (row->syntax, read) and row->history tell.
 * *@version is empty (p is NULL) at first; each call makes it the next version, borrowed, and @text what that brought.
 * False: there is no more. */
bool command_history_next(const struct command_entry *e, const struct syntax *arguments, struct span *version,
                          struct buf *text);
