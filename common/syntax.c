#include "common/syntax.h"

#include <assert.h>

#include "common/mem.h"

static struct syntax *node_new(enum syntax_kind kind, struct span text)
{
    struct syntax *n = MEM_NEW(struct syntax);
    n->kind = kind;
    n->text = text;
    n->key_spec = -1;
    return n;
}

void syntax_free(struct syntax *list)
{
    while (list) {
        struct syntax *next = list->next;
        syntax_free(list->first);
        mem_free(list);
        list = next;
    }
}

/* What ends a word, wherever it is not the word's first character. */
#define WORD_ENDS " []{}|+*()@="

/* What stands around a sequence. */
enum around { AROUND_NOTHING, AROUND_GROUP, AROUND_NAMED_GROUP };

static struct syntax *parse_sequence(const char **at, enum around around);

/* The characters up to one of @ends; the first one is taken whatever it is. */
static struct span parse_text(const char **at, const char *ends)
{
    const char *start = *at;
    assert(*start);
    do (*at)++;
    while (**at && !strchr(ends, **at));
    return span_of(start, (size_t)(*at - start));
}

/* "(type#number)" behind a value. */
static void parse_kind(struct syntax *n, const char **at)
{
    (*at)++;
    if (**at != '#') n->type = parse_text(at, "#)");
    if (**at == '#') {
        n->key_spec = at[0][1] - '0';
        *at += 2;
    }
    assert(**at == ')');
    (*at)++;
}

static struct syntax *parse_word(const char **at)
{
    const struct span text = parse_text(at, WORD_ENDS);
    struct syntax *n = node_new(text.p[0] >= 'a' && text.p[0] <= 'z' ? SYNTAX_VALUE : SYNTAX_LITERAL, text);
    if (**at == '(') parse_kind(n, at);
    return n;
}

static struct span parse_name(const char **at)
{
    const char *from = *at;
    if (strchr("[{", *from)) return (struct span){NULL, 0};
    const struct span name = parse_text(at, WORD_ENDS);
    if (**at == '=') {
        (*at)++;
        return name;
    }
    *at = from;
    return (struct span){NULL, 0};
}

/* What may stand behind an item. */
static void parse_suffixes(struct syntax *n, const char **at)
{
    while (**at == '@') {
        (*at)++;
        struct span *version = **at == '-' ? &n->deprecated : &n->since;
        if (**at == '-') (*at)++;
        *version = parse_text(at, WORD_ENDS);
    }
    if (**at != '+' && **at != '*') return;
    n->token_repeated = n->token.p != NULL;
    n->repeated = true;
    n->may_lack = **at == '*';
    (*at)++;
}

static struct syntax *parse_item(const char **at)
{
    const struct span name = parse_name(at);
    const char open = **at;
    struct syntax *n;
    if (open == '[' || open == '{') {
        (*at)++;
        n = parse_sequence(at, name.p ? AROUND_NAMED_GROUP : AROUND_GROUP);
        assert(n && !n->next && **at == (open == '[' ? ']' : '}'));
        (*at)++;
        if (open == '[') n->optional = true;
    } else {
        n = parse_word(at);
    }
    if (name.p) n->name = name;
    parse_suffixes(n, at);
    return n;
}

static bool is_bare_literal(const struct syntax *n)
{
    return n->kind == SYNTAX_LITERAL && !n->optional && !n->repeated && !n->token.p;
}

/* A literal and a value behind it become one: the value with its token. */
static void merge_tokens(struct syntax *list)
{
    for (struct syntax *n = list; n && n->next; n = n->next) {
        struct syntax *value = n->next;
        if (!is_bare_literal(n) || value->kind == SYNTAX_LITERAL || value->optional || value->token.p) continue;
        struct syntax merged = *value;
        merged.token = n->text;
        *n = merged;
        mem_free(value);
    }
}

/* Does a literal at the head of a group of several belong to the whole group? */
static bool opens_group(const struct syntax *items, bool named)
{
    const struct syntax *second = items->next;
    return is_bare_literal(items) && second->kind != SYNTAX_LITERAL && (named || second->next || second->optional);
}

/* The items of one alternative as one node. */
static struct syntax *as_one(struct syntax *items, bool named)
{
    if (!items->next && !named) return items;
    struct syntax *block = node_new(SYNTAX_BLOCK, (struct span){NULL, 0});
    if (items->next && opens_group(items, named)) {
        block->token = items->text;
        block->first = items->next;
        mem_free(items);
    } else {
        block->first = items;
    }
    merge_tokens(block->first);
    if (block->first->next || block->token.p || named) return block;
    struct syntax *only = block->first;
    mem_free(block);
    return only;
}

static struct syntax *parse_alternative(const char **at)
{
    struct syntax *list = NULL, **end = &list;
    for (;;) {
        while (**at == ' ') (*at)++;
        if (**at == '\0' || strchr("]}|", **at)) return list;
        *end = parse_item(at);
        end = &(*end)->next;
    }
}

static struct syntax *parse_sequence(const char **at, enum around around)
{
    struct syntax *items = parse_alternative(at);
    if (**at != '|') {
        if (around != AROUND_NOTHING) return as_one(items, around == AROUND_NAMED_GROUP);
        merge_tokens(items);
        return items;
    }
    struct syntax *oneof = node_new(SYNTAX_ONEOF, (struct span){NULL, 0}), **end = &oneof->first;
    *end = as_one(items, false);
    while (**at == '|') {
        (*at)++;
        end = &(*end)->next;
        *end = as_one(parse_alternative(at), false);
    }
    return oneof;
}

struct syntax *syntax_parse(const char *text)
{
    struct syntax *list = parse_sequence(&text, AROUND_NOTHING);
    assert(*text == '\0');
    return list;
}

/* An item, were it not optional. */
static struct syntax_size measure_present(const struct syntax *n)
{
    struct syntax_size size = {1, false};
    if (n->kind == SYNTAX_BLOCK) {
        size = syntax_measure(n->first);
    } else if (n->kind == SYNTAX_ONEOF) {
        size = measure_present(n->first);
        for (const struct syntax *o = n->first->next; o; o = o->next) {
            const struct syntax_size other = measure_present(o);
            size.more |= other.more || other.least != size.least;
            if (other.least < size.least) size.least = other.least;
        }
    }
    size.least += n->token.p != NULL;
    size.more |= n->repeated;
    return size;
}

static struct syntax_size measure_one(const struct syntax *n)
{
    return n->optional || n->may_lack ? (struct syntax_size){0, true} : measure_present(n);
}

struct syntax_size syntax_measure(const struct syntax *list)
{
    struct syntax_size sum = {0, false};
    for (const struct syntax *n = list; n; n = n->next) {
        const struct syntax_size one = measure_one(n);
        sum.least += one.least;
        sum.more |= one.more;
    }
    return sum;
}

void syntax_plain(const char *text, struct buf *to)
{
    size_t word = to->len; /* where the present word begins */
    for (const char *at = text; *at; at++) {
        const bool first = to->len == word;
        if (*at == '=' && !first) {
            to->len = word; /* it was a name */
        } else if (*at == '(' || *at == '@') {
            at += strcspn(at, *at == '(' ? ")" : " []{}|+*") - (*at == '@');
        } else {
            buf_add_char(to, *at == '*' && !first ? '+' : *at);
            if (strchr(" []{}|", *at)) word = to->len;
        }
    }
}
