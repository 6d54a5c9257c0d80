#include <criterion/criterion.h>

#include "replication/link.h"

static const struct seal_claim claim = {.node_id = "0123456789abcde", .epoch = 5};

/* Everything that @from has to say is fed to @to in portions of @step; frames are counted. */
static unsigned pass(struct link *from, struct link *to, size_t step, bool *failed)
{
    unsigned frames = 0;
    struct buf *out = link_out(from);
    for (size_t at = 0; at < out->len; at += step) {
        struct cursor in = cursor_of(span_of(out->p + at, out->len - at < step ? out->len - at : step));
        struct errmsg m;
        struct frame f;
        enum link_event e;
        while ((e = link_take(to, &in, &f, &m)) != LINK_MORE && e != LINK_FAILED) frames += e == LINK_FRAME;
        if (e == LINK_FAILED) *failed = true;
        if (e == LINK_FAILED) break;
    }
    out->len = 0;
    return frames;
}

static struct span hello(struct buf *b)
{
    Relevo__Hello body = RELEVO__HELLO__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    m.body_case = RELEVO__MESSAGE__BODY_HELLO;
    m.hello = &body;
    b->len = 0;
    frame_pack(&m, b);
    return buf_span(b);
}

Test(link, two_ends_open_and_talk_however_the_bytes_are_cut)
{
    struct seal_keys *keys = seal_keys_none();
    struct buf b = {0};
    for (size_t step = 1; step < 200; step += 7) {
        struct link *dialer = link_dial(keys, &claim), *acceptor = link_accept(keys, &claim, NULL);
        bool failed = false;
        (void)pass(dialer, acceptor, step, &failed);
        (void)pass(acceptor, dialer, step, &failed);
        cr_assert_eq(link_state(dialer), LINK_OPEN);
        link_send(dialer, hello(&b), SPAN("payload"));
        cr_assert_eq(pass(dialer, acceptor, step, &failed), 1, "proof and first frame in one");
        cr_assert_eq(link_state(acceptor), LINK_OPEN);
        link_send(acceptor, hello(&b), SPAN(""));
        cr_assert_eq(pass(acceptor, dialer, step, &failed), 1);
        cr_assert_not(failed);
        cr_assert_eq(link_peer(acceptor)->epoch, 5);
        link_free(dialer);
        link_free(acceptor);
    }
    buf_free(&b);
    seal_keys_free(keys);
}

Test(link, a_stranger_makes_nothing_grow)
{
    struct seal_keys *keys = seal_keys_none();
    struct link *l = link_accept(keys, &claim, NULL);
    static char noise[100000];
    noise[0] = (char)SEAL_FIRST_BYTE;
    struct cursor in = cursor_of(span_of(noise, sizeof noise));
    struct frame f;
    struct errmsg m;
    cr_assert_eq(link_take(l, &in, &f, &m), LINK_FAILED);
    cr_assert_eq(link_out(l)->cap, 0);
    cr_assert_leq(sizeof noise - cursor_left(&in), SEAL_GREETING_MAX);
    cr_assert_eq(link_take(l, &in, &f, &m), LINK_FAILED, "and it stays closed");
    link_free(l);
    seal_keys_free(keys);
}
