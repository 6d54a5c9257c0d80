#include "server/cli/connection.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/num.h"
#include "common/resp.h"
#include "server/cli/cli.h"

enum { PATIENCE_S = 10, MAX_REPLY = 64 << 20, MAX_WORDS = 8 };

/* Split at the last colon. */
bool connection_split_address(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || strlen(colon + 1) > 5 || !colon[1]) return false;
    size_t n = (size_t)(colon - address);
    if (address[0] == '[' && n > 2 && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    if (n > 255) return false;
    (void)snprintf(host, 256, "%.*s", (int)n, address);
    (void)snprintf(port, 8, "%s", colon + 1);
    return true;
}

bool connection_address_ok(const char *address)
{
    char host[256], port[8];
    if (connection_split_address(address, host, port)) return true;
    (void)cli_fail("'%s' is not HOST:PORT", address);
    return false;
}

static enum err dial(const char *address, int *fd, struct errmsg *m)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (!connection_split_address(address, host, port))
        return err_set(m, ERR_INVALID, "'%s' is not HOST:PORT", address);
    const int rc = getaddrinfo(host, port, &hints, &found);
    if (rc) return err_set(m, ERR_MISSING, "%s: %s", address, gai_strerror(rc));
    *fd = -1;
    for (const struct addrinfo *i = found; i && *fd < 0; i = i->ai_next) {
        *fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
        if (*fd < 0) continue;
        (void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        (void)setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(*fd, i->ai_addr, i->ai_addrlen) == 0) continue;
        const int number = errno;
        (void)close(*fd);
        *fd = -1;
        errno = number;
    }
    freeaddrinfo(found);
    return *fd < 0 ? err_errno(m, "cannot connect to %s", address) : ERR_OK;
}

enum err connection_open(const char *address, struct connection *c, struct errmsg *m)
{
    *c = (struct connection){.fd = -1};
    enum err e = dial(address, &c->fd, m);
    const char *password = getenv("REDISCLI_AUTH");
    if (!e && password && password[0]) {
        struct span reply;
        e = connection_ask(c, (const char *[]){"AUTH", password}, 2, &reply, m);
        if (e) connection_close(c);
    }
    return e;
}

void connection_close(struct connection *c)
{
    if (c->fd >= 0) (void)close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
}

static enum err receive(struct connection *c, struct errmsg *m)
{
    enum { PIECE = 16 * 1024 };
    if (c->in.len > MAX_REPLY) return err_set(m, ERR_RANGE, "the reply is too long");
    ssize_t n;
    do {
        n = recv(c->fd, buf_room(&c->in, PIECE), PIECE, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? err_set(m, ERR_TIMEOUT, "no answer in %d s", PATIENCE_S) : err_errno(m, "receiving");
    if (n == 0) return err_set(m, ERR_IO, "the connection was closed");
    c->in.len += (size_t)n;
    return ERR_OK;
}

static enum err read_line(struct connection *c, struct span *line, struct errmsg *m)
{
    for (;;) {
        struct cursor at = cursor_of(span_of(c->in.p + c->at, c->in.len - c->at));
        if (c->in.len > c->at && take_line(&at, line)) {
            c->at = (size_t)(at.at - c->in.p);
            return ERR_OK;
        }
        const enum err e = receive(c, m);
        if (e) return e;
    }
}

static enum err read_bulk(struct connection *c, int64_t n, struct buf *to, struct errmsg *m)
{
    if (n > MAX_REPLY) return err_set(m, ERR_RANGE, "the reply is too long");
    while (c->in.len - c->at < (size_t)n + 2) {
        const enum err e = receive(c, m);
        if (e) return e;
    }
    buf_add(to, c->in.p + c->at, (size_t)n);
    c->at += (size_t)n + 2;
    return ERR_OK;
}

/* One value; members of an array get a line each. */
static enum err read_value(struct connection *c, struct buf *to, int depth, struct errmsg *m)
{
    struct span line;
    int64_t n = 0;
    enum err e = read_line(c, &line, m);
    if (e) return e;
    if (line.n == 0) return err_set(m, ERR_CORRUPT, "not a reply");
    const struct span rest = span_of(line.p + 1, line.n - 1);
    switch (line.p[0]) {
    case '-': return err_set(m, ERR_INVALID, "%.*s", (int)rest.n, rest.p);
    case '+':
    case ':': buf_add_span(to, rest); return ERR_OK;
    case '$':
        if (!num_parse_i64(rest, &n)) return err_set(m, ERR_CORRUPT, "not a reply");
        return n < 0 ? ERR_OK : read_bulk(c, n, to, m);
    case '*':
        if (!num_parse_i64(rest, &n) || depth > 4) return err_set(m, ERR_CORRUPT, "not a reply");
        for (int64_t i = 0; i < n && !e; i++) {
            e = read_value(c, to, depth + 1, m);
            if (depth == 0) buf_add_char(to, '\n');
            else if (i + 1 < n) buf_add_char(to, ' ');
        }
        return e;
    default: return err_set(m, ERR_CORRUPT, "not a reply");
    }
}

enum err connection_ask(struct connection *c, const char *const *words, size_t n, struct span *reply,
                        struct errmsg *m)
{
    struct span argv[MAX_WORDS];
    struct buf request = {0}, value = {0};
    for (size_t i = 0; i < n && i < MAX_WORDS; i++) argv[i] = span_str(words[i]);
    resp_encode(&request, argv, n < MAX_WORDS ? n : MAX_WORDS);
    enum err e = ERR_OK;
    for (size_t done = 0; !e && done < request.len;) {
        const ssize_t sent = send(c->fd, request.p + done, request.len - done, MSG_NOSIGNAL);
        if (sent > 0) done += (size_t)sent;
        else if (errno != EINTR) e = err_errno(m, "sending");
    }
    explicit_bzero(request.p, request.len);
    buf_free(&request);
    c->in.len = c->at = 0;
    if (!e) e = read_value(c, &value, 0, m);
    buf_free(&c->in);
    c->in = value; /* the reply lives here until the next one */
    *reply = buf_span(&c->in);
    return e;
}

struct span info_field(struct span info, const char *field)
{
    struct cursor at = cursor_of(info);
    struct span line;
    const size_t n = strlen(field);
    while (cursor_left(&at) && take_line(&at, &line))
        if (line.n > n && line.p[n] == ':' && memcmp(line.p, field, n) == 0)
            return span_of(line.p + n + 1, line.n - n - 1);
    return SPAN("");
}
