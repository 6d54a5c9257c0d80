/* A request that outlives its bytes: it is queued in a transaction, or waits for a key. One allocation. Pure. */
#pragma once

#include "common/command.h"
#include "common/resp.h"

struct kept_request {
    const struct command_entry *command;
    size_t argc;
    struct span raw;    /* as in struct request: of its own copy */
    struct span argv[]; /* the bytes lie behind it */
};

/* Copy @r, which is one of @command. The caller frees it with mem_free(). */
struct kept_request *kept_request_new(const struct command_entry *command, const struct request *r);

/* As a request again, borrowed from @k. */
static inline struct request kept_request_get(struct kept_request *k)
{
    return (struct request){.argv = k->argv, .argc = k->argc, .raw = k->raw};
}

/* Memory that it takes. */
size_t kept_request_bytes(const struct kept_request *k);
