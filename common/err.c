#include "common/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define X(name, text) [ERR_##name] = (text),
        ERR_LIST(X)
#undef X
    };
    return (unsigned)e < sizeof texts / sizeof *texts ? texts[e] : "unknown error";
}

enum err err_of_errno(int number)
{
    switch (number) {
    case 0: return ERR_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ERR_NO_SPACE;
    case ENOMEM: return ERR_NO_MEMORY;
    case ENOENT: return ERR_MISSING;
    case EEXIST:
    case ENOTEMPTY: return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_DENIED;
    case EINVAL: return ERR_INVALID;
    case EBUSY:
    case EAGAIN: return ERR_BUSY;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case ECANCELED: return ERR_CANCELED;
    default: return ERR_IO;
    }
}

enum err err_set(struct errmsg *m, enum err e, const char *format, ...)
{
    if (m) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(m->text, sizeof m->text, format, args);
        va_end(args);
    }
    return e;
}

enum err err_errno(struct errmsg *m, const char *format, ...)
{
    const int number = errno;
    if (m) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(m->text, sizeof m->text, format, args);
        va_end(args);
        const size_t used = strlen(m->text);
        char reason[128];
        (void)snprintf(m->text + used, sizeof m->text - used, ": %s", strerror_r(number, reason, sizeof reason));
    }
    return err_of_errno(number);
}

enum err err_wrap(struct errmsg *m, enum err e, const char *format, ...)
{
    if (m) {
        struct errmsg inner = *m;
        va_list args;
        va_start(args, format);
        (void)vsnprintf(m->text, sizeof m->text, format, args);
        va_end(args);
        const size_t used = strlen(m->text);
        (void)snprintf(m->text + used, sizeof m->text - used, ": %s", inner.text[0] ? inner.text : err_text(e));
    }
    return e;
}
