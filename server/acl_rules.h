/* The rules of ACL SETUSER, which also stand in ACL files and in `user` lines of the configuration:
 *
 *     on off nopass resetpass >password <password #hash !hash sanitize-payload skip-sanitize-payload reset
 *     ~keys %R~keys %W~keys allkeys resetkeys &channels allchannels resetchannels
 *     +command -command +command|sub +command|first-argument +@category -@category allcommands nocommands
 *     ( rules of a selector ) clearselectors
 *
 * What Redis takes and we do not: white space in first arguments, and a closing parenthesis at the end of a pattern in a
 * selector, because both make a description that means something else when it is read again. Of "+@all -@dangerous +keys" the
 * description keeps the rules and their order, as Redis 7.2 does: what another version puts into a category is then in it. */
#pragma once

#include "server/acl_user.h"

struct acl_failure {
    char rule[256];  /* cut to fit; of a password only the sign before it is shown */
    const char *why; /* static storage, Redis's words; NULL: a parenthesis is open that `rule` begins with */
};

/* Apply @rules in their order. On failure @u has changed by those before: work on a copy. */
MUST_USE bool acl_rules_apply(struct acl_user *u, const struct span *rules, size_t n, struct acl_failure *f);

/* A name without white space and zero bytes, and not empty. */
bool acl_rules_name_fits(struct span name);
