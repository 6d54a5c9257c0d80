#include "common/command.h"

#include <assert.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"
#include "common/syntax.h"

/* An entry with what it owns. */
struct node {
    struct command_entry entry; /* first: entries are cast to their nodes */
    char *renamed;
    char name[];
};

struct slot {
    struct command_entry *entry; /* NULL: empty */
    uint32_t hash, length;       /* of the name that it is called by */
};

struct command_set {
    struct command_entry **list; /* top-level ones in the order of addition */
    size_t count, room;
    struct slot *slots; /* open addressing by the name's hash; a power of two, at most half full */
    size_t slot_count;
    uint16_t next_id;
};

/* FNV-1a of the lower-case name. Names come from clients, but the table holds only ours: nothing to flood. */
static uint32_t name_hash(struct span name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.n; i++) h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 16777619u;
    return h ^ h >> 15;
}

struct command_set *command_set_new(void) { return MEM_NEW(struct command_set); }

static void entry_free(struct command_entry *e)
{
    for (size_t i = 0; i < e->sub_count; i++) mem_free((void *)e->subs[i]);
    mem_free((void *)e->subs);
    mem_free(((struct node *)(void *)e)->renamed);
    mem_free(e);
}

void command_set_free(struct command_set *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->count; i++) entry_free(s->list[i]);
    mem_free(s->list);
    mem_free(s->slots);
    mem_free(s);
}

static bool is_lower_case_of(const char *lower, struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (lower[i] != ascii_lower(name.p[i])) return false;
    return true;
}

/* The slot of @name: its entry's, or the empty one where it would go. */
static struct slot *slot_of(const struct command_set *s, struct span name, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        struct slot *slot = &s->slots[i & (s->slot_count - 1)];
        if (!slot->entry) return slot;
        if (slot->hash == hash && slot->length == name.n && is_lower_case_of(slot->entry->called, name)) return slot;
    }
}

static void place(struct command_set *s, struct command_entry *e)
{
    if (!e->called) return;
    const struct span name = span_str(e->called);
    const uint32_t hash = name_hash(name);
    struct slot *slot = slot_of(s, name, hash);
    assert(!slot->entry); /* no command is declared twice */
    *slot = (struct slot){e, hash, (uint32_t)name.n};
}

static void place_all(struct command_set *s)
{
    mem_free(s->slots);
    s->slots = mem_zalloc(s->slot_count, sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++) place(s, s->list[i]);
}

static void grow(struct command_set *s)
{
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 64;
        s->list = mem_realloc(s->list, s->room * sizeof *s->list);
    }
    if (s->count * 2 < s->slot_count) return;
    s->slot_count = s->slot_count ? s->slot_count * 2 : 128;
    place_all(s);
}

/* True for a command that has keys, but not all of them where first key, last key and step could say so. */
static bool has_movable_keys(const struct command *row)
{
    for (size_t i = 0; i < COMMAND_MAX_KEY_SPECS && row->keys[i].flags; i++)
        if (row->keys[i].keyword || row->keys[i].counted || row->keys[i].begin == 0) return true;
    return false;
}

static struct command_entry *entry_new(struct command_set *s, const struct command *row, uint32_t flags,
                                       const struct command_entry *parent)
{
    const size_t n = strlen(row->name);
    struct node *node = mem_zalloc(1, sizeof *node + n + 1);
    for (size_t i = 0; i < n; i++) node->name[i] = ascii_lower(row->name[i]);
    struct command_entry *e = &node->entry;
    struct syntax *syntax = syntax_parse(row->syntax);
    const struct syntax_size size = syntax_measure(syntax);
    syntax_free(syntax);
    const int least = (int)size.least + (parent ? 2 : 1);
    *e = (struct command_entry){.row = row,
                                .flags = row->flags | flags,
                                .arity = size.more ? -least : least,
                                .id = s->next_id++,
                                .parent = parent,
                                .name = node->name,
                                .called = node->name};
    if (has_movable_keys(row)) e->flags |= CMD_MOVABLE_KEYS;
    return e;
}

/* Add the subcommands of @row, behind those that the container has. */
static void add_subcommands(struct command_set *s, struct command_entry *e, const struct command *row, uint32_t flags)
{
    size_t n = 0;
    while (row->subcommands[n].name) n++;
    const struct command_entry **subs = mem_zalloc(e->sub_count + n, sizeof *subs);
    for (size_t i = 0; i < e->sub_count; i++) subs[i] = e->subs[i];
    for (size_t i = 0; i < n; i++) subs[e->sub_count + i] = entry_new(s, &row->subcommands[i], flags, e);
    mem_free((void *)e->subs);
    e->subs = subs;
    e->sub_count += n;
}

/* The container of that name, which was added before. */
static struct command_entry *container_of(const struct command_set *s, const struct command *row)
{
    const struct span name = span_str(row->name);
    struct command_entry *e = row->subcommands ? slot_of(s, name, name_hash(name))->entry : NULL;
    assert(!e || e->sub_count);
    return e;
}

void command_set_add(struct command_set *s, const struct command *rows, uint32_t flags)
{
    for (const struct command *row = rows; row->name; row++) {
        grow(s);
        struct command_entry *e = container_of(s, row);
        if (e) {
            add_subcommands(s, e, row, flags);
            continue;
        }
        e = entry_new(s, row, flags, NULL);
        if (row->subcommands) add_subcommands(s, e, row, flags);
        place(s, e);
        s->list[s->count++] = e;
    }
}

/* @e, or the subcommand of it that @sub names. */
static const struct command_entry *choose(const struct command_entry *e, struct span sub)
{
    if (!e || e->sub_count == 0) return e;
    const size_t prefix = strlen(e->name) + 1;
    for (size_t i = 0; i < e->sub_count; i++)
        if (span_is(sub, e->subs[i]->name + prefix)) return e->subs[i];
    return e;
}

