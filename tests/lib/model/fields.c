/* Expiry times of a hash's fields. What is dead goes before a command of hashes sees it (model_get()). */
#include "tests/lib/model/model.h"

enum { NO_FIELD = -2, NO_TIME = -1 };

static struct model_item *field_at(const struct model_key *k, struct span field)
{
    const size_t at = k ? model_index(k, field) : 0;
    return k && at < k->count ? &k->items[at] : NULL;
}

/* May a field that dies at @old die at @expiry? NO_EXPIRY is for ever. */
static bool allowed(struct span word, int64_t old, int64_t expiry)
{
    const bool timed = old != NO_EXPIRY;
    if (model_is(word, "NX")) return !timed;
    if (model_is(word, "XX")) return timed;
    if (model_is(word, "GT")) return timed && expiry > old;
    if (model_is(word, "LT")) return !timed || expiry < old;
    return true;
}

static void expire_to(struct model_call *c, int64_t expiry)
{
    struct model_key *k;
    const size_t first = model_behind(c, "FIELDS") + 1;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    model_reply_array(c, c->argc - first);
    for (size_t i = first; i < c->argc; i++) {
        struct model_item *field = field_at(k, c->argv[i]);
        if (!field) {
            model_reply_int(c, NO_FIELD);
        } else if (!allowed(c->argv[3], field->time_ms, expiry)) {
            model_reply_int(c, 0);
        } else if (expiry <= c->model->now_ms) {
            model_remove(k, model_index(k, c->argv[i]));
            model_reply_int(c, 2);
        } else {
            field->time_ms = expiry;
            model_reply_int(c, 1);
        }
    }
    if (k) model_drop_if_empty(c->model, k);
}

static void hexpire(struct model_call *c) { expire_to(c, c->model->now_ms + 1000 * model_int(c->argv[2])); }
static void hpexpire(struct model_call *c) { expire_to(c, c->model->now_ms + model_int(c->argv[2])); }
static void hpexpireat(struct model_call *c) { expire_to(c, model_int(c->argv[2])); }

static void tell(struct model_call *c, int64_t since, int64_t unit)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    model_reply_array(c, c->argc - 4);
    for (size_t i = 4; i < c->argc; i++) {
        const struct model_item *field = field_at(k, c->argv[i]);
        if (!field) model_reply_int(c, NO_FIELD);
        else if (field->time_ms == NO_EXPIRY) model_reply_int(c, NO_TIME);
        else model_reply_int(c, (field->time_ms - since + unit - 1) / unit);
    }
}

static void httl(struct model_call *c) { tell(c, c->model->now_ms, 1000); }
static void hpttl(struct model_call *c) { tell(c, c->model->now_ms, 1); }
static void hpexpiretime(struct model_call *c) { tell(c, 0, 1); }

static void hpersist(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    model_reply_array(c, c->argc - 4);
    for (size_t i = 4; i < c->argc; i++) {
        struct model_item *field = field_at(k, c->argv[i]);
        model_reply_int(c, !field ? NO_FIELD : field->time_ms == NO_EXPIRY ? NO_TIME : 1);
        if (field) field->time_ms = NO_EXPIRY;
    }
}

const struct model_command model_fields[] = {
    {"HPEXPIRE", "k 200 FIELDS 2 f f", hpexpire},
    {"HPEXPIRE", "k 900 NX FIELDS 3 f f f", hpexpire},
    {"HPEXPIREAT", "k t FIELDS 1 f", hpexpireat},
    {"HPEXPIREAT", "k t XX FIELDS 2 f f", hpexpireat},
    {"HPEXPIREAT", "k t GT FIELDS 2 f f", hpexpireat},
    {"HPEXPIREAT", "k t LT FIELDS 2 f f", hpexpireat},
    {"HEXPIRE", "k c FIELDS 2 f f", hexpire},
    {"HTTL", "k FIELDS 2 f f", httl},
    {"HPTTL", "k FIELDS 3 f f f", hpttl},
    {"HPEXPIRETIME", "k FIELDS 2 f f", hpexpiretime},
    {"HPERSIST", "k FIELDS 2 f f", hpersist},
    {NULL, NULL, NULL},
};
