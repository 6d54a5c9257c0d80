/* A growing run of bytes that one owner appends to and others read.
 *
 * Zero-initialised is empty and valid. Appending may move the bytes: spans into a buf die with the next append. */
#pragma once

#include "common/err.h"
#include "common/span.h"

struct buf {
    char *p;
    size_t len, cap;
};

/* Make room for @n more bytes and return where they go; the caller writes them and adds to len itself. */
char *buf_room(struct buf *b, size_t n) __attribute__((returns_nonnull));

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0) return;
    memcpy(b->cap - b->len >= n ? b->p + b->len : buf_room(b, n), p, n);
    b->len += n;
}

static inline void buf_add_span(struct buf *b, struct span s) { buf_add(b, s.p, s.n); }

static inline void buf_add_char(struct buf *b, char c) { buf_add(b, &c, 1); }

void buf_printf(struct buf *b, const char *format, ...) PRINTF(2, 3);

/* Insert @n bytes before position @at (at most len). */
void buf_insert(struct buf *b, size_t at, const void *p, size_t n);

/* Drop the first @n bytes (at most len). Moves the rest. */
void buf_drop(struct buf *b, size_t n);

static inline struct span buf_span(const struct buf *b) { return span_of(b->p, b->len); }

/* Forget the content but keep the memory, unless it is more than @keep bytes. */
void buf_reset(struct buf *b, size_t keep);

/* Free the memory; the buf is empty and valid again. */
void buf_free(struct buf *b);
