#include "server/acl_user.h"

#include <sodium.h>

#include "common/mem.h"

static struct span copy_text(struct span s) { return span_of(mem_dup(s.p, s.n), s.n); }

static void free_text(struct span s) { mem_free((void *)(uintptr_t)s.p); }

static size_t words_of(const struct command_set *commands) { return (command_ids(commands) + 63) / 64; }

/* ---- Life ---- */

struct acl_selector *acl_user_new_selector(const struct acl_user *u)
{
    struct acl_selector *s = MEM_NEW(struct acl_selector);
    s->additive = true;
    s->allowed = mem_zalloc(words_of(u->commands), sizeof *s->allowed);
    s->channels.all = u->channels_by_default;
    return s;
}

void acl_user_free_selector(struct acl_selector *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->rule_count; i++) mem_free(s->rules[i].name);
    for (size_t i = 0; i < s->first_count; i++) mem_free(s->firsts[i].text);
    acl_user_drop_patterns(&s->keys);
    acl_user_drop_patterns(&s->channels);
    mem_free(s->rules);
    mem_free(s->firsts);
    mem_free(s->allowed);
    mem_free(s);
}

struct acl_user *acl_user_new(struct span name, const struct command_set *commands, bool channels_by_default)
{
    struct acl_user *u = MEM_NEW(struct acl_user);
    u->name = copy_text(name);
    u->commands = commands;
    u->channels_by_default = channels_by_default;
    acl_user_add_selector(u, acl_user_new_selector(u));
    return u;
}

void acl_user_free(struct acl_user *u)
{
    if (!u) return;
    acl_user_drop_hashes(u);
    acl_user_drop_selectors(u);
    acl_user_free_selector(u->selectors[0]);
    mem_free(u->selectors);
    free_text(u->name);
    mem_free(u);
}

static void copy_patterns(struct acl_patterns *to, const struct acl_patterns *from)
{
    acl_user_drop_patterns(to);
    to->all = from->all;
    for (size_t i = 0; i < from->count; i++) acl_user_add_pattern(to, from->at[i].text, from->at[i].access);
}

static char *copy_string(const char *text) { return mem_dup(text, strlen(text) + 1); }

static void copy_selector(const struct acl_user *u, struct acl_selector *to, const struct acl_selector *from)
{
    to->every = from->every;
    to->additive = from->additive;
    memcpy(to->allowed, from->allowed, words_of(u->commands) * sizeof *to->allowed);
    to->rules = mem_alloc(from->rule_count * sizeof *to->rules);
    for (; to->rule_count < from->rule_count; to->rule_count++) {
        to->rules[to->rule_count] = from->rules[to->rule_count];
        to->rules[to->rule_count].name = copy_string(from->rules[to->rule_count].name);
    }
    to->firsts = mem_alloc(from->first_count * sizeof *to->firsts);
    for (; to->first_count < from->first_count; to->first_count++) {
        to->firsts[to->first_count] = from->firsts[to->first_count];
        to->firsts[to->first_count].text = copy_string(from->firsts[to->first_count].text);
    }
    copy_patterns(&to->keys, &from->keys);
    copy_patterns(&to->channels, &from->channels);
}

struct acl_user *acl_user_copy(const struct acl_user *u)
{
    struct acl_user *copy = acl_user_new(u->name, u->commands, u->channels_by_default);
    copy->on = u->on;
    copy->open = u->open;
    copy->unlimited = u->unlimited;
    copy->sanitize = u->sanitize;
    for (size_t i = 0; i < u->hash_count; i++) acl_user_add_hash(copy, u->hashes[i]);
    for (size_t i = 0; i < u->selector_count; i++) {
        if (i) acl_user_add_selector(copy, acl_user_new_selector(copy));
        copy_selector(u, copy->selectors[i], u->selectors[i]);
    }
    return copy;
}

void acl_user_swap(struct acl_user *a, struct acl_user *b)
{
    const struct acl_user was = *a;
    const struct span a_name = a->name, b_name = b->name;
    *a = *b;
    *b = was;
    a->name = a_name;
    b->name = b_name;
}

void acl_user_add_selector(struct acl_user *u, struct acl_selector *s)
{
    u->selectors = mem_realloc(u->selectors, (u->selector_count + 1) * sizeof(struct acl_selector *));
    u->selectors[u->selector_count++] = s;
}

void acl_user_drop_selectors(struct acl_user *u)
{
    while (u->selector_count > 1) acl_user_free_selector(u->selectors[--u->selector_count]);
}

/* ---- Patterns ---- */

void acl_user_add_pattern(struct acl_patterns *p, struct span text, unsigned access)
{
    for (size_t i = 0; i < p->count; i++)
        if (span_eq(p->at[i].text, text)) {
            p->at[i].access |= access;
            return;
        }
    p->at = mem_realloc(p->at, (p->count + 1) * sizeof *p->at);
    p->at[p->count++] = (struct acl_pattern){copy_text(text), access};
}

void acl_user_drop_patterns(struct acl_patterns *p)
{
    for (size_t i = 0; i < p->count; i++) free_text(p->at[i].text);
    mem_free(p->at);
    *p = (struct acl_patterns){0};
}

static bool holds(const struct acl_user *u, struct span channel)
{
    for (size_t i = 0; i < u->selector_count; i++)
        for (size_t j = 0; j < u->selectors[i]->channels.count; j++)
            if (span_eq(u->selectors[i]->channels.at[j].text, channel)) return true;
    return false;
}

static bool hears_all(const struct acl_user *u)
{
    for (size_t i = 0; i < u->selector_count; i++)
        if (u->selectors[i]->channels.all) return true;
    return false;
}

