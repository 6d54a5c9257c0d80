/* May this user do that? */
#pragma once

#include "server/acl_user.h"

/* In the order of Redis's numbers: of several selectors the one that came furthest gives the reason. */
enum acl_verdict { ACL_OK, ACL_DENIED_COMMAND, ACL_DENIED_KEY, ACL_DENIED_AUTH, ACL_DENIED_CHANNEL };

/* Everything that the request names: the command, its keys, its channels. If it is denied for a key or a channel, *@index is
 * that argument's. Where its keys cannot be found (a number of keys that is none, an argument
 * too few), the command is sure to refuse the request, and it is allowed. */
enum acl_verdict acl_check(const struct acl_user *u, const struct command_entry *e, const struct span *argv,
                           size_t argc, size_t *index);

/* May it run this command and read any key? SORT asks, whose BY and GET name keys that stand in no argument. */
bool acl_check_reads_all_keys(const struct acl_user *u, const struct command_entry *e, const struct span *argv,
                              size_t argc);

/* May it hear or send to this channel? Of a pattern to subscribe to, the pattern itself must have been allowed. */
bool acl_check_channel(const struct acl_user *u, struct span channel, bool is_pattern);
