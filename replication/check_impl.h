/* The inside of `relevo check`, for check*.c only. */
#pragma once

#include "replication/check.h"
#include "replication/manifest.h"

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

/* Where a segment stops being whole. */
struct segment_end {
    bool sound, missing, foreign;
    uint64_t at;     /* offset behind the last whole batch */
    uint64_t resume; /* offset of the next whole batch in the file; 0: none */
};

/* A segment of ours from @chain on, up to the offset @end (UINT64_MAX: it is the last). @chain moves. */
struct segment_end check_segment(struct check *c, const char *path, uint64_t end, const struct history *history,
                                 struct batch_chain *chain);
/* An RDB file: every key of it, its marks and its checksum. True: it is sound. */
bool check_rdb(struct check *c, const char *path);
/* A file of plain commands, perhaps with an RDB in front; @last: it may be cut off. */
void check_plain(struct check *c, const char *path, bool last);
/* Any single file. */
void check_file(struct check *c, const char *path);

/* check_mend.c: what --fix does. All say what they did, and count it; false: it could not be done. */

/* Cut a file at byte @at. */
bool mend_cut(struct check *c, const char *path, uint64_t at);
/* Segment @i is not whole behind @chain: fetch the rest, or cut. True, and *again: it is to be checked once more. */
bool mend_segment(struct check *c, const char *dir, struct manifest *ours, size_t i, const struct segment_end *end,
                  const struct batch_chain *chain, bool *again);
/* Bases that are not sound give way: @sound tells of each kept one, and behind them of the newest. */
bool mend_bases(struct check *c, const char *dir, struct manifest *ours, const bool *sound);
/* Write both manifests from ours. */
bool mend_store(struct check *c, const char *dir, const struct manifest *ours);
/* Rename to "<name>.salvage-<mark>", or with a number behind if there is one. */
bool mend_set_aside(struct check *c, const char *dir, const char *name, uint64_t mark);

/* check_rebuild.c: our manifest out of the files. @old: what is left of the damaged one, may be empty. */
bool mend_rebuild(struct check *c, const char *dir, struct span old, struct manifest *ours);
/* A Redis's manifest @name out of the files. */
bool mend_rebuild_redis(struct check *c, const char *dir, const char *name);
/* Does a segment in @dir carry our annotations? */
bool mend_finds_ours(struct check *c, const char *dir);
