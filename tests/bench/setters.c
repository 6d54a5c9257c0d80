/* Many clients that SET, one request at a time each, with as little work of their own as can be.
 *
 *     setters PORT CLIENTS REQUESTS KEYS BYTES        prints: requests per second, p99 in ms, share of a core used
 *
 * redis-benchmark needs more of a core for a request than some servers do; where a machine has two, it is what is measured
 * then. The clients of a real server live on other machines. These make one send and one receive a request, and look at
 * the clock once for all answers that came together. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MOST_EVENTS = 512, DIGITS = 12, LATENCIES = 1000000, ANSWER = 5 };

struct setter {
    int fd;
    unsigned got; /* bytes of the answer */
    int64_t sent_us;
};

struct load {
    struct setter *setters;
    char *request;
    size_t bytes;
    char *digits; /* of the key, in the request */
    uint64_t random, keys;
    long sent, answered, requests;
    uint32_t *latencies; /* how often an answer took so many microseconds */
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void make_request(struct load *l, size_t value_bytes)
{
    l->request = malloc(value_bytes + 128);
    if (!l->request) err(1, "memory");
    int n = sprintf(l->request, "*3\r\n$3\r\nSET\r\n$%d\r\nkey:", DIGITS + 4);
    l->digits = l->request + n;
    n += sprintf(l->request + n, "%0*d\r\n$%zu\r\n", DIGITS, 0, value_bytes);
    memset(l->request + n, 'x', value_bytes);
    memcpy(l->request + n + (long)value_bytes, "\r\n", 2);
    l->bytes = (size_t)n + value_bytes + 2;
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(struct load *l)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return l->random;
}

static void send_one(struct load *l, struct setter *s, int64_t now)
{
    if (l->sent == l->requests) return;
    uint64_t key = next_random(l) % l->keys;
    for (int i = DIGITS - 1; i >= 0; i--, key /= 10) l->digits[i] = (char)('0' + key % 10);
    if (send(s->fd, l->request, l->bytes, MSG_NOSIGNAL) != (ssize_t)l->bytes) err(1, "send");
    l->sent++;
    s->sent_us = now;
}

static void receive_one(struct load *l, struct setter *s, int64_t now)
{
    char answer[ANSWER + 1];
    const ssize_t n = recv(s->fd, answer, ANSWER - s->got, 0);
    if (n <= 0) err(1, "the server closed a connection");
    if (s->got == 0 && answer[0] != '+') errx(1, "an error was answered");
    s->got += (unsigned)n;
    if (s->got < ANSWER) return;
    s->got = 0;
    const int64_t took = now - s->sent_us;
    l->latencies[took < LATENCIES ? took : LATENCIES - 1]++;
    l->answered++;
    send_one(l, s, now);
}

static void connect_all(struct load *l, int poll, uint16_t port, int clients)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->setters = calloc((size_t)clients, sizeof *l->setters);
    if (!l->setters) err(1, "memory");
    for (int i = 0; i < clients; i++) {
        struct setter *s = &l->setters[i];
        const int on = 1;
        s->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&to, sizeof to) != 0) err(1, "connect");
        if (setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) err(1, "setsockopt");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event) != 0) err(1, "epoll_ctl");
    }
}

static double p99_ms(const struct load *l)
{
    uint64_t seen = 0;
    size_t us = 0;
    while (us < LATENCIES - 1 && (seen += l->latencies[us]) * 100 < (uint64_t)l->answered * 99) us++;
    return (double)us / 1000;
}

int main(int argc, char **argv)
{
    if (argc != 6) errx(2, "usage: setters PORT CLIENTS REQUESTS KEYS BYTES");
    const int clients = atoi(argv[2]);
    struct load l = {.requests = atol(argv[3]), .keys = strtoull(argv[4], NULL, 10), .random = 88172645463325252u};
    struct epoll_event events[MOST_EVENTS];
    struct rusage use;
    if (clients < 1 || l.requests < clients || l.keys < 1) errx(2, "numbers below 1, or fewer requests than clients");
    make_request(&l, strtoull(argv[5], NULL, 10));
    l.latencies = calloc(LATENCIES, sizeof *l.latencies);
    const int poll = epoll_create1(0);
    if (!l.latencies || poll < 0) err(1, "beginning");
    connect_all(&l, poll, (uint16_t)atoi(argv[1]), clients);
    const int64_t begun = now_us();
    for (int i = 0; i < clients; i++) send_one(&l, &l.setters[i], begun);
    while (l.answered < l.requests) {
        const int n = epoll_wait(poll, events, MOST_EVENTS, -1);
        const int64_t now = now_us();
        for (int i = 0; i < n; i++) receive_one(&l, events[i].data.ptr, now);
    }
    const double took_s = (double)(now_us() - begun) / 1e6;
    (void)getrusage(RUSAGE_SELF, &use);
    const double cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    (void)printf("%.0f %.3f %.2f\n", (double)l.requests / took_s, p99_ms(&l), cpu_s / took_s);
    return 0;
}
