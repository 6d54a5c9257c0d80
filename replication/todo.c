#include "replication/todo.h"

#include <stdio.h>

#include "common/mem.h"
#include "replication/frame.h"

struct todo_item *todo_add(struct todo *t, enum todo_kind kind, uint32_t conn)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->items = mem_realloc(t->items, t->cap * sizeof *t->items);
    }
    struct todo_item *i = &t->items[t->count++];
    *i = (struct todo_item){.kind = kind, .conn = conn};
    return i;
}

void todo_set_text(struct todo *t, struct todo_item *i, struct span text)
{
    i->text = (struct todo_text){t->bytes.len, text.n + 1};
    buf_add_span(&t->bytes, text);
    buf_add_char(&t->bytes, '\0');
}

static void set_formatted(struct todo *t, struct todo_item *i, const char *format, va_list args)
{
    char text[512];
    (void)vsnprintf(text, sizeof text, format, args);
    todo_set_text(t, i, span_str(text));
}

void todo_close(struct todo *t, uint32_t conn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_formatted(t, todo_add(t, TODO_CLOSE, conn), format, args);
    va_end(args);
}

void todo_say(struct todo *t, bool warning, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct todo_item *i = todo_add(t, TODO_SAY, 0);
    i->check = warning;
    set_formatted(t, i, format, args);
    va_end(args);
}

struct todo_item *todo_send(struct todo *t, uint32_t conn, const Relevo__Message *m)
{
    struct todo_item *i = todo_add(t, TODO_SEND, conn);
    i->header.at = t->bytes.len;
    frame_pack(m, &t->bytes);
    i->header.n = t->bytes.len - i->header.at;
    return i;
}

void todo_reset(struct todo *t)
{
    for (size_t i = 0; i < t->count; i++) {
        chunk_unref(t->items[i].chunk);
        bulletin_unref(t->items[i].bulletin);
    }
    t->count = 0;
    buf_reset(&t->bytes, 1 << 20);
}

void todo_free(struct todo *t)
{
    todo_reset(t);
    mem_free(t->items);
    buf_free(&t->bytes);
    *t = (struct todo){0};
}
