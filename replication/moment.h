/* Moments in time and in the log, as people write them. Pure.
 *
 *     2026-11-22T16:30:00Z   2026-11-22 16:30:00.250   2026-11-22      ISO 8601, always UTC
 *     1795365000   1795365000.250                                      Unix seconds
 *     12:8388608                                                       epoch and offset in the log
 *     @8388608                                                         an offset alone */
#pragma once

#include "common/buf.h"

enum { MOMENT_MAX_TEXT = 32 };

/* "2026-11-22T16:30:00.250Z", zero-terminated; returns the length. */
size_t moment_format(int64_t time_ms, char text[MOMENT_MAX_TEXT]);

/* A time: ISO 8601 or Unix seconds, with or without a fraction. */
MUST_USE bool moment_parse_time(struct span s, int64_t *time_ms);

struct moment {
    bool is_time;
    int64_t time_ms;
    uint64_t epoch; /* of a position; 0: whichever */
    uint64_t offset;
};

/* Errors: ERR_INVALID  with what would be right. */
MUST_USE enum err moment_parse(struct span s, struct moment *at, struct errmsg *m);
