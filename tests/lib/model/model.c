#include "tests/lib/model/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

void model_set_text(struct buf *b, struct span s)
{
    struct buf copy = {0};
    buf_add_span(&copy, s);
    buf_free(b);
    *b = copy;
}

struct span model_name(const struct model_item *i) { return buf_span(&i->name); }
struct span model_value(const struct model_item *i) { return buf_span(&i->value); }

/* ---- Items ---- */

size_t model_index(const struct model_key *k, struct span name)
{
    size_t at = 0;
    while (at < k->count && !span_eq(model_name(&k->items[at]), name)) at++;
    return at;
}

struct model_item *model_insert(struct model_key *k, size_t at, struct span name)
{
    k->items = mem_realloc(k->items, (k->count + 1) * sizeof *k->items);
    for (size_t i = k->count++; i > at; i--) k->items[i] = k->items[i - 1];
    k->items[at] = (struct model_item){.time_ms = NO_EXPIRY};
    model_set_text(&k->items[at].name, name);
    return &k->items[at];
}

void model_remove(struct model_key *k, size_t at)
{
    buf_free(&k->items[at].name);
    buf_free(&k->items[at].value);
    k->count--;
    for (size_t i = at; i < k->count; i++) k->items[i] = k->items[i + 1];
}

/* ---- Keys ---- */

void model_clear_items(struct model_key *k)
{
    while (k->count) model_remove(k, k->count - 1);
    mem_free(k->items);
    k->items = NULL;
}

static void free_key(struct model_key *k)
{
    model_clear_items(k);
    for (size_t i = 0; i < k->group_count; i++) {
        model_clear_items(&k->groups[i].consumers);
        model_clear_items(&k->groups[i].pending);
        buf_free(&k->groups[i].name);
    }
    mem_free(k->groups);
    buf_free(&k->name);
}

void model_drop(struct model *m, struct model_key *k)
{
    free_key(k);
    *k = m->keys[--m->count];
}

void model_drop_if_empty(struct model *m, struct model_key *k)
{
    if (k->count == 0) model_drop(m, k);
}

void model_clear(struct model *m)
{
    for (size_t i = 0; i < m->count; i++) free_key(&m->keys[i]);
    mem_free(m->keys);
    *m = (struct model){0};
}

struct model_key *model_find(struct model *m, struct span name)
{
    for (size_t i = 0; i < m->count; i++) {
        struct model_key *k = &m->keys[i];
        if (!span_eq(buf_span(&k->name), name)) continue;
        if (k->expiry == NO_EXPIRY || k->expiry >= m->now_ms) return k;
        model_drop(m, k);
        return NULL;
    }
    return NULL;
}

/* Fields whose time is over are as none to the commands of hashes; to others, their key is there until one comes. */
static bool all_fields_dead(const struct model *m, struct model_key *k)
{
    for (size_t i = k->count; i-- > 0;)
        if (k->items[i].time_ms != NO_EXPIRY && k->items[i].time_ms < m->now_ms) model_remove(k, i);
    return k->count == 0;
}

bool model_get(struct model_call *c, size_t at, enum type type, struct model_key **k)
{
    *k = model_find(c->model, c->argv[at]);
    if (type == TYPE_HASH && *k && (*k)->type == type && all_fields_dead(c->model, *k)) {
        model_drop(c->model, *k);
        *k = NULL;
    }
    if (!*k || (*k)->type == type) return true;
    model_reply_error(c, "WRONGTYPE");
    return false;
}

struct model_key *model_make(struct model *m, struct span name, enum type type)
{
    struct model_key *k = model_find(m, name);
    if (k) return k;
    m->keys = mem_realloc(m->keys, (m->count + 1) * sizeof *m->keys);
    k = &m->keys[m->count++];
    *k = (struct model_key){.type = type, .expiry = NO_EXPIRY};
    model_set_text(&k->name, name);
    return k;
}

static void copy_items(struct model_key *to, const struct model_key *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct model_item *item = &from->items[i];
        struct model_item *copy = model_insert(to, i, model_name(item));
        model_set_text(&copy->value, model_value(item));
        copy->score = item->score;
        copy->ms = item->ms;
        copy->seq = item->seq;
        copy->time_ms = item->time_ms;
    }
}

