/* Mail between two threads, each with a loop: letters are put into a box by one and read by the other, in order.
 *
 * The reader is woken through its loop; many letters cost one wake-up. */
#pragma once

#include <uv.h>

#include "replication/bulletin.h"
#include "replication/chunk.h"
#include "replication/facts.h"

enum letter_kind {
    /* To the link thread. */
    LETTER_FOLLOW, /* peer, flag */
    LETTER_UNFOLLOW,
    LETTER_PROMOTED, /* facts, flag: at the start */
    LETTER_SUBMIT,   /* chunk */
    LETTER_PUBLISH,  /* bulletin */
    LETTER_ADVANCE,  /* position */
    LETTER_LOADED,   /* flag, facts */
    LETTER_BASE_READY,
    LETTER_BASE_FAILED, /* bytes */
    LETTER_STEPPED_DOWN,
    LETTER_ADOPT, /* fd, bytes */
    LETTER_STOP,

    /* To the main thread. */
    LETTER_RECEIVED, /* chunk */
    LETTER_HISTORY,  /* facts */
    LETTER_SNAPSHOT, /* bytes: path; position, facts, flag: salvage */
    LETTER_BASE_WANT,
    LETTER_CONFIRMED, /* flag: fetched */
    LETTER_STEP_DOWN, /* peer, number */
    LETTER_FOLLOWING, /* peer */
    LETTER_FENCED,    /* peer, bytes */
    LETTER_PEERS,     /* peers */
    LETTER_ACKED,
    LETTER_PUBLISHED, /* bulletin */
    LETTER_LOG,       /* bytes, flag: a warning */
};

struct letter {
    struct letter *next;
    enum letter_kind kind;
    bool flag;
    int fd; /* -1: none */
    uint64_t number;
    uint64_t word;             /* how many times the main thread had said whom to follow when this was decided */
    struct chunk *chunk;       /* a reference */
    struct bulletin *bulletin; /* likewise */
    struct node_peer peer;
    struct position position;
    struct facts facts;
    struct node_peer *peers;
    size_t peer_count;
    struct buf bytes; /* texts are zero-terminated */
};

struct letter *letter_new(enum letter_kind kind);
void letter_set_text(struct letter *l, const char *text);
void letter_free(struct letter *l); /* with what it still holds, the descriptor too; NULL is a no-op */

struct mailbox {
    uv_mutex_t mutex;
    uv_async_t wake;
    struct letter *first, *last;
    bool open;
};

/* @wake is called on @loop's thread when letters wait; mail_take() then gives them all. */
MUST_USE enum err mail_init(struct mailbox *b, uv_loop_t *loop, uv_async_cb wake, void *data, struct errmsg *m);

/* Any thread. Takes the letter. */
void mail_put(struct mailbox *b, struct letter *l);

/* A LETTER_ADVANCE to @p that does not wake the reader, and takes the place of one that nothing was put behind. */
void mail_advance(struct mailbox *b, const struct position *p);
/* The LETTER_ADVANCE that stands first, for a reader who is awake for another reason; false: another does, or none. */
bool mail_take_advance(struct mailbox *b, struct position *p);

/* All letters, as a list in order. */
struct letter *mail_take(struct mailbox *b);

/* Wake the reader without a letter. Any thread. */
void mail_poke(struct mailbox *b);

/* On the reader's thread: free what waits, and close the wake-up; @closed is called when that is over. */
void mail_close(struct mailbox *b, uv_close_cb closed);
