/* Lines of the configuration that are no settings, because there may be many of them and each names something:
 *
 *     user alice on >password ~cache:* +@read        a user (acl_rules.h); passwords are kept as hashes
 *     rename-command CONFIG other-name               a command, found by this name only; "": not at all
 */
#pragma once

#include "common/buf.h"

struct rename {
    char *from, *to;
};

struct config_lists {
    struct buf users; /* lines for acl_parse(); each stands at the number that it has in the file */
    int user_lines;
    struct rename *renames;
    size_t rename_count;
};

void config_lists_free(struct config_lists *l);

/* Is this the first word of such a line? */
bool config_lists_know(struct span name);
/* Take a line whose first word is known. Errors: ERR_INVALID. */
MUST_USE enum err config_lists_take(struct config_lists *l, const struct span *words, size_t n, int line,
                                    struct errmsg *m);
