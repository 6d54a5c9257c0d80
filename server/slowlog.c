#include "server/slowlog.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/mem.h"
#include "server/redact.h"

/* In one piece: what the spans of an entry point at lies behind it. */
struct kept {
    struct slow_entry entry; /* first */
    struct kept *newer;
};

struct slowlog {
    struct kept *newest, *oldest;
    size_t length;
    uint64_t next_id;
};

struct slowlog *slowlog_new(void) { return MEM_NEW(struct slowlog); }

void slowlog_free(struct slowlog *l)
{
    if (!l) return;
    slowlog_trim(l, 0);
    mem_free(l);
}

void slowlog_trim(struct slowlog *l, size_t most)
{
    while (l->length > most) {
        struct kept *gone = l->oldest;
        l->oldest = gone->newer;
        if (l->oldest) l->oldest->entry.older = NULL;
        else l->newest = NULL;
        mem_free(gone);
        l->length--;
    }
}

/* Argument @i as it is shown, appended to @text; the last one that there is room for stands for all that follow. */
static void put_argument(struct buf *text, const struct command_entry *command, const struct span *argv, size_t argc,
                         size_t i)
{
    if (i == SLOWLOG_ARGS - 1 && argc > SLOWLOG_ARGS) {
        buf_printf(text, "... (%zu more arguments)", argc - SLOWLOG_ARGS + 1);
        return;
    }
    const struct span arg = redact_argument(command, argv, i);
    buf_add(text, arg.p, arg.n < SLOWLOG_ARG_BYTES ? arg.n : SLOWLOG_ARG_BYTES);
    if (arg.n > SLOWLOG_ARG_BYTES) buf_printf(text, "... (%zu more bytes)", arg.n - SLOWLOG_ARG_BYTES);
}

static struct kept *entry_new(const struct command_entry *command, const struct span *argv, size_t argc,
                              struct span client, struct span name)
{
    struct buf text = {0};
    size_t ends[SLOWLOG_ARGS];
    const size_t shown = argc < SLOWLOG_ARGS ? argc : SLOWLOG_ARGS;
    buf_add_span(&text, client);
    buf_add_span(&text, name);
    for (size_t i = 0; i < shown; i++) {
        put_argument(&text, command, argv, argc, i);
        ends[i] = text.len;
    }
    struct kept *k = mem_alloc(sizeof *k + text.len);
    char *at = (char *)(k + 1);
    memcpy(at, text.p, text.len);
    *k = (struct kept){
        .entry = {.client = span_of(at, client.n), .name = span_of(at + client.n, name.n), .argc = shown}};
    size_t begin = client.n + name.n;
    for (size_t i = 0; i < shown; i++) {
        k->entry.argv[i] = span_of(at + begin, ends[i] - begin);
        begin = ends[i];
    }
    buf_free(&text);
    return k;
}

void slowlog_add(struct slowlog *l, const struct command_entry *command, const struct span *argv, size_t argc,
                 struct span client, struct span name, int64_t at_s, int64_t took_us, size_t most)
{
    if (most == 0) return;
    slowlog_trim(l, most - 1);
    struct kept *k = entry_new(command, argv, argc, client, name);
    k->entry.id = l->next_id++;
    k->entry.at_s = at_s;
    k->entry.took_us = took_us;
    k->entry.older = l->newest ? &l->newest->entry : NULL;
    *(l->newest ? &l->newest->newer : &l->oldest) = k;
    l->newest = k;
    l->length++;
}

const struct slow_entry *slowlog_newest(const struct slowlog *l) { return l->newest ? &l->newest->entry : NULL; }
size_t slowlog_length(const struct slowlog *l) { return l->length; }
