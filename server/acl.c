#include "server/acl.h"

#include <assert.h>
#include <sodium.h>

#include "common/mem.h"
#include "server/words.h"

struct acl {
    const struct command_set *commands;
    struct acl_user **users; /* by their names */
    size_t count;
    struct acl_user *fallback; /* "default", one of them */
    bool channels_by_default;
    bool password_set; /* acl_set_password() */
    uint8_t password[ACL_HASH_BYTES];
};

/* The place of @name among the users; true: it is there. */
static bool find_place(const struct acl *a, struct span name, size_t *place)
{
    size_t low = 0, high = a->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = span_cmp(a->users[middle]->name, name);
        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *place = low;
    return false;
}

static struct acl_user *add(struct acl *a, struct acl_user *u)
{
    size_t place;
    const bool found = find_place(a, u->name, &place);
    assert(!found);
    a->users = mem_realloc(a->users, (a->count + 1) * sizeof(struct acl_user *));
    memmove(a->users + place + 1, a->users + place, (a->count - place) * sizeof(struct acl_user *));
    a->users[place] = u;
    a->count++;
    return u;
}

static void apply(struct acl_user *u, const struct span *rules, size_t n)
{
    struct acl_failure f;
    const bool done = acl_rules_apply(u, rules, n, &f);
    assert(done);
}

struct acl *acl_new(const struct command_set *commands)
{
    static const struct span everything[] = {{"+@all", 5}, {"~*", 2}, {"&*", 2}, {"on", 2}, {"nopass", 6}};
    struct acl *a = MEM_NEW(struct acl);
    a->commands = commands;
    a->fallback = add(a, acl_user_new(SPAN("default"), commands, false));
    apply(a->fallback, everything, sizeof everything / sizeof *everything);
    return a;
}

void acl_free(struct acl *a)
{
    if (!a) return;
    for (size_t i = 0; i < a->count; i++) acl_user_free(a->users[i]);
    mem_free(a->users);
    mem_free(a);
}

void acl_set_channels_default(struct acl *a, bool all)
{
    a->channels_by_default = all;
    for (size_t i = 0; i < a->count; i++) a->users[i]->channels_by_default = all;
}

struct acl_user *acl_default(const struct acl *a) { return a->fallback; }

struct acl_user *acl_find(const struct acl *a, struct span name)
{
    size_t place;
    return find_place(a, name, &place) ? a->users[place] : NULL;
}

size_t acl_count(const struct acl *a) { return a->count; }

struct acl_user *acl_at(const struct acl *a, size_t index)
{
    assert(index < a->count);
    return a->users[index];
}

struct acl_user *acl_set_user(struct acl *a, struct span name, const struct span *rules, size_t n,
                              struct acl_user **before, struct acl_failure *f)
{
    assert(acl_rules_name_fits(name));
    struct acl_user *u = acl_find(a, name);
    struct acl_user *changed = u ? acl_user_copy(u) : acl_user_new(name, a->commands, a->channels_by_default);
    if (before) *before = NULL;
    if (!acl_rules_apply(changed, rules, n, f)) {
        acl_user_free(changed);
        return NULL;
    }
    if (!u) return add(a, changed);
    acl_user_swap(u, changed);
    if (before) *before = changed;
    else acl_user_free(changed);
    return u;
}

struct acl_user *acl_take(struct acl *a, struct span name)
{
    size_t place;
    if (!find_place(a, name, &place) || a->users[place] == a->fallback) return NULL;
    struct acl_user *u = a->users[place];
    a->count--;
    memmove(a->users + place, a->users + place + 1, (a->count - place) * sizeof(struct acl_user *));
    return u;
}

struct acl_user *acl_authenticate(const struct acl *a, struct span name, struct span password)
{
    uint8_t hash[ACL_HASH_BYTES];
    struct acl_user *u = acl_find(a, name);
    acl_user_hash(password, hash);
    const bool known = acl_user_knows(u ? u : a->fallback, hash);
    sodium_memzero(hash, sizeof hash);
    return u && u->on && (u->open || known) ? u : NULL;
}

/* The default user gets the one password, or none. */
static void use_password(struct acl *a)
{
    acl_user_drop_hashes(a->fallback);
    a->fallback->open = !a->password_set;
    if (a->password_set) acl_user_add_hash(a->fallback, a->password);
}

void acl_set_password(struct acl *a, struct span password)
{
    a->password_set = password.n > 0;
    acl_user_hash(password, a->password);
    use_password(a);
}