static void copy_groups(struct model_key *to, const struct model_key *from)
{
    to->groups = mem_zalloc(from->group_count + 1, sizeof *to->groups);
    for (size_t i = 0; i < from->group_count; i++) {
        struct model_group *g = &to->groups[i];
        model_set_text(&g->name, buf_span(&from->groups[i].name));
        g->last_ms = from->groups[i].last_ms;
        g->last_seq = from->groups[i].last_seq;
        copy_items(&g->consumers, &from->groups[i].consumers);
        copy_items(&g->pending, &from->groups[i].pending);
    }
    to->group_count = from->group_count;
}

void model_copy(struct model *m, const struct model_key *from, struct span name)
{
    struct model_key copy = {.type = from->type, .expiry = from->expiry};
    copy.last_ms = from->last_ms;
    copy.last_seq = from->last_seq;
    model_set_text(&copy.name, name);
    copy_items(&copy, from);
    copy_groups(&copy, from);
    struct model_key *old = model_find(m, name);
    if (old) model_drop(m, old);
    m->keys = mem_realloc(m->keys, (m->count + 1) * sizeof *m->keys);
    m->keys[m->count++] = copy;
}

/* ---- Replies and arguments ---- */

void model_reply_int(struct model_call *c, int64_t v) { buf_printf(c->out, ":%lld\r\n", (long long)v); }

void model_reply_bulk(struct model_call *c, struct span s)
{
    buf_printf(c->out, "$%zu\r\n", s.n);
    buf_add_span(c->out, s);
    buf_add_span(c->out, SPAN("\r\n"));
}

void model_reply_nil(struct model_call *c) { buf_add_span(c->out, SPAN("$-1\r\n")); }
void model_reply_array(struct model_call *c, size_t n) { buf_printf(c->out, "*%zu\r\n", n); }
void model_reply_ok(struct model_call *c) { buf_add_span(c->out, SPAN("+OK\r\n")); }

void model_reply_error(struct model_call *c, const char *first_word)
{
    buf_reset(c->out, SIZE_MAX);
    buf_printf(c->out, "-%s", first_word);
}

void model_reply_double(struct model_call *c, double v)
{
    char text[40];
    const int n = snprintf(text, sizeof text, "%.17g", v);
    model_reply_bulk(c, span_of(text, (size_t)n));
}

bool model_is(struct span s, const char *word) { return span_eq(s, span_str(word)); }

double model_double(struct span s)
{
    char text[40];
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return strtod(text, NULL);
}

size_t model_behind(const struct model_call *c, const char *text)
{
    size_t at = 1;
    while (at < c->argc && !model_is(c->argv[at], text)) at++;
    return at < c->argc ? at + 1 : c->argc;
}

void model_store(struct model_call *c, struct span key, struct model_key *result)
{
    struct model_key *old = model_find(c->model, key);
    model_reply_int(c, (int64_t)result->count);
    if (result->count) model_copy(c->model, result, key);
    else if (old) model_drop(c->model, old);
    model_clear_items(result);
}

bool model_text_int(struct span s, int64_t *v)
{
    char text[32], again[32], *end;
    if (s.n == 0 || s.n > 20) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *v = strtoll(text, &end, 10);
    (void)snprintf(again, sizeof again, "%lld", (long long)*v);
    return strlen(again) == s.n && memcmp(text, again, s.n) == 0;
}

int64_t model_int(struct span s)
{
    int64_t v = 0;
    (void)model_text_int(s, &v);
    return v;
}

void model_range(int64_t first, int64_t last, size_t n, size_t *begin, size_t *end)
{
    const int64_t size = (int64_t)n;
    if (first < 0) first += size;
    if (last < 0) last += size;
    if (first < 0) first = 0;
    if (last >= size) last = size - 1;
    *begin = *end = 0;
    if (first > last || first >= size) return;
    *begin = (size_t)first;
    *end = (size_t)last + 1;
}
