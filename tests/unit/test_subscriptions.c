#include <criterion/criterion.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/call.h"
#include "server/subscriptions.h"
#include "tests/unit/rand.h"

static const uint8_t key[16] = {1, 2, 3};

/* What topic_each() gave, as the letters that the owners are. */
static void note(void *context, void *owner) { buf_add_char(context, *(const char *)owner); }

static void expect_listeners(const struct subscriptions *all, enum topic_kind kind, const char *name, const char *who)
{
    struct buf seen = {0};
    const struct topic *t = subscriptions_find(all, kind, span_str(name));
    cr_assert_eq(t != NULL, who[0] != '\0', "%s", name);
    if (t) topic_each(t, note, &seen);
    cr_expect(span_eq(buf_span(&seen), span_str(who)), "%s: %.*s", name, (int)seen.len, seen.p);
    if (t) cr_expect_eq(topic_subscribers(t), strlen(who));
    buf_free(&seen);
}

Test(subscriptions, listeners_are_told_in_the_order_of_their_coming)
{
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *a = subscriber_new("a"), *b = subscriber_new("b"), *c = subscriber_new("c");
    cr_expect(subscriptions_add(all, TOPIC_CHANNEL, SPAN("news"), b));
    cr_expect(subscriptions_add(all, TOPIC_CHANNEL, SPAN("news"), a));
    cr_expect(subscriptions_add(all, TOPIC_CHANNEL, SPAN("news"), c));
    cr_expect_not(subscriptions_add(all, TOPIC_CHANNEL, SPAN("news"), a), "it listens already");
    expect_listeners(all, TOPIC_CHANNEL, "news", "bac");
    cr_expect(subscriptions_remove(all, TOPIC_CHANNEL, SPAN("news"), a));
    cr_expect_not(subscriptions_remove(all, TOPIC_CHANNEL, SPAN("news"), a));
    expect_listeners(all, TOPIC_CHANNEL, "news", "bc");
    subscriber_free(all, b);
    expect_listeners(all, TOPIC_CHANNEL, "news", "c");
    subscriber_free(all, a);
    subscriber_free(all, c);
    expect_listeners(all, TOPIC_CHANNEL, "news", "");
    subscriptions_free(all);
}

Test(subscriptions, the_kinds_do_not_know_each_other)
{
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *a = subscriber_new("a");
    for (unsigned k = 0; k < TOPIC_KINDS; k++) cr_expect(subscriptions_add(all, k, SPAN("x"), a));
    cr_expect(subscriptions_remove(all, TOPIC_PATTERN, SPAN("x"), a));
    cr_expect_eq(subscriptions_topics(all, TOPIC_CHANNEL), 1);
    cr_expect_eq(subscriptions_topics(all, TOPIC_PATTERN), 0);
    cr_expect_eq(subscriptions_topics(all, TOPIC_SHARD), 1);
    cr_expect_eq(subscriber_count(a, TOPIC_SHARD), 1);
    cr_expect_eq(subscriber_count(a, TOPIC_PATTERN), 0);
    cr_expect_null(subscriber_oldest(a, TOPIC_PATTERN));
    subscriber_free(all, a);
    subscriptions_free(all);
}

Test(subscriptions, names_are_bytes_and_may_be_empty)
{
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *a = subscriber_new("a");
    cr_expect(subscriptions_add(all, TOPIC_CHANNEL, SPAN(""), a));
    cr_expect(subscriptions_add(all, TOPIC_CHANNEL, SPAN("a\0b"), a));
    cr_expect_null(subscriptions_find(all, TOPIC_CHANNEL, SPAN("a")));
    cr_expect_not_null(subscriptions_find(all, TOPIC_CHANNEL, SPAN("a\0b")));
    cr_expect_eq(topic_name(subscriber_oldest(a, TOPIC_CHANNEL)).n, 0);
    cr_expect(subscriptions_remove(all, TOPIC_CHANNEL, SPAN(""), a));
    cr_expect(span_eq(topic_name(subscriber_oldest(a, TOPIC_CHANNEL)), SPAN("a\0b")));
    subscriber_free(all, a);
    subscriptions_free(all);
}

struct leaving {
    struct subscriptions *all;
    struct subscriber *who;
    struct buf seen;
};

static void leave(void *context, void *owner)
{
    struct leaving *l = context;
    buf_add_char(&l->seen, *(const char *)owner);
    subscriber_free(l->all, l->who);
    l->who = NULL;
}