/* Only the default user, with what the settings say of it. */
static struct acl *like(const struct acl *a)
{
    struct acl *fresh = acl_new(a->commands);
    fresh->password_set = a->password_set;
    memcpy(fresh->password, a->password, sizeof fresh->password);
    use_password(fresh);
    acl_set_channels_default(fresh, a->channels_by_default);
    return fresh;
}

bool acl_is_plain(const struct acl *a)
{
    struct acl *fresh = like(a);
    struct buf now = {0}, initial = {0};
    acl_format(a, &now);
    acl_format(fresh, &initial);
    const bool plain = span_eq(buf_span(&now), buf_span(&initial));
    buf_free(&now);
    buf_free(&initial);
    acl_free(fresh);
    return plain;
}

bool acl_is_open(const struct acl *a) { return a->fallback->on && a->fallback->open; }

void acl_format(const struct acl *a, struct buf *to)
{
    for (size_t i = 0; i < a->count; i++) {
        struct buf rules = {0};
        acl_user_describe(a->users[i], &rules);
        buf_add_span(to, SPAN("user "));
        buf_add_span(to, a->users[i]->name);
        buf_add_char(to, ' ');
        buf_add_span(to, buf_span(&rules));
        buf_add_char(to, '\n');
        buf_free(&rules);
    }
}

/* ---- Text ---- */

struct line {
    struct span *words;
    size_t count, room;
};

static void split(struct line *l, struct span text)
{
    struct span word;
    l->count = 0;
    while (word_next(&text, ' ', &word)) {
        if (l->count == l->room) {
            l->room = l->room ? l->room * 2 : 16;
            l->words = mem_realloc(l->words, l->room * sizeof *l->words);
        }
        l->words[l->count++] = word;
    }
}

static struct span trimmed(struct span s)
{
    while (s.n && memchr(" \t\r", s.p[0], 3)) s = span_of(s.p + 1, s.n - 1);
    while (s.n && memchr(" \t\r", s.p[s.n - 1], 3)) s.n--;
    return s;
}

/* Add the user of a line to @fresh; what is wrong with it goes to @errors. A text that names the default user says all of it,
 * so the one that was there from the start makes room. */
static void add_line(struct acl *fresh, const struct line *l, bool *default_named, struct buf *errors)
{
    if (!span_eq(l->words[0], SPAN("user")) || l->count < 2) {
        buf_printf(errors, "should start with user keyword followed by the username");
        return;
    }
    const struct span name = l->words[1];
    const bool is_default = span_eq(name, fresh->fallback->name);
    struct acl_failure f;
    if (!acl_rules_name_fits(name)) {
        buf_printf(errors, "username contains invalid characters");
        return;
    }
    if (is_default ? *default_named : acl_find(fresh, name) != NULL) {
        buf_printf(errors, "Duplicate user '%.*s' found", (int)name.n, name.p);
        return;
    }
    if (is_default) {
        struct acl_user *blank = acl_user_new(name, fresh->commands, fresh->channels_by_default);
        acl_user_swap(fresh->fallback, blank);
        acl_user_free(blank);
        *default_named = true;
    }
    if (acl_set_user(fresh, name, l->words + 2, l->count - 2, NULL, &f)) return;
    if (f.why) buf_printf(errors, "Error in applying operation '%s': %s", f.rule, f.why);
    else buf_printf(errors, "Unmatched parenthesis in selector definition");
}

/* The users of @text; what is wrong goes to @errors. */
static void parse_lines(struct acl *fresh, struct span text, const char *source, struct buf *errors)
{
    struct line l = {0};
    struct buf why = {0};
    bool default_named = false;
    for (int number = 1; text.n; number++) {
        const char *end = memchr(text.p, '\n', text.n);
        const size_t n = end ? (size_t)(end - text.p) : text.n;
        split(&l, trimmed(span_of(text.p, n)));
        text = span_of(text.p + n + (end ? 1 : 0), text.n - n - (end ? 1 : 0));
        why.len = 0;
        if (l.count) add_line(fresh, &l, &default_named, &why);
        if (why.len) buf_printf(errors, "%s:%d: %.*s. ", source, number, (int)why.len, why.p);
    }
    buf_free(&why);
    mem_free(l.words);
}

enum err acl_parse(struct acl *a, struct span text, const char *source, struct acl **before, struct buf *errors)
{
    struct acl *fresh = like(a);
    const size_t mark = errors->len;
    parse_lines(fresh, text, source, errors);
    *before = fresh;
    if (errors->len == mark) {
        const struct acl was = *a;
        *a = *fresh;
        *fresh = was;
        return ERR_OK;
    }
    *before = NULL;
    acl_free(fresh);
    return ERR_INVALID;
}
