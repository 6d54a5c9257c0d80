#include "server/logger.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"

struct logger {
    int fd;
    atomic_int level;
    atomic_int role;
};

enum err logger_open(const char *path, enum logger_level level, struct logger **l, struct errmsg *m)
{
    int fd = STDOUT_FILENO;
    if (path[0]) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0) return err_errno(m, "cannot open the log file %s", path);
    }
    *l = MEM_NEW(struct logger);
    (*l)->fd = fd;
    atomic_init(&(*l)->level, (int)level);
    atomic_init(&(*l)->role, 'M');
    return ERR_OK;
}

void logger_close(struct logger *l)
{
    if (!l) return;
    if (l->fd != STDOUT_FILENO) (void)close(l->fd);
    mem_free(l);
}

void logger_set_level(struct logger *l, enum logger_level level) { atomic_store(&l->level, (int)level); }

void logger_set_role(struct logger *l, char role) { atomic_store(&l->role, role); }

void logger_line(struct logger *l, enum logger_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&l->level, memory_order_relaxed)) return;
    char line[1024];
    struct timespec now;
    struct tm tm;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &tm);
    char when[64];
    (void)strftime(when, sizeof when, "%d %b %Y %H:%M:%S", &tm);
    size_t n = (size_t)snprintf(line, sizeof line, "%d:%c %s.%03d %c ", (int)getpid(), atomic_load(&l->role), when,
                                (int)(now.tv_nsec / 1000000), ".-*#"[level]);
    va_list args;
    va_start(args, format);
    const int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (more > 0) n += (size_t)more < sizeof line - n - 1 ? (size_t)more : sizeof line - n - 2;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ') line[i] = ' '; /* one line, whatever a client put into it */
    line[n++] = '\n';
    ssize_t ignored = write(l->fd, line, n); /* nowhere to complain about a log that cannot be written */
    (void)ignored;
}
