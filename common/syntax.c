#include "common/syntax.h"

#include <assert.h>

#include "common/mem.h"

static struct syntax *node_new(enum syntax_kind kind, struct span text)
{
    struct syntax *n = MEM_NEW(struct syntax);
    n->kind = kind;
    n->text = text;
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

static struct syntax *parse_sequence(const char **at, bool grouped);

static struct syntax *parse_word(const char **at)
{
    const char *start = *at;
    while (**at && !strchr(" []{}|+", **at)) (*at)++;
    assert(*at > start);
    return node_new(*start >= 'a' && *start <= 'z' ? SYNTAX_VALUE : SYNTAX_LITERAL,
                    span_of(start, (size_t)(*at - start)));
}

static struct syntax *parse_item(const char **at)
{
    const char open = **at;
    struct syntax *n;
    if (open == '[' || open == '{') {
        (*at)++;
        n = parse_sequence(at, true);
        assert(n && !n->next && **at == (open == '[' ? ']' : '}'));
        (*at)++;
        if (open == '[') n->optional = true;
    } else {
        n = parse_word(at);
    }
    if (**at == '+') {
        n->token_repeated = n->token.p != NULL;
        n->repeated = true;
        (*at)++;
    }
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

/* The items of one alternative as one node. */
static struct syntax *as_one(struct syntax *items)
{
    if (!items->next) return items;
    struct syntax *block = node_new(SYNTAX_BLOCK, (struct span){NULL, 0});
    if (is_bare_literal(items) && items->next->next) {
        block->token = items->text;
        block->first = items->next;
        mem_free(items);
    } else {
        block->first = items;
    }
    merge_tokens(block->first);
    if (block->first->next || block->token.p) return block;
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

static struct syntax *parse_sequence(const char **at, bool grouped)
{
    struct syntax *items = parse_alternative(at);
    if (**at != '|') {
        if (!grouped) merge_tokens(items);
        return grouped ? as_one(items) : items;
    }
    struct syntax *oneof = node_new(SYNTAX_ONEOF, (struct span){NULL, 0}), **end = &oneof->first;
    *end = as_one(items);
    while (**at == '|') {
        (*at)++;
        end = &(*end)->next;
        *end = as_one(parse_alternative(at));
    }
    return oneof;
}

struct syntax *syntax_parse(const char *text)
{
    struct syntax *list = parse_sequence(&text, false);
    assert(*text == '\0');
    return list;
}

static struct syntax_size measure_one(const struct syntax *n)
{
    struct syntax_size size = {1, false};
    if (n->kind == SYNTAX_BLOCK) {
        size = syntax_measure(n->first);
    } else if (n->kind == SYNTAX_ONEOF) {
        size = measure_one(n->first);
        for (const struct syntax *o = n->first->next; o; o = o->next) {
            const struct syntax_size other = measure_one(o);
            size.more |= other.more || other.least != size.least;
            if (other.least < size.least) size.least = other.least;
        }
    }
    size.least += n->token.p != NULL;
    if (n->optional) return (struct syntax_size){0, true};
    size.more |= n->repeated;
    return size;
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
