/* Preloaded into a server: records what it writes and syncs, in order.
 *
 * SHIM_TRACE names the file that takes the record; SHIM_SYNC_DELAY_US makes every fsync and fdatasync that much slower;
 * while a file stands at SHIM_SYNC_GATE, none begins; while one stands at SHIM_READ_GATE, every read of a log or a snapshot
 * takes 50 ms longer. SHIM_FAIL="CALL TEXT" has every such CALL (read, write, sync) on a
 * regular file or directory whose path contains TEXT fail with EIO.
 * One line per event, with a number that grows in the order of events over all threads:
 *
 *     NUMBER file FD BYTES PATH      a write to a regular file returned
 *     NUMBER sync-begin FD PATH      fsync or fdatasync is about to be called
 *     NUMBER sync-end FD RESULT PATH it returned
 *     NUMBER socket FD BYTES HEX     bytes are about to be written to a socket
 *
 * A number is taken after a write or a sync returned, and before a sync begins or bytes leave: so what stands earlier in
 * the record did happen earlier. */
#undef _FILE_OFFSET_BITS /* it would give pwrite() the name of pwrite64(); both are needed here */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(default) /* they are to be found in place of the C library's */

enum { MAX_SHOWN = 16384 };

static atomic_ulong next_number = 1;
static atomic_int trace_fd = -1;

static int trace(void)
{
    int fd = atomic_load(&trace_fd);
    const char *path = getenv("SHIM_TRACE");
    if (fd >= 0 || !path) return fd;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int expected = -1;
    if (!atomic_compare_exchange_strong(&trace_fd, &expected, fd)) {
        syscall(SYS_close, fd);
        return expected;
    }
    return fd;
}

static void record(const char *text, size_t length)
{
    int fd = trace();
    if (fd >= 0) syscall(SYS_write, fd, text, length);
}

static mode_t kind_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static const char *path_of(int fd, char path[512])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 511);
    path[n < 0 ? 0 : n] = 0;
    return path;
}

static void note_file(int fd, ssize_t bytes)
{
    char path[512], line[700];
    int saved = errno;
    if (bytes > 0 && trace() >= 0 && kind_of(fd) == S_IFREG) {
        int n = snprintf(line, sizeof line, "%lu file %d %zd %s\n", atomic_fetch_add(&next_number, 1), fd, bytes,
                         path_of(fd, path));
        record(line, (size_t)n);
    }
    errno = saved;
}

static void note_socket(int fd, const struct iovec *iov, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    int saved = errno;
    if (trace() >= 0 && kind_of(fd) == S_IFSOCK) {
        char *line = malloc(2 * MAX_SHOWN + 100);
        size_t bytes = 0, shown = 0;
        for (size_t i = 0; i < count; i++) bytes += iov[i].iov_len;
        size_t at = (size_t)sprintf(line, "%lu socket %d %zu ", atomic_fetch_add(&next_number, 1), fd, bytes);
        for (size_t i = 0; i < count; i++) {
            const unsigned char *p = iov[i].iov_base;
            for (size_t k = 0; k < iov[i].iov_len && shown < MAX_SHOWN; k++, shown++) {
                line[at++] = digits[p[k] >> 4];
                line[at++] = digits[p[k] & 15];
            }
        }
        line[at++] = '\n';
        record(line, at);
        free(line);
    }
    errno = saved;
}

/* Whether this call is to fail; errno is set then. */
static int is_broken(const char *call, int fd)
{
    const char *plan = getenv("SHIM_FAIL");
    const size_t n = strlen(call);
    char path[512];
    if (!plan || strncmp(plan, call, n) != 0 || plan[n] != ' ') return 0;
    const mode_t kind = kind_of(fd);
    if ((kind != S_IFREG && kind != S_IFDIR) || !strstr(path_of(fd, path), plan + n + 1)) return 0;
    errno = EIO;
    return 1;
}

static void delay(void)
{
    const char *text = getenv("SHIM_SYNC_DELAY_US");
    long us = text ? atol(text) : 0;
    if (us > 0) {
        prctl(PR_SET_TIMERSLACK, 1000UL); /* else one that has not set it sleeps 50 us longer */
        struct timespec t = {us / 1000000, us % 1000000 * 1000};
        syscall(SYS_nanosleep, &t, NULL);
    }
}

static void wait_at_gate(void)
{
    const char *gate = getenv("SHIM_SYNC_GATE");
    const struct timespec a_little = {0, 1000000};
    while (gate && access(gate, F_OK) == 0) syscall(SYS_nanosleep, &a_little, NULL);
}

static int sync_with(long call, int fd)
{
    char path[512], line[700];
    path_of(fd, path);
    record(line, (size_t)snprintf(line, sizeof line, "%lu sync-begin %d %s\n", atomic_fetch_add(&next_number, 1), fd,
                                  path));
    delay();
    wait_at_gate();
    int result = is_broken("sync", fd) ? -1 : (int)syscall(call, fd);
    int saved = errno;
    record(line, (size_t)snprintf(line, sizeof line, "%lu sync-end %d %d %s\n", atomic_fetch_add(&next_number, 1), fd,
                                  result, path));
    errno = saved;
    return result;
}

int fsync(int fd) { return sync_with(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_with(SYS_fdatasync, fd); }

static void linger(int fd)
{
    const char *gate = getenv("SHIM_READ_GATE");
    const struct timespec a_while = {0, 50000000};
    char path[512];
    if (!gate || kind_of(fd) != S_IFREG || access(gate, F_OK) != 0) return;
    if (strstr(path_of(fd, path), ".aof") || strstr(path, ".rdb")) syscall(SYS_nanosleep, &a_while, NULL);
}

ssize_t read(int fd, void *to, size_t length)
{
    if (is_broken("read", fd)) return -1;
    linger(fd);
    return syscall(SYS_read, fd, to, length);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t at)
{
    if (is_broken("read", fd)) return -1;
    linger(fd);
    return syscall(SYS_pread64, fd, to, length, at);
}

ssize_t pread(int fd, void *to, size_t length, off_t at) { return pread64(fd, to, length, at); }

ssize_t write(int fd, const void *data, size_t length)
{
    if (is_broken("write", fd)) return -1;
    struct iovec one = {(void *)data, length};
    note_socket(fd, &one, 1);
    ssize_t n = syscall(SYS_write, fd, data, length);
    note_file(fd, n);
    return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    if (is_broken("write", fd)) return -1;
    note_socket(fd, iov, (size_t)count);
    ssize_t n = syscall(SYS_writev, fd, iov, count);
    note_file(fd, n);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    if (is_broken("write", fd)) return -1;
    ssize_t n = syscall(SYS_pwrite64, fd, data, length, at);
    note_file(fd, n);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    struct iovec one = {(void *)data, length};
    note_socket(fd, &one, 1);
    return syscall(SYS_sendto, fd, data, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    note_socket(fd, message->msg_iov, message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}
