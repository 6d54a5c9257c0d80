/* What role this node was last given at run time, by an operator's command or by following a promoted primary, so that a
 * restart does not undo it:
 *
 *     relevo.role:   configured 10.0.0.1 6379        the setting replicaof when that happened
 *                    role primary                    or: role replica 10.0.0.2 6379
 *
 * It counts as long as the setting is the same; an operator who edits the setting overrules it. */
#pragma once

#include "common/err.h"

enum { ROLE_TEXT_MAX = 512 };

/* The setting replicaof ("host port" or empty) that is to be used in place of @configured, which is returned in @text if
 * nothing is noted or the note is of another setting. Errors: ERR_CORRUPT, ERR_IO. */
MUST_USE enum err role_file_read(const char *dir, const char *configured, char text[ROLE_TEXT_MAX], struct errmsg *m);

/* Note that replicaof is @text now where @configured was set. */
MUST_USE enum err role_file_write(const char *dir, const char *configured, const char *text, struct errmsg *m);
