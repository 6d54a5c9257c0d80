#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/mem.h"

char *buf_room(struct buf *b, size_t n)
{
    if (b->cap - b->len < n) {
        assert(n <= SIZE_MAX / 4 && b->len <= SIZE_MAX / 4);
        size_t cap = b->cap + b->cap / 2;
        if (cap < b->len + n) cap = b->len + n;
        if (cap < 64) cap = 64;
        b->p = mem_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    assert(format);
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    (void)vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, format, again);
    va_end(again);
    b->len += (size_t)n;
}

void buf_insert(struct buf *b, size_t at, const void *p, size_t n)
{
    assert(at <= b->len);
    if (n == 0) return;
    (void)buf_room(b, n);
    memmove(b->p + at + n, b->p + at, b->len - at);
    memcpy(b->p + at, p, n);
    b->len += n;
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0) return;
    memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

void buf_reset(struct buf *b, size_t keep)
{
    if (b->cap > keep) {
        buf_free(b);
        return;
    }
    b->len = 0;
}

void buf_free(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){0};
}
