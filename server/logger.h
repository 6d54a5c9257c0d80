/* The lines that a running server writes for its operator: "PID:M 22 Nov 2026 13:44:00.123 * text".
 *
 * The form and a few texts are Redis's, because supervisors and tests wait for them. One write(2) per line, so lines
 * of several threads do not mix. Any thread; the level may change at any time. */
#pragma once

#include "common/err.h"

enum logger_level { LOGGER_DEBUG, LOGGER_VERBOSE, LOGGER_NOTICE, LOGGER_WARNING };

struct logger;

/* Lines go to the end of the file at @path, or to stdout if it is empty. Errors: of open(2). */
MUST_USE enum err logger_open(const char *path, enum logger_level level, struct logger **l, struct errmsg *m);
void logger_close(struct logger *l);

void logger_set_level(struct logger *l, enum logger_level level);
void logger_set_role(struct logger *l, char role); /* 'M' primary, 'S' replica */

void logger_line(struct logger *l, enum logger_level level, const char *format, ...) PRINTF(3, 4);
