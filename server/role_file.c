#include "server/role_file.h"

#include <stdio.h>
#include <unistd.h>

#include "replication/files.h"

#define ROLE_FILE "relevo.role"

/* Take "<name> " off the front of @line. */
static bool take_name(struct span *line, struct span name)
{
    if (line->n < name.n || memcmp(line->p, name.p, name.n) != 0) return false;
    line->p += name.n;
    line->n -= name.n;
    return true;
}

static enum err parse(struct span content, const char *configured, char text[ROLE_TEXT_MAX], struct errmsg *m)
{
    struct cursor at = cursor_of(content);
    struct span was, role;
    if (!take_line(&at, &was) || !take_name(&was, SPAN("configured")) || !take_line(&at, &role) ||
        !take_name(&role, SPAN("role ")))
        return err_set(m, ERR_CORRUPT, "%s is damaged: remove it, and the setting replicaof decides", ROLE_FILE);
    (void)take_name(&was, SPAN(" "));
    if (!span_eq(was, span_str(configured))) return ERR_OK;
    if (span_eq(role, SPAN("primary"))) text[0] = '\0';
    else if (take_name(&role, SPAN("replica ")) && role.n < ROLE_TEXT_MAX)
        (void)snprintf(text, ROLE_TEXT_MAX, "%.*s", (int)role.n, role.p);
    return ERR_OK;
}

enum err role_file_read(const char *dir, const char *configured, char text[ROLE_TEXT_MAX], struct errmsg *m)
{
    enum { MOST = 4096 };
    char path[4096 + sizeof ROLE_FILE + 1];
    struct buf content = {0};
    (void)snprintf(text, ROLE_TEXT_MAX, "%s", configured);
    (void)snprintf(path, sizeof path, "%s/%s", dir, ROLE_FILE);
    if (access(path, F_OK) != 0) return ERR_OK;
    enum err e = file_read(&io_posix, path, MOST, &content, m);
    if (!e) e = parse(buf_span(&content), configured, text, m);
    buf_free(&content);
    return e;
}

enum err role_file_write(const char *dir, const char *configured, const char *text, struct errmsg *m)
{
    struct buf content = {0};
    buf_printf(&content, "configured%s%s\nrole %s%s\n", configured[0] ? " " : "", configured,
               text[0] ? "replica " : "primary", text);
    const enum err e = file_replace(&io_posix, dir, ROLE_FILE, buf_span(&content), m);
    buf_free(&content);
    return e;
}
