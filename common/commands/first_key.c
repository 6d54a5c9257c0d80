#include "common/commands/first_key.h"

size_t first_key(struct call *c, enum type type, size_t first, size_t n, struct entry **e, bool *failed)
{
    *failed = false;
    for (size_t i = first; i < first + n; i++) {
        if (!call_regards(c, c->argv[i])) continue;
        *failed = !call_find(c, c->argv[i], type, FOR_WRITE, e);
        if (*failed || *e) return *failed ? 0 : i;
    }
    return 0;
}

size_t first_key_or_wait(struct call *c, enum type type, struct entry **e)
{
    const size_t keys = c->argc - 2;
    int64_t timeout_ms;
    bool failed;
    if (!call_timeout_s(c, c->argv[c->argc - 1], &timeout_ms)) return 0;
    const size_t at = first_key(c, type, 1, keys, e, &failed);
    if (!at && !failed && !call_wait(c, type, 1, keys, timeout_ms, NULL)) reply_null_array(c->reply);
    return at;
}
