/* Who a client is, and what it may do: the users (acl.h) wired to clients, settings, files and statistics.
 *
 * A client always has a user, the default one at first. It has to give a password (CLIENT_TRUSTED is not set) unless that user
 * needs none. A user that may do everything costs one look at `unlimited` per command. Main thread. */
#pragma once

#include "server/acl.h"
#include "server/acl_log.h"
#include "server/config.h"

struct client;
struct reply;
struct request;
struct server;

struct access {
    struct acl *users;
    struct acl_log *log;
    struct acl_user *nobody; /* whose clients are about to be closed */
};

/* Users from the ACL file or the settings, and renamed commands. */
MUST_USE enum err access_start(struct server *s, struct errmsg *m);
void access_free(struct server *s);
/* One of its settings was changed. */
void access_configure(struct server *s, enum setting id);

/* A client that was accepted, or asked for RESET. */
void access_greet(struct client *c);
/* May it do more than authenticate itself? */
bool access_is_known(struct client *c);
/* It gives a name and a password by @command; false: denied, and noted. The password is wiped. */
bool access_authenticate(struct client *c, struct span command, struct span name, struct span password);
/* Forget what a request holds: its bytes lie in our own buffer. */
void access_wipe(struct span secret);

/* May the client do that? A denial is noted as of @context ("toplevel", "multi", "lua"; static storage). */
enum acl_verdict access_check(struct client *c, const char *context, const struct command_entry *e,
                              const struct span *argv, size_t argc);
/* The same before a request is executed or queued, and before what was queued is executed; false: the error was replied. */
bool access_permits(struct client *c, const struct command_entry *e, const struct request *r, struct reply *reply);
bool access_permits_still(struct client *c, const struct command_entry *e, const struct request *r,
                          struct reply *reply);
/* The same for a command of a script that the client has executed; in the words of redis.call(). */
bool access_permits_script(struct client *c, const struct command_entry *e, const struct request *r,
                           struct reply *reply);

/* The rules of @u changed, and were those of @before (NULL: it is new): who listens to what it may not hear any more is
 * closed, @me behind its reply. */
void access_changed(const struct acl_user *u, const struct acl_user *before, struct client *me);
/* Delete a user and close its clients; @me gets its reply first. False: there is none. */
bool access_remove(struct server *s, struct span name, struct client *me);

/* The ACL file. After a load clients whose user is another or none now are closed, @me behind its reply; on failure nothing has
 * changed, and @errors, which may be long, say why. */
MUST_USE enum err access_load(struct server *s, struct client *me, struct buf *errors);
MUST_USE enum err access_save(struct server *s, struct errmsg *m);
