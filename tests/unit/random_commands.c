#include "tests/unit/random_commands.h"

#include <stdio.h>

enum { TEXT_ROOM = 700 };

/* An element or value: an integer of any size, a short word, or a text too long for a packed collection. */
static const char *element(struct rand *r, char to[TEXT_ROOM])
{
    const uint64_t kind = rand_below(r, 20);
    if (kind < 8) (void)snprintf(to, TEXT_ROOM, "%d", (int)rand_below(r, 40));
    else if (kind < 12)
        (void)snprintf(to, TEXT_ROOM, "%lld", (long long)((int64_t)rand_next(r) >> rand_below(r, 64)));
    else if (kind < 18) (void)snprintf(to, TEXT_ROOM, "w%d", (int)rand_below(r, 300));
    else if (kind < 19) (void)snprintf(to, TEXT_ROOM, "\"\\x00%d\\xff\"", (int)rand_below(r, 100));
    else (void)snprintf(to, TEXT_ROOM, "%0*d", (int)(60 + rand_below(r, 600)), (int)rand_below(r, 100));
    return to;
}

static void any_type(struct fixture *f, struct rand *r, unsigned keys)
{
    const unsigned a = (unsigned)rand_below(r, keys), b = (unsigned)rand_below(r, keys);
    const char types[] = "slthzq";
    const char ta = types[rand_below(r, 6)], tb = types[rand_below(r, 6)];
    char text[TEXT_ROOM];
    switch (rand_below(r, 10)) {
    case 0:
    case 1: (void)fixture_do(f, "DEL %c%u", ta, a); break;
    case 2: (void)fixture_do(f, "RENAME %c%u %c%u", ta, a, ta, b); break;
    case 3: (void)fixture_do(f, "COPY %c%u %c%u REPLACE", ta, a, ta, b); break;
    case 4: (void)fixture_do(f, "PEXPIRE %c%u %u", ta, a, (unsigned)(1 + rand_below(r, 5000))); break;
    case 5: (void)fixture_do(f, "PERSIST %c%u", ta, a); break;
    case 6: (void)fixture_do(f, "MOVE %c%u %u", ta, a, (unsigned)rand_below(r, RANDOM_DATABASES)); break;
    case 7: (void)fixture_do(f, "SET %c%u %s", tb, a, element(r, text)); break;
    case 8: (void)fixture_do(f, "EXPIRE %c%u 1000000", ta, a); break;
    default: f->now_ms += (int64_t)rand_below(r, 20); break;
    }
}

static void on_string(struct fixture *f, struct rand *r, unsigned k)
{
    char text[TEXT_ROOM];
    switch (rand_below(r, 5)) {
    case 0:
    case 1: (void)fixture_do(f, "SET s%u %s", k, element(r, text)); break;
    case 2: (void)fixture_do(f, "APPEND s%u %s", k, element(r, text)); break;
    case 3: (void)fixture_do(f, "INCRBY s%u %d", k, (int)rand_below(r, 1000) - 500); break;
    default: (void)fixture_do(f, "SET s%u %s PX %u", k, element(r, text), (unsigned)(1 + rand_below(r, 3000))); break;
    }
}

static void on_list(struct fixture *f, struct rand *r, unsigned k)
{
    char a[TEXT_ROOM], b[TEXT_ROOM];
    switch (rand_below(r, 6)) {
    case 0: (void)fixture_do(f, "LPUSH l%u %s", k, element(r, a)); break;
    case 1:
    case 2: (void)fixture_do(f, "RPUSH l%u %s %s", k, element(r, a), element(r, b)); break;
    case 3: (void)fixture_do(f, "LPOP l%u %u", k, (unsigned)rand_below(r, 3)); break;
    case 4: (void)fixture_do(f, "LINSERT l%u BEFORE %s %s", k, element(r, a), element(r, b)); break;
    default: (void)fixture_do(f, "LREM l%u 0 %s", k, element(r, a)); break;
    }
}