Test(subscriptions, the_last_listener_may_leave_while_it_is_told)
{
    struct leaving l = {.all = subscriptions_new(key), .who = subscriber_new("a")};
    (void)subscriptions_add(l.all, TOPIC_CHANNEL, SPAN("news"), l.who);
    topic_each(subscriptions_find(l.all, TOPIC_CHANNEL, SPAN("news")), leave, &l);
    cr_expect(span_eq(buf_span(&l.seen), SPAN("a")));
    expect_listeners(l.all, TOPIC_CHANNEL, "news", "");
    buf_free(&l.seen);
    subscriptions_free(l.all);
}

/* Whether the walk over matching patterns gives what trying each gives. */
Test(subscriptions, patterns_match_whatever_they_begin_with)
{
    static const char *const patterns[] = {"*",     "a*", "ab",  "abc?", "a[bc]d", "?bc",   "\\*x", "a\\",
                                           "a*b*c", "",   "ab*", "[a]b", "a[^b]",  "abcde", "**"};
    static const char *const channels[] = {"", "a", "ab", "abc", "abcd", "abd", "*x", "a\\", "ac", "abcde", "aXbYc"};
    enum { PATTERNS = sizeof patterns / sizeof *patterns, CHANNELS = sizeof channels / sizeof *channels };
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *a = subscriber_new("a");
    for (size_t i = 0; i < PATTERNS; i++) cr_assert(subscriptions_add(all, TOPIC_PATTERN, span_str(patterns[i]), a));
    for (size_t i = 0; i < CHANNELS; i++) {
        const struct topic *t = NULL;
        for (size_t p = 0; p < PATTERNS; p++) {
            if (!glob_match(span_str(patterns[p]), span_str(channels[i]))) continue;
            t = subscriptions_next_match(all, span_str(channels[i]), t);
            cr_assert_not_null(t, "%s should match %s", patterns[p], channels[i]);
            cr_expect(span_eq(topic_name(t), span_str(patterns[p])), "%s: %s", channels[i], patterns[p]);
        }
        if (t) cr_expect_null(subscriptions_next_match(all, span_str(channels[i]), t), "%s", channels[i]);
    }
    subscriber_free(all, a);
    subscriptions_free(all);
}

Test(subscriptions, many_random_changes_agree_with_a_table_of_bits)
{
    enum { WHO = 6, NAMES = 9, STEPS = 20000 };
    bool listens[TOPIC_KINDS][NAMES][WHO] = {{{false}}};
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *who[WHO];
    struct rand r = {7};
    for (unsigned i = 0; i < WHO; i++) who[i] = subscriber_new("x");
    for (unsigned step = 0; step < STEPS; step++) {
        const unsigned k = (unsigned)(rand_below(&r, TOPIC_KINDS)), n = (unsigned)(rand_below(&r, NAMES)),
                       w = (unsigned)(rand_below(&r, WHO));
        char name[16];
        const struct span s = span_of(name, (size_t)snprintf(name, sizeof name, "n%u", n));
        const bool add = rand_below(&r, 2);
        cr_assert_eq(add ? subscriptions_add(all, k, s, who[w]) : subscriptions_remove(all, k, s, who[w]),
                     listens[k][n][w] != add);
        listens[k][n][w] = add;
        size_t expected = 0;
        for (unsigned i = 0; i < WHO; i++) expected += listens[k][n][i];
        const struct topic *t = subscriptions_find(all, k, s);
        cr_assert_eq(t ? topic_subscribers(t) : 0, expected);
    }
    for (unsigned i = 0; i < WHO; i++) subscriber_free(all, who[i]);
    for (unsigned k = 0; k < TOPIC_KINDS; k++) cr_expect_eq(subscriptions_topics(all, k), 0);
    subscriptions_free(all);
}

Test(subscriptions, ten_thousand_of_one_cost_less_than_150_bytes_each_and_end_at_once)
{
    enum { MANY = 10000 };
    struct subscriptions *all = subscriptions_new(key);
    struct subscriber *a = subscriber_new("a");
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        cr_assert(subscriptions_add(all, TOPIC_CHANNEL,
                                    span_of(name, (size_t)snprintf(name, sizeof name, "channel%u", i)), a));
    }
    cr_expect_eq(subscriber_count(a, TOPIC_CHANNEL), MANY);
    cr_expect_lt(subscriptions_memory(all), 150 * MANY);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert(subscriptions_remove(all, TOPIC_CHANNEL, topic_name(subscriber_oldest(a, TOPIC_CHANNEL)), a));
    cr_expect_eq(subscriptions_topics(all, TOPIC_CHANNEL), 0);
    subscriber_free(all, a);
    subscriptions_free(all);
}
