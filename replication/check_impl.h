/* The inside of `relevo check`, for check*.c only. */
#pragma once

#include "replication/check.h"
#include "replication/history.h"

struct check {
    const struct check_options *o;
    const struct io_ops *io;
    struct check_result *result;
    uint64_t done, total, shown; /* bytes */
};

void check_say(struct check *c, const char *format, ...) PRINTF(2, 3);
void check_problem(struct check *c, const char *format, ...) PRINTF(2, 3);
void check_progress(struct check *c, uint64_t bytes);

/* check_files.c. All report through the above. */

/* A segment of ours from @chain on, up to the offset @end (UINT64_MAX: it is the last). @chain moves. */
void check_segment(struct check *c, const char *path, uint64_t end, const struct history *history,
                   struct batch_chain *chain);
/* An RDB file: its marks and its checksum. */
void check_rdb(struct check *c, const char *path);
/* A file of plain commands, perhaps with an RDB in front; @last: it may be cut off. */
void check_plain(struct check *c, const char *path, bool last);
/* Any single file. */
void check_file(struct check *c, const char *path);
