/* The same doors in a build without OpenSSL: nobody comes in. */
#include <assert.h>

#include "server/tls.h"

enum err tls_context_new(const struct tls_settings *s, struct tls_context **to, struct errmsg *m)
{
    (void)s;
    *to = NULL;
    return err_set(m, ERR_INVALID, "tls-port: this relevo was built without TLS (OpenSSL was not found)");
}

void tls_context_free(struct tls_context *x) { assert(!x); }

struct tls *tls_new(struct tls_context *x)
{
    (void)x;
    return NULL;
}

void tls_free(struct tls *t) { assert(!t); }

void tls_feed(struct tls *t, struct span sealed)
{
    (void)t;
    (void)sealed;
}

enum tls_status tls_read(struct tls *t, char *to, size_t room, size_t *got)
{
    (void)t;
    (void)to;
    (void)room;
    *got = 0;
    return TLS_BAD;
}

void tls_rest(struct tls *t) { assert(!t); }

bool tls_is_open(const struct tls *t) { return t; }

bool tls_write(struct tls *t, struct span plain)
{
    (void)t;
    (void)plain;
    return false;
}

void tls_end(struct tls *t) { assert(!t); }

bool tls_has_sealed(const struct tls *t) { return t; }

void tls_take(struct tls *t, struct buf *to)
{
    (void)t;
    (void)to;
}

const char *tls_error(const struct tls *t)
{
    (void)t;
    return "no TLS";
}
