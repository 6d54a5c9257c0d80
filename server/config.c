#include "server/config.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/eviction.h"
#include "common/mem.h"
#include "common/num.h"
#include "server/words.h"

static const struct setting_row rows[SET_COUNT] = {
#define X(id, name, alias, kind, initial, min, max, flags, words, rule, help) \
    [SET_##id] = {name, alias, SETTING_##kind, initial, min, max, flags, words, rule, help},
    SETTINGS(X)
#undef X
};

struct config {
    int64_t number[SET_COUNT];
    char *text[SET_COUNT]; /* of SETTING_TEXT */
    struct config_lists lists;
    struct buf notes; /* about settings that have no effect: lines */
};

const struct setting_row *config_row(enum setting id) { return &rows[id]; }

bool config_find(struct span name, enum setting *id)
{
    for (unsigned i = 0; i < SET_COUNT; i++) {
        if (!span_is(name, rows[i].name) && !(rows[i].alias && span_is(name, rows[i].alias))) continue;
        *id = (enum setting)i;
        return true;
    }
    return false;
}

struct buf *config_notes(struct config *c) { return &c->notes; }

struct config *config_new(void)
{
    struct config *c = MEM_NEW(struct config);
    for (unsigned i = 0; i < SET_COUNT; i++) {
        const enum err e = config_set(c, (enum setting)i, span_str(rows[i].initial), NULL);
        assert(e == ERR_OK);
    }
    return c;
}

static void forget_text(struct config *c, enum setting id)
{
    if (c->text[id] && rows[id].flags & SETTING_SECRET) sodium_memzero(c->text[id], strlen(c->text[id]));
    mem_free(c->text[id]);
    c->text[id] = NULL;
}

void config_free(struct config *c)
{
    if (!c) return;
    for (unsigned i = 0; i < SET_COUNT; i++) forget_text(c, (enum setting)i);
    config_lists_free(&c->lists);
    buf_free(&c->notes);
    mem_free(c);
}

struct config_lists *config_lists(struct config *c) { return &c->lists; }

static enum err set_switch(const struct setting_row *row, struct span value, int64_t *v, struct errmsg *m)
{
    if (span_is(value, "yes")) *v = 1;
    else if (span_is(value, "no")) *v = 0;
    else return err_set(m, ERR_INVALID, "argument must be 'yes' or 'no'");
    if (*v < row->min || *v > row->max) return err_set(m, ERR_INVALID, "only '%s' is supported", row->initial);
    return ERR_OK;
}

static enum err set_choice(const struct setting_row *row, struct span value, int64_t *v, struct errmsg *m)
{
    struct span rest = span_str(row->words), word;
    for (int64_t i = 0; word_next(&rest, '|', &word); i++)
        if (span_case_eq(word, value)) {
            *v = i;
            return ERR_OK;
        }
    char list[128] = "";
    size_t n = 0;
    for (const char *p = row->words; *p && n + 3 < sizeof list; p++) {
        list[n++] = *p == '|' ? ',' : *p;
        if (*p == '|') list[n++] = ' ';
    }
    return err_set(m, ERR_INVALID, "argument(s) must be one of the following: %s", list);
}

static enum err set_amount(const struct setting_row *row, struct span value, int64_t *v, struct errmsg *m)
{
    if (row->kind == SETTING_BYTES) {
        if (!word_bytes(value, v)) return err_set(m, ERR_INVALID, "argument must be a memory value");
    } else if (!num_parse_i64(value, v)) {
        return err_set(m, ERR_INVALID, "argument couldn't be parsed into an integer");
    }
    if (*v < row->min || *v > row->max)
        return err_set(m, ERR_INVALID, "argument must be between %lld and %lld inclusive", (long long)row->min,
                       (long long)row->max);
    return ERR_OK;
}

static enum err set_text(struct config *c, enum setting id, struct span value, struct errmsg *m)
{
    struct buf normal = {0};
    enum err e = ERR_OK;
    if (rows[id].rule) e = rows[id].rule(c->text[id] ? c->text[id] : "", value, &normal, m);
    else buf_add_span(&normal, value);
    if (!e && normal.len && memchr(normal.p, 0, normal.len))
        e = err_set(m, ERR_INVALID, "argument must not contain a zero byte");
    if (!e) {
        buf_add_char(&normal, '\0');
        forget_text(c, id);
        c->text[id] = mem_dup(normal.p, normal.len);
    }
    if (normal.len && rows[id].flags & SETTING_SECRET) sodium_memzero(normal.p, normal.len);
    buf_free(&normal);
    return e;
}

enum err config_set(struct config *c, enum setting id, struct span value, struct errmsg *m)
{
    const struct setting_row *row = &rows[id];
    int64_t v = 0;
    enum err e = ERR_OK;
    switch (row->kind) {
    case SETTING_SWITCH: e = set_switch(row, value, &v, m); break;
    case SETTING_CHOICE: e = set_choice(row, value, &v, m); break;
    case SETTING_NUMBER:
    case SETTING_BYTES: e = set_amount(row, value, &v, m); break;
    case SETTING_TEXT: return set_text(c, id, value, m);
    }
    if (!e) c->number[id] = v;
    return e;
}

int64_t config_number(const struct config *c, enum setting id)
{
    assert(rows[id].kind != SETTING_TEXT);
    return c->number[id];
}

const char *config_text(const struct config *c, enum setting id)
{
    assert(rows[id].kind == SETTING_TEXT);
    return c->text[id];
}

void config_format(const struct config *c, enum setting id, struct buf *to)
{
    struct span rest, word = SPAN("");
    switch (rows[id].kind) {
    case SETTING_SWITCH: buf_add_span(to, c->number[id] ? SPAN("yes") : SPAN("no")); break;
    case SETTING_CHOICE:
        rest = span_str(rows[id].words);
        for (int64_t i = 0; i <= c->number[id] && word_next(&rest, '|', &word); i++) {}
        buf_add_span(to, word);
        break;
    case SETTING_NUMBER:
    case SETTING_BYTES: buf_printf(to, "%lld", (long long)c->number[id]); break;
    case SETTING_TEXT: buf_add_span(to, span_str(c->text[id])); break;
    }
}

bool config_is_initial(const struct config *c, enum setting id)
{
    if (rows[id].kind == SETTING_TEXT) return strcmp(c->text[id], rows[id].initial) == 0;
    int64_t v = 0;
    enum err e = ERR_OK;
    const struct span initial = span_str(rows[id].initial);
    if (rows[id].kind == SETTING_SWITCH) e = set_switch(&rows[id], initial, &v, NULL);
    else if (rows[id].kind == SETTING_CHOICE) e = set_choice(&rows[id], initial, &v, NULL);
    else e = set_amount(&rows[id], initial, &v, NULL);
    assert(e == ERR_OK);
    return v == c->number[id];
}
