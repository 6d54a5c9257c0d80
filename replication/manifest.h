/* Manifests: which files make up a log directory. Text codecs, without I/O.
 *
 * Two of them lie in a directory. Redis's (appendonly.aof.manifest) lists the newest base and the segments
 * from there on, so that Redis can load it. Ours (relevo.manifest) lists all that we keep, and what only we
 * know: identity, history, offsets. Its last line carries a CRC-32C of all before it. */
#pragma once

#include "replication/history.h"

enum { MANIFEST_FILES_MAX = 100000, MANIFEST_BYTES_MAX = 64 << 20, MANIFEST_NAME_MAX = 255 };

/* One line of Redis's manifest. */
struct aof_file {
    char *name; /* no slash */
    uint64_t seq;
    char type; /* 'b' base, 'i' incremental, 'h' history: to be deleted */
};

struct aof_manifest {
    struct aof_file *files; /* in the file's order */
    size_t count;
};

/* Errors: ERR_CORRUPT  with the line; as strict as Redis 7.0: one base, sequence numbers that rise, no path.
 */
MUST_USE enum err aof_manifest_decode(struct span text, struct aof_manifest *a, struct errmsg *m);
void aof_manifest_encode(const struct aof_manifest *a, struct buf *out);
void aof_manifest_add(struct aof_manifest *a, const char *name, uint64_t seq, char type);
void aof_manifest_free(struct aof_manifest *a);

struct node_id {
    uint8_t bytes[16];
};

/* A file of the log: it holds the bytes from `start` on, up to the next segment's start. */
struct segment {
    char *name;
    uint64_t seq;
    uint64_t start;
    uint32_t crc; /* of the batch that ends at start */
};

struct base {
    char *name; /* NULL: none, the log is complete from its first segment on */
    uint64_t seq;
    struct position position;
};

struct peer {
    struct node_id id;
    char *host;
    uint16_t port;
};

struct manifest {
    struct node_id node;
    uint64_t incarnation; /* counts the starts of this node */
    uint64_t epoch_seen;  /* the highest epoch number heard of */
    struct history history;
    struct base base;
    struct base *kept; /* bases before it that are kept, offsets rise */
    size_t kept_count;
    struct segment *segments; /* starts rise */
    size_t segment_count;
    struct peer *peers; /* nodes that may hold more of this log */
    size_t peer_count;
};

/* Errors: ERR_CORRUPT  damaged; ERR_FOREIGN  written by a later version. Unknown keys are skipped. */
MUST_USE enum err manifest_decode(struct span text, struct manifest *m, struct errmsg *why);
void manifest_encode(const struct manifest *m, struct buf *out);
/* Redis's view of ours: the base, and the segments that begin at or behind it. */
void manifest_for_redis(const struct manifest *m, struct aof_manifest *a);

void manifest_free(struct manifest *m);
void manifest_copy(struct manifest *to, const struct manifest *from); /* @to is freed first */
void manifest_add_segment(struct manifest *m, const char *name, uint64_t seq, uint64_t start, uint32_t crc);
void manifest_drop_segment(struct manifest *m, size_t index);
void manifest_set_base(struct manifest *m, const char *name, uint64_t seq, const struct position *p);
/* The base, if there is one, becomes the last of those that are kept; there is none then. */
void manifest_retire_base(struct manifest *m);
void manifest_drop_kept(struct manifest *m, size_t index);
void manifest_set_peers(struct manifest *m, const struct peer *peers, size_t count); /* copied */