static void on_set(struct fixture *f, struct rand *r, unsigned k)
{
    char a[TEXT_ROOM], b[TEXT_ROOM];
    switch (rand_below(r, 6)) {
    case 0:
    case 1: (void)fixture_do(f, "SADD t%u %s %s", k, element(r, a), element(r, b)); break;
    case 2: (void)fixture_do(f, "SADD t%u %u", k, (unsigned)rand_below(r, 100000)); break;
    case 3: (void)fixture_do(f, "SREM t%u %s", k, element(r, a)); break;
    case 4: (void)fixture_do(f, "SPOP t%u", k); break;
    default: (void)fixture_do(f, "SUNIONSTORE t%u t%u t%u", k, k / 2, k / 3); break;
    }
}

static void on_hash(struct fixture *f, struct rand *r, unsigned k)
{
    char a[TEXT_ROOM], b[TEXT_ROOM];
    switch (rand_below(r, 4)) {
    case 0:
    case 1: (void)fixture_do(f, "HSET h%u %s %s", k, element(r, a), element(r, b)); break;
    case 2: (void)fixture_do(f, "HDEL h%u %s", k, element(r, a)); break;
    default: (void)fixture_do(f, "HINCRBY h%u n%u 7", k, (unsigned)rand_below(r, 300)); break;
    }
}

static void on_zset(struct fixture *f, struct rand *r, unsigned k)
{
    char a[TEXT_ROOM];
    const double score = (double)rand_below(r, 2000) / 16 - 60;
    switch (rand_below(r, 6)) {
    case 0:
    case 1:
    case 2: (void)fixture_do(f, "ZADD z%u %.17g %s", k, score, element(r, a)); break;
    case 3: (void)fixture_do(f, "ZADD z%u %s %s", k, rand_below(r, 2) ? "-inf" : "inf", element(r, a)); break;
    case 4: (void)fixture_do(f, "ZREM z%u %s", k, element(r, a)); break;
    default: (void)fixture_do(f, "ZPOPMIN z%u", k); break;
    }
}

static void on_stream(struct fixture *f, struct rand *r, unsigned k)
{
    char a[TEXT_ROOM], b[TEXT_ROOM];
    const unsigned group = (unsigned)rand_below(r, 2), consumer = (unsigned)rand_below(r, 3);
    const long long ms = (long long)f->now_ms - (long long)rand_below(r, 30);
    switch (rand_below(r, 10)) {
    case 0:
    case 1: (void)fixture_do(f, "XADD q%u * f %s g %s", k, element(r, a), element(r, b)); break;
    case 2: (void)fixture_do(f, "XADD q%u * %s %s", k, element(r, a), element(r, b)); break;
    case 3: (void)fixture_do(f, "XADD q%u MAXLEN ~ 150 * f 1", k); break;
    case 4: (void)fixture_do(f, "XDEL q%u %lld", k, ms); break;
    case 5: (void)fixture_do(f, "XGROUP CREATE q%u g%u 0 MKSTREAM", k, group); break;
    case 6: (void)fixture_do(f, "XACK q%u g%u %lld", k, group, ms); break;
    case 7: (void)fixture_do(f, "XCLAIM q%u g%u c%u 0 %lld FORCE", k, group, consumer, ms); break;
    default: (void)fixture_do(f, "XREADGROUP GROUP g%u c%u COUNT 2 STREAMS q%u >", group, consumer, k); break;
    }
}

void random_command_of_redis7(struct fixture *f, struct rand *r, unsigned keys)
{
    static void (*const families[])(struct fixture *, struct rand *, unsigned) = {on_string, on_list, on_set,
                                                                                  on_hash,   on_zset, on_stream};
    f->session.db = (unsigned)rand_below(r, RANDOM_DATABASES);
    const uint64_t family = rand_below(r, 8);
    if (family < 6) families[family](f, r, (unsigned)rand_below(r, keys));
    else if (family < 7) families[rand_below(r, 6)](f, r, 0); /* one key of each type grows large */
    else any_type(f, r, keys);
}

void random_command(struct fixture *f, struct rand *r, unsigned keys)
{
    char field[TEXT_ROOM];
    if (rand_below(r, 32)) {
        random_command_of_redis7(f, r, keys);
        return;
    }
    f->session.db = (unsigned)rand_below(r, RANDOM_DATABASES);
    (void)fixture_do(f, "HPEXPIRE h%u %u FIELDS 1 %s", (unsigned)rand_below(r, rand_below(r, 2) ? keys : 1),
                     (unsigned)rand_below(r, 5000), element(r, field));
}
