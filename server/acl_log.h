/* The last denials, for ACL LOG.
 *
 * Newest first. What happens again within a minute is counted in the entry that is there, if that is one of the ten newest,
 * and brings it to the front. Of long names the beginning is kept; an argument that was not looked at as a key, channel,
 * command or user name never gets here. Owned by the main loop. */
#pragma once

#include "server/acl_check.h"

struct acl_log;

struct acl_entry {
    uint64_t id, count;
    enum acl_verdict reason;
    const char *context; /* "toplevel", "multi", "lua"; static storage */
    struct buf object, user, client;
    int64_t created_ms, updated_ms;
};

struct acl_log *acl_log_new(void);
void acl_log_free(struct acl_log *l);
/* Keep at most @max entries; those beyond are gone. */
void acl_log_set_max(struct acl_log *l, size_t max);
void acl_log_reset(struct acl_log *l);

/* @client: what CLIENT LIST says of it. All are copied. */
void acl_log_add(struct acl_log *l, enum acl_verdict reason, const char *context, struct span object,
                 struct span user, struct span client, int64_t now_ms);
size_t acl_log_count(const struct acl_log *l);
const struct acl_entry *acl_log_at(const struct acl_log *l, size_t index); /* 0: the newest */

const char *acl_log_reason(enum acl_verdict v); /* "command", "key", "auth", "channel" */
