/* One user of the server: what it may do, and how it proves who it is.
 *
 *     user = root selector, selector, selector ...     a command is allowed if one of them allows all of it
 *     selector = commands (a bit for each id, and first arguments) + keys + channels
 *
 * The rules that change a user stand in acl_rules.h, what they mean for a command in acl_check.h, all users in acl.h.
 * Knows no socket and no file. Not thread-safe: the main loop's. */
#pragma once

#include "common/buf.h"
#include "common/command.h"

enum acl_access { ACL_MAY_READ = 1 << 0, ACL_MAY_WRITE = 1 << 1 };

struct acl_pattern {
    struct span text; /* owned */
    unsigned access;  /* bits of enum acl_access; of a channel: both */
};

struct acl_patterns {
    bool all; /* then there are none: nothing is left to be said */
    struct acl_pattern *at;
    size_t count;
};

/* As it was given, without those that a later one made void: "+get", "-@dangerous", "+select|0". */
struct acl_rule {
    char *name;
    bool allow;
};

/* A command that is allowed only with this first argument. */
struct acl_first {
    uint16_t id;
    char *text;
};

struct acl_selector {
    bool every;    /* all commands: +@all, and nothing was taken away since */
    bool additive; /* begins with -@all: commands that a later version brings are not allowed */
    uint64_t *allowed;
    struct acl_rule *rules;
    size_t rule_count;
    struct acl_first *firsts;
    size_t first_count;
    struct acl_patterns keys, channels;
};

enum { ACL_HASH_BYTES = 32 }; /* SHA-256 */
enum acl_sanitize { ACL_SANITIZE_UNSAID, ACL_SANITIZE, ACL_SANITIZE_SKIP };

struct acl_user {
    struct span name; /* owned */
    bool on;
    bool open;      /* needs no password ("nopass") */
    bool unlimited; /* one of the selectors allows everything: nothing more has to be looked at */
    enum acl_sanitize sanitize;
    uint8_t (*hashes)[ACL_HASH_BYTES]; /* of its passwords */
    size_t hash_count;
    struct acl_selector **selectors; /* [0]: the root */
    size_t selector_count;
    const struct command_set *commands; /* borrowed */
    bool channels_by_default;           /* what a new selector may hear (acl-pubsub-default) */
};

/* Off, without a password, with no right. @commands must outlive it. */
struct acl_user *acl_user_new(struct span name, const struct command_set *commands, bool channels_by_default);
void acl_user_free(struct acl_user *u);
struct acl_user *acl_user_copy(const struct acl_user *u);
/* Exchange all but the names. */
void acl_user_swap(struct acl_user *a, struct acl_user *b);

struct acl_selector *acl_user_new_selector(const struct acl_user *u);
void acl_user_free_selector(struct acl_selector *s);
void acl_user_add_selector(struct acl_user *u, struct acl_selector *s); /* takes */
void acl_user_drop_selectors(struct acl_user *u);                       /* but the root */

/* Bits of commands by their ids. */
static inline bool acl_user_bit(const struct acl_selector *s, uint16_t id)
{
    return s->allowed[id / 64] >> (id % 64) & 1;
}

/* Patterns: a text that is there already only gets more access. */
void acl_user_add_pattern(struct acl_patterns *p, struct span text, unsigned access);
void acl_user_drop_patterns(struct acl_patterns *p);

/* Passwords, by their SHA-256. Adding what is there changes nothing; false: there was none to remove. */
void acl_user_hash(struct span password, uint8_t hash[ACL_HASH_BYTES]);
void acl_user_add_hash(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES]);
MUST_USE bool acl_user_remove_hash(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES]);
void acl_user_drop_hashes(struct acl_user *u);
/* One of its passwords is that of @hash; takes the same time wherever they differ. */
bool acl_user_knows(const struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES]);

/* Does the set of channels of @u hold what that of @other holds? As far as equal texts say so. */
bool acl_user_hears_as_much(const struct acl_user *u, const struct acl_user *other);

/* Bring `unlimited` into line with the rest. */
void acl_user_settle(struct acl_user *u);

/* The parts of a description, as ACL SETUSER would take them: "-@all +get", "~a* %R~b*", "resetchannels &x". */
void acl_user_describe_commands(const struct acl_selector *s, struct buf *to);
void acl_user_describe_keys(const struct acl_selector *s, struct buf *to);
/* With "resetchannels" before it, if not all are allowed; GETUSER shows them without. */
void acl_user_describe_channels(const struct acl_selector *s, bool reset, struct buf *to);
/* "on nopass #6d... ~* &* +@all (~x* resetchannels -@all +get)": applied to a new user it makes an equal one. */
void acl_user_describe(const struct acl_user *u, struct buf *to);
/* "on", "nopass" ...; at most ACL_FLAGS_MAX, static storage. Returns how many. */
enum { ACL_FLAGS_MAX = 3 };
size_t acl_user_flags(const struct acl_user *u, const char *flags[ACL_FLAGS_MAX]);
