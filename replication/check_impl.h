/* The inside of `relevo check`, for check*.c only. */
#pragma once

#include "replication/check.h"
#include "replication/manifest.h"

struct check {
    const struct check_options *o;
    const struct io_ops *io;
    struct check_result *result;
    uint64_t done, total, shown; /* bytes */
    bool stopped;                /* something could not be mended: the rest is only looked at */
};

/* Is what is found to be mended? */
static inline bool check_mends(const struct check *c) { return c->o->fix && !c->stopped; }

void check_say(struct check *c, const char *format, ...) PRINTF(2, 3);
void check_problem(struct check *c, const char *format, ...) PRINTF(2, 3);
void check_progress(struct check *c, uint64_t bytes);

/* check_files.c. All report through the above. */

/* Where a segment stops being whole. */
struct segment_end {
    bool sound, missing, foreign;
    bool unreadable; /* the disk says no: that is no reason to cut anything */
    uint64_t at;     /* offset behind the last whole batch */
    uint64_t resume; /* offset of the next whole batch in the file; 0: none */
};

/* A segment of ours from @chain on, up to the offset @end (UINT64_MAX: it is the last). @chain moves. */
struct segment_end check_segment(struct check *c, const char *path, uint64_t end, const struct history *history,
                                 struct batch_chain *chain);
enum rdb_state {
    RDB_SOUND,
    RDB_DAMAGED, /* or missing */
    RDB_UNREADABLE,
};
/* An RDB file: every key of it, its marks and its checksum. */
enum rdb_state check_rdb(struct check *c, const char *path);
/* A file of plain commands, perhaps with an RDB in front; @last: it may be cut off. */
void check_plain(struct check *c, const char *path, bool last);
/* Any single file. */
void check_file(struct check *c, const char *path);

/* check_mend.c: what --fix does. All say what they did, and count it; false: it could not be done, and nothing more is. */
bool mend_failed(struct check *c, const char *what, const struct errmsg *m);

/* Cut a file at byte @at. */
bool mend_cut(struct check *c, const char *path, uint64_t at);
/* Segment @i is not whole behind @chain: fetch the rest, or cut. True, and *again: it is to be checked once more. */
bool mend_segment(struct check *c, const char *dir, struct manifest *ours, size_t i, const struct segment_end *end,
                  const struct batch_chain *chain, bool *again);
/* Bases that are not sound give way: @state tells of each kept one, and behind them of the newest. *usable is false if
 * there is nothing to start from, but somebody to ask. */
bool mend_bases(struct check *c, const char *dir, struct manifest *ours, const enum rdb_state *state, bool *usable);
/* Write both manifests from ours. */
bool mend_store(struct check *c, const char *dir, const struct manifest *ours);
/* Rename to "<name>.salvage-<mark>", or with a number behind if there is one. */
bool mend_set_aside(struct check *c, const char *dir, const char *name, uint64_t mark);
/* Make the end of the log safe: an earlier mending may have cut there, and failed to. */
bool mend_settle(struct check *c, const char *dir, const struct manifest *ours);
/* Copy a file that is about to be replaced to "<name>.salvage-0"; missing is fine. */
bool mend_keep_copy(struct check *c, const char *dir, const char *name);
/* Has a Redis written its manifest since we wrote ours? Then it names a file that is newer than all of ours. */
bool check_is_newer(const struct aof_manifest *theirs, const struct manifest *ours);

/* A new file, and its end: synced and closed, or removed where @e or anything else failed. */
enum err mend_create(struct check *c, const char *path, int *fd, struct errmsg *m);
enum err mend_finish(struct check *c, const char *path, int fd, enum err e, struct errmsg *m);
/* What all names in the manifest begin with, up to their number: so many bytes of *name. */
size_t mend_prefix(const struct manifest *ours, const char **name);

/* check_base.c: a base from another node takes the place of ours, whose log ends at @end (NULL: it is not whole). */
bool mend_fetch_base(struct check *c, const char *dir, struct manifest *ours, const struct batch_chain *end);

/* check_rebuild.c: our manifest out of the files. @old: what is left of the damaged one, may be empty. */
bool mend_rebuild(struct check *c, const char *dir, struct span old, struct manifest *ours);
/* A Redis's manifest @name out of the files. */
bool mend_rebuild_redis(struct check *c, const char *dir, const char *name);
/* Does a segment in @dir carry our annotations? */
enum err mend_find_ours(struct check *c, const char *dir, bool *ours, struct errmsg *m);
