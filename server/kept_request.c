#include "server/kept_request.h"

#include "common/mem.h"

/* Arguments of an array lie in its bytes, those of an inline request each for itself. */
static size_t content_bytes(const struct request *r)
{
    size_t n = r->raw.n;
    if (!n)
        for (size_t i = 0; i < r->argc; i++) n += r->argv[i].n;
    return n;
}

static void copy_array(struct kept_request *k, const struct request *r, char *to)
{
    memcpy(to, r->raw.p, r->raw.n);
    k->raw = span_of(to, r->raw.n);
    for (size_t i = 0; i < r->argc; i++) k->argv[i] = span_of(to + (r->argv[i].p - r->raw.p), r->argv[i].n);
}

static void copy_each(struct kept_request *k, const struct request *r, char *to)
{
    for (size_t i = 0; i < r->argc; i++) {
        if (r->argv[i].n) memcpy(to, r->argv[i].p, r->argv[i].n);
        k->argv[i] = span_of(to, r->argv[i].n);
        to += r->argv[i].n;
    }
}

struct kept_request *kept_request_new(const struct command_entry *command, const struct request *r)
{
    const size_t head = sizeof(struct kept_request) + r->argc * sizeof(struct span);
    struct kept_request *k = mem_alloc(head + content_bytes(r));
    k->command = command;
    k->argc = r->argc;
    k->raw = span_of(NULL, 0);
    if (r->raw.n) copy_array(k, r, (char *)k + head);
    else copy_each(k, r, (char *)k + head);
    return k;
}

size_t kept_request_bytes(const struct kept_request *k)
{
    const struct request r = {.argv = (struct span *)(uintptr_t)k->argv, .argc = k->argc, .raw = k->raw};
    return sizeof *k + k->argc * sizeof(struct span) + content_bytes(&r);
}
