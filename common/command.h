/* The command table: one row per command, and everything that can be asked about commands comes out of the row.
 *
 *     COMMAND("ZADD", "key [NX|XX] [GT|LT] [CH] [INCR] {score member}+",
 *             "Add members to a sorted set, or update their scores.", "1.2.0", "O(log N) per member",
 *             CMD_WRITE | CMD_FAST | CMD_DENYOOM, ACL_SORTEDSET, KEYS(KEY_RW | KEY_UPDATE, 1), zset_add)
 *
 * The syntax string is the source of the arity and of the arguments in COMMAND DOCS: lower case is a value, upper
 * case a literal word, [..] may be absent, {..} groups, | separates alternatives, + repeats. common/syntax.h has the rest.
 *
 * Rows are static and constant; a command set is built from any number of them at start: the engine's (common/) and
 * the server's (server/), so that one look-up finds both. */
#pragma once

#include "common/err.h"
#include "common/span.h"

struct call;

enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7, /* allowed while the data set is being loaded */
    CMD_STALE = 1 << 8,   /* allowed on a replica without a link to its primary */
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_MOVABLE_KEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_ENGINE = 1 << 19, /* set by command_set_add(): the engine executes it, not the server */
    CMD_NO_MANDATORY_KEYS = 1 << 20,
    CMD_IN_MULTI = 1 << 21,  /* ours: behind MULTI it is executed at once, not queued */
    CMD_IN_PUBSUB = 1 << 22, /* ours: a subscriber of RESP2 may use it */
};

/* ACL categories that flags do not imply (WRITE, READONLY, ADMIN, FAST/slow ... follow from the flags). */
enum command_category {
    ACL_KEYSPACE = 1 << 0,
    ACL_STRING = 1 << 1,
    ACL_LIST = 1 << 2,
    ACL_SET = 1 << 3,
    ACL_SORTEDSET = 1 << 4,
    ACL_HASH = 1 << 5,
    ACL_BITMAP = 1 << 6,
    ACL_HYPERLOGLOG = 1 << 7,
    ACL_GEO = 1 << 8,
    ACL_STREAM = 1 << 9,
    ACL_PUBSUB = 1 << 10,
    ACL_ADMIN = 1 << 11,
    ACL_DANGEROUS = 1 << 12,
    ACL_CONNECTION = 1 << 13,
    ACL_TRANSACTION = 1 << 14,
    ACL_SCRIPTING = 1 << 15,
    ACL_BLOCKING = 1 << 16,
    /* The chapter of the manual, where it does not follow from the categories above. */
    GROUP_GENERIC = 1 << 20,
    GROUP_SERVER = 1 << 21,
    GROUP_CONNECTION = 1 << 22,
    GROUP_STREAM = 1 << 23,
    GROUP_PUBSUB = 1 << 28,
    GROUP_SCRIPTING = 1 << 29,
};

enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2, /* overwritten whatever it was */
    KEY_RM = 1 << 3, /* removed without being looked at */
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

/* Where keys stand in a command. Two ways to find the first (an index, or behind a keyword), two to find the rest (a
 * range, or a number that is an argument). The macros below write the usual ones. */
struct key_spec {
    uint16_t flags;      /* 0: this spec and those behind it are unused */
    int16_t begin;       /* index of the first key; 0: Redis says that it cannot be told from the arguments */
    const char *keyword; /* not NULL: the key stands behind this word, searched from `begin` (negative: backwards) */
    int16_t last, step;  /* range: last key relative to the first (-1: last argument, -2: the one before), stride */
    uint8_t limit;       /* with last -1: only the first 1/limit of the rest are keys; 0: all */
    bool counted;        /* argument first+count_at is the number of keys, which start at first+first_key */
    int16_t count_at, first_key;
};

/* One key; a range of keys; keys behind their number; keys behind a word; "there are keys, but where is not known". */
#define KEYS(flags_, begin_)                            \
    {                                                   \
        .flags = (flags_), .begin = (begin_), .step = 1 \
    }
#define KEYS_RANGE(flags_, begin_, last_, step_)                               \
    {                                                                          \
        .flags = (flags_), .begin = (begin_), .last = (last_), .step = (step_) \
    }
#define KEYS_COUNTED(flags_, count_index_)                                                     \
    {                                                                                          \
        .flags = (flags_), .begin = (count_index_), .step = 1, .counted = true, .first_key = 1 \
    }
#define KEYS_AFTER(flags_, keyword_, from_, last_, limit_)                                                        \
    {                                                                                                             \
        .flags = (flags_), .begin = (from_), .keyword = (keyword_), .last = (last_), .step = 1, .limit = (limit_) \
    }
#define KEYS_UNKNOWN(flags_) \
    {                        \
        .flags = (flags_)    \
    }
#define KEYS_TWO(a, b)      a, b
#define KEYS_THREE(a, b, c) a, b, c
#define NO_KEYS \
    {           \
        0       \
    }

enum { COMMAND_MAX_KEY_SPECS = 4 };

