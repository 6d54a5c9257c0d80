/* Keys of any type. */
#include "tests/lib/model/model.h"

static void del(struct model_call *c)
{
    int64_t n = 0;
    for (size_t i = 1; i < c->argc; i++) {
        struct model_key *k = model_find(c->model, c->argv[i]);
        if (!k) continue;
        model_drop(c->model, k);
        n++;
    }
    model_reply_int(c, n);
}

static void exists(struct model_call *c)
{
    int64_t n = 0;
    for (size_t i = 1; i < c->argc; i++) n += model_find(c->model, c->argv[i]) != NULL;
    model_reply_int(c, n);
}

static void type(struct model_call *c)
{
    static const char *const names[] = {[TYPE_STRING] = "string", [TYPE_LIST] = "list", [TYPE_SET] = "set",
                                        [TYPE_ZSET] = "zset",     [TYPE_HASH] = "hash", [TYPE_STREAM] = "stream"};
    const struct model_key *k = model_find(c->model, c->argv[1]);
    buf_printf(c->out, "+%s\r\n", k ? names[k->type] : "none");
}

static void keys(struct model_call *c)
{
    for (size_t i = c->model->count; i-- > 0;) /* the dead ones go */
        (void)model_find(c->model, buf_span(&c->model->keys[i].name));
    c->any_order = true;
    c->stride = 1;
    model_reply_array(c, c->model->count);
    for (size_t i = 0; i < c->model->count; i++) model_reply_bulk(c, buf_span(&c->model->keys[i].name));
}

static void pexpireat(struct model_call *c)
{
    struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_int(c, k != NULL);
    if (!k) return;
    k->expiry = model_int(c->argv[2]);
    /* A time that is now is over when it is given, but not when it comes. */
    if (k->expiry <= c->model->now_ms) model_drop(c->model, k);
}

static void pexpiretime(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_int(c, !k ? -2 : k->expiry);
}

static void pttl(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_int(c, !k ? -2 : k->expiry == NO_EXPIRY ? -1 : k->expiry - c->model->now_ms);
}

static void persist(struct model_call *c)
{
    struct model_key *k = model_find(c->model, c->argv[1]);
    model_reply_int(c, k && k->expiry != NO_EXPIRY);
    if (k) k->expiry = NO_EXPIRY;
}

static void move(struct model_call *c, const struct model_key *k)
{
    if (span_eq(c->argv[1], c->argv[2])) return;
    model_copy(c->model, k, c->argv[2]);
    model_drop(c->model, model_find(c->model, c->argv[1]));
}

static void rename_key(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    if (!k) {
        model_reply_error(c, "ERR");
        return;
    }
    move(c, k);
    model_reply_ok(c);
}

static void renamenx(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    if (!k) {
        model_reply_error(c, "ERR");
        return;
    }
    const bool there = model_find(c->model, c->argv[2]) != NULL;
    model_reply_int(c, !there);
    if (!there) move(c, model_find(c->model, c->argv[1]));
}

static void copy(struct model_call *c)
{
    if (span_eq(c->argv[1], c->argv[2])) {
        model_reply_error(c, "ERR");
        return;
    }
    const bool there = model_find(c->model, c->argv[2]) != NULL;
    const struct model_key *k = model_find(c->model, c->argv[1]);
    const bool done = k && (!there || c->argc > 3);
    if (done) model_copy(c->model, k, c->argv[2]);
    model_reply_int(c, done);
}

const struct model_command model_keys[] = {
    {"DEL", "{k}", del},
    {"UNLINK", "{k}", del},
    {"EXISTS", "{k}", exists},
    {"TYPE", "k", type},
    {"KEYS", "*", keys},
    {"PEXPIREAT", "k t", pexpireat},
    {"PEXPIRETIME", "k", pexpiretime},
    {"PTTL", "k", pttl},
    {"PERSIST", "k", persist},
    {"RENAME", "k k", rename_key},
    {"RENAMENX", "k k", renamenx},
    {"COPY", "k k", copy},
    {"COPY", "k k REPLACE", copy},
    {NULL, NULL, NULL},
};