bool acl_user_hears_as_much(const struct acl_user *u, const struct acl_user *other)
{
    if (hears_all(u)) return true;
    if (hears_all(other)) return false;
    for (size_t i = 0; i < other->selector_count; i++)
        for (size_t j = 0; j < other->selectors[i]->channels.count; j++)
            if (!holds(u, other->selectors[i]->channels.at[j].text)) return false;
    return true;
}

/* ---- Passwords ---- */

void acl_user_hash(struct span password, uint8_t hash[ACL_HASH_BYTES])
{
    (void)crypto_hash_sha256(hash, (const unsigned char *)password.p, password.n);
}

bool acl_user_knows(const struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    bool found = false;
    for (size_t i = 0; i < u->hash_count; i++) found |= sodium_memcmp(u->hashes[i], hash, ACL_HASH_BYTES) == 0;
    return found;
}

void acl_user_add_hash(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    if (acl_user_knows(u, hash)) return;
    u->hashes = mem_realloc(u->hashes, (u->hash_count + 1) * sizeof *u->hashes);
    memcpy(u->hashes[u->hash_count++], hash, ACL_HASH_BYTES);
}

bool acl_user_remove_hash(struct acl_user *u, const uint8_t hash[ACL_HASH_BYTES])
{
    for (size_t i = 0; i < u->hash_count; i++) {
        if (sodium_memcmp(u->hashes[i], hash, ACL_HASH_BYTES) != 0) continue;
        u->hash_count--;
        memmove(u->hashes[i], u->hashes[i + 1], (u->hash_count - i) * sizeof *u->hashes);
        return true;
    }
    return false;
}

void acl_user_drop_hashes(struct acl_user *u)
{
    mem_free(u->hashes);
    u->hashes = NULL;
    u->hash_count = 0;
}

/* ---- All that follows ---- */

static bool allows_every_command(const struct acl_user *u, const struct acl_selector *s)
{
    if (s->every) return true;
    for (size_t id = 0; id < command_ids(u->commands); id++)
        if (!acl_user_bit(s, (uint16_t)id)) return false;
    return true;
}

void acl_user_settle(struct acl_user *u)
{
    u->unlimited = false;
    for (size_t i = 0; i < u->selector_count && !u->unlimited; i++) {
        const struct acl_selector *s = u->selectors[i];
        u->unlimited = s->keys.all && s->channels.all && allows_every_command(u, s);
    }
}

/* ---- Description ---- */

static void add_word(struct buf *to, struct span sign, struct span word)
{
    if (to->len && to->p[to->len - 1] != ' ') buf_add_char(to, ' ');
    buf_add_span(to, sign);
    buf_add_span(to, word);
}

void acl_user_describe_commands(const struct acl_selector *s, struct buf *to)
{
    add_word(to, SPAN(""), s->additive ? SPAN("-@all") : SPAN("+@all"));
    for (size_t i = 0; i < s->rule_count; i++)
        add_word(to, s->rules[i].allow ? SPAN("+") : SPAN("-"), span_str(s->rules[i].name));
}

void acl_user_describe_keys(const struct acl_selector *s, struct buf *to)
{
    static const struct span signs[] = {
        [ACL_MAY_READ] = SPAN("%R~"), [ACL_MAY_WRITE] = SPAN("%W~"), [ACL_MAY_READ | ACL_MAY_WRITE] = SPAN("~")};
    if (s->keys.all) add_word(to, SPAN("~"), SPAN("*"));
    for (size_t i = 0; i < s->keys.count; i++) add_word(to, signs[s->keys.at[i].access], s->keys.at[i].text);
}

void acl_user_describe_channels(const struct acl_selector *s, bool reset, struct buf *to)
{
    if (reset && !s->channels.all) add_word(to, SPAN(""), SPAN("resetchannels"));
    if (s->channels.all) add_word(to, SPAN("&"), SPAN("*"));
    for (size_t i = 0; i < s->channels.count; i++) add_word(to, SPAN("&"), s->channels.at[i].text);
}

size_t acl_user_flags(const struct acl_user *u, const char *flags[ACL_FLAGS_MAX])
{
    size_t n = 0;
    flags[n++] = u->on ? "on" : "off";
    if (u->open) flags[n++] = "nopass";
    if (u->sanitize == ACL_SANITIZE) flags[n++] = "sanitize-payload";
    if (u->sanitize == ACL_SANITIZE_SKIP) flags[n++] = "skip-sanitize-payload";
    return n;
}

static void describe_selector(const struct acl_selector *s, struct buf *to)
{
    acl_user_describe_keys(s, to);
    acl_user_describe_channels(s, true, to);
    acl_user_describe_commands(s, to);
}

void acl_user_describe(const struct acl_user *u, struct buf *to)
{
    const char *flags[ACL_FLAGS_MAX];
    const size_t n = acl_user_flags(u, flags);
    for (size_t i = 0; i < n; i++) add_word(to, SPAN(""), span_str(flags[i]));
    for (size_t i = 0; i < u->hash_count; i++) {
        char hex[2 * ACL_HASH_BYTES + 1];
        (void)sodium_bin2hex(hex, sizeof hex, u->hashes[i], ACL_HASH_BYTES);
        add_word(to, SPAN("#"), span_of(hex, sizeof hex - 1));
    }
    describe_selector(u->selectors[0], to);
    for (size_t i = 1; i < u->selector_count; i++) {
        struct buf selector = {0};
        describe_selector(u->selectors[i], &selector);
        add_word(to, SPAN("("), buf_span(&selector));
        buf_add_char(to, ')');
        buf_free(&selector);
    }
}
