#include "replication/uv_mail.h"

#include <unistd.h>

#include "common/mem.h"

struct letter *letter_new(enum letter_kind kind)
{
    struct letter *l = MEM_NEW(struct letter);
    l->kind = kind;
    l->fd = -1;
    return l;
}

void letter_set_text(struct letter *l, const char *text)
{
    l->bytes.len = 0;
    buf_add(&l->bytes, text, strlen(text) + 1);
}

void letter_free(struct letter *l)
{
    if (!l) return;
    chunk_unref(l->chunk);
    bulletin_unref(l->bulletin);
    facts_free(&l->facts);
    mem_free(l->peers);
    if (l->fd >= 0) (void)close(l->fd);
    buf_free(&l->bytes);
    mem_free(l);
}

enum err mail_init(struct mailbox *b, uv_loop_t *loop, uv_async_cb wake, void *data, struct errmsg *m)
{
    *b = (struct mailbox){0};
    int r = uv_mutex_init(&b->mutex);
    if (r != 0) return err_set(m, ERR_IO, "cannot make a mutex: %s", uv_strerror(r));
    if ((r = uv_async_init(loop, &b->wake, wake)) != 0) {
        uv_mutex_destroy(&b->mutex);
        return err_set(m, ERR_IO, "cannot make a wake-up: %s", uv_strerror(r));
    }
    b->wake.data = data;
    b->open = true;
    return ERR_OK;
}

static void append(struct mailbox *b, struct letter *l)
{
    l->next = NULL;
    *(b->last ? &b->last->next : &b->first) = l;
    b->last = l;
}

void mail_put(struct mailbox *b, struct letter *l)
{
    uv_mutex_lock(&b->mutex);
    const bool open = b->open;
    if (open) {
        append(b, l);
        (void)uv_async_send(&b->wake);
    }
    uv_mutex_unlock(&b->mutex);
    if (!open) letter_free(l);
}

void mail_advance(struct mailbox *b, const struct position *p)
{
    uv_mutex_lock(&b->mutex);
    if (b->open) {
        if (!b->last || b->last->kind != LETTER_ADVANCE) append(b, letter_new(LETTER_ADVANCE));
        b->last->position = *p;
    }
    uv_mutex_unlock(&b->mutex);
}

bool mail_take_advance(struct mailbox *b, struct position *p)
{
    uv_mutex_lock(&b->mutex);
    struct letter *l = b->first && b->first->kind == LETTER_ADVANCE ? b->first : NULL;
    if (l) {
        b->first = l->next;
        if (b->last == l) b->last = NULL;
        *p = l->position;
    }
    uv_mutex_unlock(&b->mutex);
    letter_free(l);
    return l != NULL;
}

struct letter *mail_take(struct mailbox *b)
{
    uv_mutex_lock(&b->mutex);
    struct letter *first = b->first;
    b->first = b->last = NULL;
    uv_mutex_unlock(&b->mutex);
    return first;
}

void mail_poke(struct mailbox *b)
{
    uv_mutex_lock(&b->mutex);
    if (b->open) (void)uv_async_send(&b->wake);
    uv_mutex_unlock(&b->mutex);
}

void mail_close(struct mailbox *b, uv_close_cb closed)
{
    uv_mutex_lock(&b->mutex);
    b->open = false;
    uv_mutex_unlock(&b->mutex);
    for (struct letter *l = mail_take(b), *next; l; l = next) {
        next = l->next;
        letter_free(l);
    }
    uv_close((uv_handle_t *)&b->wake, closed);
}
