/* The settings: one row for each, and everything else comes out of the rows.
 *
 * Names are redis.conf's where the meaning is. A value is kept as a number (switches, choices, amounts) or as a text
 * in its normal form. A change is checked here; what must happen because of it happens in server/apply.c. Owned by
 * the main loop. */
#pragma once

#include "common/buf.h"
#include "common/err.h"
#include "server/config_lists.h"

enum setting_kind {
    SETTING_SWITCH, /* yes, no */
    SETTING_CHOICE, /* one of `words`; the value is its index */
    SETTING_NUMBER,
    SETTING_BYTES, /* 100, 64kb, 1gb ... */
    SETTING_TEXT,
};

enum setting_flag {
    SETTING_FIXED = 1 << 0,      /* only at start */
    SETTING_SECRET = 1 << 1,     /* never shown in a log line, wiped when replaced */
    SETTING_CUMULATIVE = 1 << 2, /* several lines of a file add up */
};

struct config;

/* A text's own rule: the normal form of @value, given what the setting holds now, is appended to @normal. */
typedef enum err setting_rule(const char *current, struct span value, struct buf *normal, struct errmsg *m);
setting_rule setting_rule_save, setting_rule_output_limits, setting_rule_replicaof, setting_rule_client_memory,
    setting_rule_bind, setting_rule_percentiles, setting_rule_notify;

#include "server/config_table.h"

enum setting {
#define X(id, ...) SET_##id,
    SETTINGS(X)
#undef X
        SET_COUNT
};

struct setting_row {
    const char *name, *alias; /* the alias is an older name, or NULL */
    enum setting_kind kind;
    const char *initial;
    int64_t min, max;
    unsigned flags;
    const char *words; /* of a choice: "no|local|yes" */
    setting_rule *rule;
    const char *help;
};

const struct setting_row *config_row(enum setting id);
/* Any case, aliases too. */
MUST_USE bool config_find(struct span name, enum setting *id);

struct config *config_new(void);
void config_free(struct config *c);

/* Errors: ERR_INVALID, with Redis's sentence ("argument must be 'yes' or 'no'"). */
MUST_USE enum err config_set(struct config *c, enum setting id, struct span value, struct errmsg *m);

int64_t config_number(const struct config *c, enum setting id);              /* switches and choices too */
const char *config_text(const struct config *c, enum setting id);            /* borrowed until it is set again */
void config_format(const struct config *c, enum setting id, struct buf *to); /* the text of any value */
bool config_is_initial(const struct config *c, enum setting id);

/* Users and renamed commands. */
struct config_lists *config_lists(struct config *c);

/* `save`: a checkpoint is due when @changes happened and @seconds passed. Returns the number of rules. */
struct save_rule {
    int64_t seconds, changes;
};
enum { SAVE_RULES_MAX = 16 };
size_t config_save_rules(const struct config *c, struct save_rule rules[SAVE_RULES_MAX]);

/* `client-output-buffer-limit` of one class. 0: no limit. */
enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASSES };
struct output_limit {
    int64_t hard_bytes, soft_bytes, soft_seconds;
};
void config_output_limits(const struct config *c, struct output_limit limits[OUTPUT_CLASSES]);

/* `maxmemory-clients` in bytes; 0: no limit. */
int64_t config_client_memory(const struct config *c);

/* `notify-keyspace-events`: where events are told, and a bit for each class of them; 0: no such class. */
enum { NOTIFY_KEYSPACE = 1 << 0, NOTIFY_KEYEVENT = 1 << 1 };
unsigned notify_bit(char event_class);
unsigned config_notify(const struct config *c);

/* `replicaof`: false if there is none. */
MUST_USE bool config_replicaof(const struct config *c, char host[256], int *port);

/* What was said in file and command line that has no effect here (config_moot.h): lines, for the log. */
struct buf *config_notes(struct config *c);

/* The file of settings: redis.conf's syntax, "name value ..." with quotes, # for comments, `include` of others (with
 * patterns). Errors: with file and line. */
MUST_USE enum err config_load_file(struct config *c, const char *path, struct errmsg *m);
/* "--name value ... --name value ...". Errors: ERR_INVALID. */
MUST_USE enum err config_load_args(struct config *c, int argc, char **argv, struct errmsg *m);
/* Write the settings that differ from the initial ones, or stand in the file, into the file; comments and order stay.
 * @users, lines as acl_format() makes them, take the place of those that stand there. The new file takes the old one's place
 * at once. */
MUST_USE enum err config_rewrite(const struct config *c, struct span users, const char *path, struct errmsg *m);
/* Put @text in the place of the file at @path, at once; it keeps the file's mode, and a new file is for its owner only. */
MUST_USE enum err config_replace_file(const char *path, struct span text, struct errmsg *m);
