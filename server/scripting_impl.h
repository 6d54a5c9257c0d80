/* What scripting.c, script_host.c and the commands about scripts share. */
#pragma once

#include "server/scripting.h"

enum { SCRIPT_LOAD_MS = 500 }; /* for the code of one library */

struct kept_request;

struct scripting {
    struct script_cache *cache; /* NULL: not needed so far */
    struct libraries *libraries;
    uint64_t functions_seen;     /* changes of the data's functions that `libraries` knows */
    uint64_t functions_position; /* of the log, behind their last change */
    int64_t load_until_ns;       /* then a library that is being loaded is stopped */
    struct fiber *fiber;
    int64_t threshold_ns; /* 0: never busy */

    /* What is being executed on the fiber. */
    struct client *client; /* NULL: nothing */
    void (*body)(struct client *c, struct reply *reply, void *context);
    void *context;
    struct reply reply;
    struct buf out;
    uint64_t effects_before;

    /* The script at work in it. */
    bool running;
    struct script_job job;
    const struct span *argv; /* its command */
    size_t argc;
    bool oom, wrote;
    int64_t began_ns;
    const char *stop; /* the error that it is to end with */

    /* While it is busy. */
    bool busy, stop_asked;
    uv_idle_t idle;
    int64_t now_ms, slice_end_ns;
    struct kept_request *kept; /* holds argv */
    struct buf pushed;         /* messages for the client, to follow the reply */
    uint64_t pushed_position;
};

/* The reply of the client's command depends on the functions as they are. */
void scripting_depends_on_functions(struct client *c);

/* script_host.c: what scripts ask of the server. */
void script_host_fill(struct server *s, struct script_host *host);
unsigned script_host_version(void);