struct command {
    const char *name; /* "OBJECT|ENCODING" for a subcommand */
    const char *syntax, *summary, *since, *complexity;
    uint32_t flags, categories;
    struct key_spec keys[COMMAND_MAX_KEY_SPECS];
    void (*run)(struct call *c);       /* NULL for a container of subcommands */
    const struct command *subcommands; /* ended by a row without a name */
    /* Flags of the keys under KEY_VARIABLE_FLAGS, which depend on @argv; NULL: there is no such key. */
    uint16_t (*key_flags)(const struct span *argv, size_t argc);
    const char *hints; /* COMMAND INFO's tips, separated by spaces, may be NULL */
    /* What changed since, beside the arguments whose versions the syntax tells: lines of a version, a space and a sentence.
     * May be NULL. */
    const char *history;
    const char *deprecated,
        *replaced_by; /* since which version others are preferred, and which; NULL: they are not */
    bool internal;    /* for servers and their tests, not for applications */
};

/* Rows. A key specification is one of the macros above; several go through KEYS_TWO() or KEYS_THREE(). Behind the last
 * argument other members may be set: COMMAND("SUBSTR", ..., string_getrange, .deprecated = "2.0.0"). */
#define COMMAND_HINTED(name_, syntax_, summary_, since_, complexity_, flags_, categories_, keys_, run_, ...)         \
    {                                                                                                                \
        .name = (name_), .syntax = (syntax_), .summary = (summary_), .since = (since_), .complexity = (complexity_), \
        .flags = (flags_), .categories = (categories_), .keys = {keys_}, .run = (run_), .hints = __VA_ARGS__         \
    }
#define COMMAND(name_, syntax_, summary_, since_, complexity_, flags_, categories_, keys_, ...)                      \
    {                                                                                                                \
        .name = (name_), .syntax = (syntax_), .summary = (summary_), .since = (since_), .complexity = (complexity_), \
        .flags = (flags_), .categories = (categories_), .keys = {keys_}, .run = __VA_ARGS__                          \
    }
#define COMMAND_CONTAINER(name_, summary_, since_, categories_, subcommands_)                                  \
    {                                                                                                          \
        .name = (name_), .syntax = "subcommand [argument+]", .summary = (summary_), .since = (since_),         \
        .complexity = "Depends on the subcommand.", .categories = (categories_), .subcommands = (subcommands_) \
    }
#define COMMANDS_END \
    {                \
        .name = NULL \
    }

struct command_set;

struct command_set *command_set_new(void);
void command_set_free(struct command_set *s);
/* Add rows up to one without a name. @flags are put on each of them. Rows must outlive the set. A container that is there
 * already gets further subcommands: some are the engine's, some the server's. */
void command_set_add(struct command_set *s, const struct command *rows, uint32_t flags);

/* One command as it stands in a set: its row and what was derived from the row. */
struct command_entry {
    const struct command *row;
    uint32_t flags; /* the row's and those of command_set_add() */
    int arity;      /* as Redis counts it: the name included; negative: at least that many */
    uint16_t id;    /* dense, from 0, subcommands included: index for per-command statistics */
    const struct command_entry *parent;
    const struct command_entry *const *subs; /* of a container */
    size_t sub_count;
    const char *name;   /* full name, lower case */
    const char *called; /* what it is found by: its name, unless it was renamed; NULL: nobody finds it */
};

/* NULL if unknown. Any case. With subcommands, @sub (may be empty) chooses one; where it names none, the container
 * itself is returned, whose row has no run(). */
const struct command_entry *command_find(const struct command_set *s, struct span name, struct span sub);
/* By the name of its row, whatever it was renamed to. */
const struct command_entry *command_find_original(const struct command_set *s, struct span name, struct span sub);

/* From now on command_find() knows a command by the name @to only; empty: not at all. Its name stays what it is. Subcommands go
 * with it. Errors: ERR_MISSING  there is no command @from; ERR_EXISTS  another command is called @to. */
MUST_USE enum err command_rename(struct command_set *s, struct span from, struct span to);
size_t command_count(const struct command_set *s);                                 /* without subcommands */
const struct command_entry *command_at(const struct command_set *s, size_t index); /* 0 .. command_count()-1 */
size_t command_ids(const struct command_set *s);                                   /* ids are below this */

/* Do @argc arguments, the name included, fit? */
static inline bool command_arity_fits(const struct command_entry *e, size_t argc)
{
    return e->arity < 0 ? argc >= (size_t)-e->arity : argc == (size_t)e->arity;
}

/* Does it name keys? What only goes where a key would go (KEY_NOT_KEY) is none. */
bool command_has_keys(const struct command_entry *e);

/* Indexes of the keys in @argv and their flags; returns how many there are (may exceed @room), or -1 if @argv does
 * not fit the command. */
struct key_ref {
    uint32_t index;
    uint16_t flags;
};
long command_keys(const struct command_entry *e, const struct span *argv, size_t argc, struct key_ref *to,
                  size_t room);
