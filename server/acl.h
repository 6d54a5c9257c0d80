/* All users, by their names.
 *
 * There always is the user "default": new connections are its, and while nothing else is said it may do everything without a
 * password. A user's address stays the same while its rules change, so clients point to their users; who deletes one, or puts
 * other users in place of all, looks after those clients (acl_clients.h). Owned by the main loop. */
#pragma once

#include "common/err.h"
#include "server/acl_rules.h"

struct acl;

/* @commands must outlive it. */
struct acl *acl_new(const struct command_set *commands);
void acl_free(struct acl *a);

/* May users hear all channels that are made from now on (acl-pubsub-default)? */
void acl_set_channels_default(struct acl *a, bool all);

struct acl_user *acl_default(const struct acl *a);
struct acl_user *acl_find(const struct acl *a, struct span name); /* NULL: there is none */
size_t acl_count(const struct acl *a);
struct acl_user *acl_at(const struct acl *a, size_t index); /* in the order of their names */

/* Make a user or change one, by all of @rules or not at all; on failure @f tells, and NULL is returned. The name must fit
 * (acl_rules_name_fits()). What the user was before is given to the caller in *@before, if that is not NULL: a copy, or NULL
 * for a new user. */
struct acl_user *acl_set_user(struct acl *a, struct span name, const struct span *rules, size_t n,
                              struct acl_user **before, struct acl_failure *f);

/* Take a user out, which then is the caller's. NULL: there is none. Never the default one. */
struct acl_user *acl_take(struct acl *a, struct span name);

/* The user of this name and password; NULL if there is none, or it is off. As slow for unknown names as for known ones. */
struct acl_user *acl_authenticate(const struct acl *a, struct span name, struct span password);

/* Give the default user this one password; an empty one: none is needed. (`requirepass`) */
void acl_set_password(struct acl *a, struct span password);

/* Does the default user need no password? */
bool acl_is_open(const struct acl *a);
/* Is there only the default user, as it is from the start, but for acl_set_password()? */
bool acl_is_plain(const struct acl *a);

/* Users as text, a line of "user <name> <rules>" for each. */
void acl_format(const struct acl *a, struct buf *to);
/* Replace all users by those of such a text. Empty lines are passed over. A text that does not name the default user leaves it as
 * it is from the start, with the password of acl_set_password(): Redis forgets that one, and is open. Errors: ERR_INVALID, all of them, each with
 * @source and its line, appended to @errors; then nothing has changed. *@before gives the old users, which still must be
 * freed by acl_free(). */
MUST_USE enum err acl_parse(struct acl *a, struct span text, const char *source, struct acl **before,
                            struct buf *errors);
