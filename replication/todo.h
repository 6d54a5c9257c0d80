/* What a core wants done: a list that one step fills and the shell (or the simulator) works off, in order, before the
 * next step.
 *
 * Texts and headers lie in the list's own memory; a payload is borrowed from the event that was stepped, or from a chunk
 * that the item holds a reference to, and is valid until todo_reset(). */
#pragma once

#include "proto/relevo.pb-c.h"
#include "replication/bulletin.h"
#include "replication/chunk.h"

enum todo_kind {
    /* Connections. After TODO_CLOSE no event may name the connection. */
    TODO_DIAL,  /* connect to text:port and shake hands; EVENT_OPENED or EVENT_CLOSED follows */
    TODO_SEND,  /* header and payload, as one frame */
    TODO_CLOSE, /* when what was sent before is out; text says why */
    TODO_PAUSE, /* read nothing from it */
    TODO_RESUME,

    /* Reading what a follower (conn) is sent. Sources and their pins end with TODO_CLOSE as well. */
    TODO_LOG_OPEN,   /* read the log from the disk at offset, pinned; if `check`, verify crc and seed first:
                        EVENT_LOG_OPENED */
    TODO_LOG_READ,   /* up to size bytes: EVENT_LOG_READ */
    TODO_LOG_CLOSE,  /* and unpin */
    TODO_BASE_WANT,  /* ask for a fresh base: EVENT_BASE_READY or EVENT_BASE_FAILED */
    TODO_BASE_OPEN,  /* the newest, and pin the log from there: EVENT_BASE_OPENED */
    TODO_BASE_READ,  /* up to size bytes at offset: EVENT_BASE_READ */
    TODO_BASE_CLOSE, /* the log stays pinned */

    /* What is received. */
    TODO_CHUNK,           /* whole batches for the main thread; the chunk's reference goes with it */
    TODO_HISTORY,         /* core.self.history is another now */
    TODO_SNAPSHOT_CREATE, /* a file for size bytes */
    TODO_SNAPSHOT_WRITE,  /* payload at offset */
    TODO_SNAPSHOT_FINISH, /* fsync: EVENT_SNAPSHOT_STORED */
    TODO_SNAPSHOT_DROP,   /* forget the file */
    TODO_SNAPSHOT_LOAD,   /* for the main thread; replica.base and replica.upstream say what it is: EVENT_LOADED */

    /* Roles, for the main thread. */
    TODO_CONFIRMED, /* check: log was fetched, another epoch is needed */
    TODO_STEP_DOWN, /* core.superior says before whom: EVENT_STEPPED_DOWN */
    TODO_FOLLOWING, /* replica.target is another now */
    TODO_FENCED,    /* core.superior; text says why */
    TODO_PEERS,     /* the known peers changed */
    TODO_ACKED,     /* followers acknowledged, came or went */
    TODO_PUBLISHED, /* bulletin: what was published, behind the chunks up to its position */
    TODO_SAY,       /* text, for the server's log; check: a warning */
};

struct todo_text {
    size_t at, n;
};

struct todo_item {
    enum todo_kind kind;
    uint32_t conn;
    uint32_t crc, seed;
    uint16_t port;
    bool check;
    uint64_t offset, size;
    struct todo_text header, text; /* in the list's memory; texts are zero-terminated */
    struct todo_text gathered;     /* a payload in the list's memory; else: */
    struct span payload;
    struct chunk *chunk;       /* a reference: the executor of TODO_CHUNK takes it */
    struct bulletin *bulletin; /* likewise, of TODO_PUBLISHED */
};

struct todo {
    struct todo_item *items;
    size_t count, cap;
    struct buf bytes;
};

/* Append an item and return it; valid until the next append. */
struct todo_item *todo_add(struct todo *t, enum todo_kind kind, uint32_t conn);
void todo_close(struct todo *t, uint32_t conn, const char *format, ...) PRINTF(3, 4);
void todo_say(struct todo *t, bool warning, const char *format, ...) PRINTF(3, 4);
void todo_set_text(struct todo *t, struct todo_item *i, struct span text);

/* Pack @m as a frame's header. */
struct todo_item *todo_send(struct todo *t, uint32_t conn, const Relevo__Message *m);

static inline struct span todo_header(const struct todo *t, const struct todo_item *i)
{
    return span_of(t->bytes.p + i->header.at, i->header.n);
}
static inline const char *todo_string(const struct todo *t, const struct todo_item *i)
{
    return i->text.n ? t->bytes.p + i->text.at : "";
}
static inline struct span todo_payload(const struct todo *t, const struct todo_item *i)
{
    return i->gathered.n ? span_of(t->bytes.p + i->gathered.at, i->gathered.n) : i->payload;
}

/* Forget what was worked off, and free chunks and bulletins that nobody took. */
void todo_reset(struct todo *t);
void todo_free(struct todo *t);