const struct command_entry *command_find(const struct command_set *s, struct span name, struct span sub)
{
    if (s->slot_count == 0) return NULL;
    return choose(slot_of(s, name, name_hash(name))->entry, sub);
}

static struct command_entry *find_row(const struct command_set *s, struct span name)
{
    for (size_t i = 0; i < s->count; i++)
        if (span_is(name, s->list[i]->name)) return s->list[i];
    return NULL;
}

const struct command_entry *command_find_original(const struct command_set *s, struct span name, struct span sub)
{
    return choose(find_row(s, name), sub);
}

enum err command_rename(struct command_set *s, struct span from, struct span to)
{
    const struct command_entry *found = command_find(s, from, SPAN(""));
    if (!found) return ERR_MISSING;
    struct command_entry *e = find_row(s, span_str(found->name));
    if (to.n && slot_of(s, to, name_hash(to))->entry) return ERR_EXISTS;
    struct node *node = (struct node *)(void *)e;
    mem_free(node->renamed);
    node->renamed = NULL;
    if (to.n) {
        node->renamed = mem_zalloc(1, to.n + 1);
        for (size_t i = 0; i < to.n; i++) node->renamed[i] = ascii_lower(to.p[i]);
    }
    e->called = node->renamed;
    place_all(s);
    return ERR_OK;
}

size_t command_count(const struct command_set *s) { return s->count; }

const struct command_entry *command_at(const struct command_set *s, size_t index)
{
    assert(index < s->count);
    return s->list[index];
}

size_t command_ids(const struct command_set *s) { return s->next_id; }

/* How many arguments an option of SORT or GEORADIUS takes: none of them is an option itself, whatever it says. */
static size_t option_arguments(struct span word)
{
    if (span_is(word, "LIMIT")) return 2;
    static const char *const with_one[] = {"BY", "GET", "STORE", "STOREDIST", "COUNT"};
    for (size_t i = 0; i < sizeof with_one / sizeof *with_one; i++)
        if (span_is(word, with_one[i])) return 1;
    return 0;
}

/* The argument of the option that the spec names; where it is given more than once, the last one counts. */
static size_t spec_option(const struct key_spec *k, const struct span *argv, size_t argc)
{
    size_t found = 0;
    for (size_t i = k->begin ? (size_t)k->begin : 2; i + 1 < argc; i += 1 + option_arguments(argv[i]))
        if (span_is(argv[i], k->keyword)) found = i + 1;
    return found;
}

/* Index of the first argument that the spec's search leads to; 0 if there is none. */
static size_t spec_first(const struct key_spec *k, const struct span *argv, size_t argc)
{
    if (!k->keyword) return (size_t)k->begin;
    if (k->last == 0 && !k->counted) return spec_option(k, argv, argc);
    if (k->begin > 0) {
        for (size_t i = (size_t)k->begin; i + 1 < argc; i++)
            if (span_is(argv[i], k->keyword)) return i + 1;
    } else {
        for (size_t i = argc - (size_t)-k->begin; i >= 1 && i < argc; i--)
            if (span_is(argv[i], k->keyword)) return i + 1;
    }
    return 0;
}

/* The keys of one spec are argv[*first], argv[*first + step] ... argv[*last]. */
static bool spec_range(const struct key_spec *k, const struct command_entry *e, const struct span *argv, size_t argc,
                       size_t *first, size_t *last)
{
    const size_t at = *first;
    const int64_t least = e->flags & CMD_NO_MANDATORY_KEYS ? 0 : 1;
    if (k->counted) {
        int64_t n;
        const size_t count_at = at + (size_t)k->count_at;
        if (count_at >= argc || !num_parse_i64(argv[count_at], &n) || n < least || n > (int64_t)argc) return false;
        *first = at + (size_t)k->first_key;
        *last = *first + (size_t)n * (size_t)k->step - (size_t)k->step;
        return n == 0 || *last < argc;
    }
    if (k->last >= 0) *last = at + (size_t)k->last;
    else if (k->limit) *last = at + (argc - at) / k->limit - (size_t)-k->last;
    else *last = argc - (size_t)-k->last;
    return *last < argc;
}

static uint16_t flags_of(const struct key_spec *k, const struct command_entry *e, const struct span *argv,
                         size_t argc)
{
    return k->flags & KEY_VARIABLE_FLAGS ? e->row->key_flags(argv, argc) : k->flags;
}

bool command_has_keys(const struct command_entry *e)
{
    for (size_t i = 0; i < COMMAND_MAX_KEY_SPECS && e->row->keys[i].flags; i++)
        if (!(e->row->keys[i].flags & KEY_NOT_KEY)) return true;
    return false;
}

long command_keys(const struct command_entry *e, const struct span *argv, size_t argc, struct key_ref *to,
                  size_t room)
{
    if (!command_arity_fits(e, argc)) return -1;
    long found = 0;
    for (size_t i = 0; i < COMMAND_MAX_KEY_SPECS && e->row->keys[i].flags; i++) {
        const struct key_spec *k = &e->row->keys[i];
        if ((k->begin == 0 && !k->keyword) || k->flags & KEY_NOT_KEY) continue;
        size_t first = spec_first(k, argv, argc), last;
        if (first == 0) continue;
        if (!spec_range(k, e, argv, argc, &first, &last)) return -1;
        for (size_t at = first; at <= last && last < argc; at += (size_t)k->step, found++)
            if ((size_t)found < room) to[found] = (struct key_ref){(uint32_t)at, flags_of(k, e, argv, argc)};
    }
    return found;
}
