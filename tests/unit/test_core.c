#include <criterion/criterion.h>

#include "common/mem.h"
#include "tests/unit/core_rig.h"

enum { A, B, C };

static struct rig rig;

static void set_up(void) { rig_open(&rig); }
static void tear_down(void) { rig_close(&rig); }

TestSuite(core, .init = set_up, .fini = tear_down);

#define CORE(i) rig.nodes[i].core

static bool streams(unsigned i) { return replica_linked(&CORE(i)->replica); }

static void expect_trace(const char *expected)
{
    buf_add_char(&rig.trace, '\0');
    cr_expect_str_eq(rig.trace.p, expected);
    rig.trace.len = 0;
}

/* A primary with some log and a replica that holds it all. */
static void make_pair(void)
{
    rig_add(&rig, A, 1, 1, 11, 0);
    rig_start_primary(&rig, A);
    rig_write(&rig, A, "first");
    rig_add(&rig, B, 0, 0, 0, 0);
    rig_follow(&rig, B, A, false);
    cr_assert(streams(B));
}

Test(core, a_join_goes_by_snapshot_and_then_by_log)
{
    rig_add(&rig, A, 1, 1, 11, 0);
    rig_start_primary(&rig, A);
    rig_write(&rig, A, "first");
    rig_add(&rig, B, 0, 0, 0, 0);
    rig.tracing = true;
    rig_follow(&rig, B, A, false);
    rig_write(&rig, A, "second");
    expect_trace("b dials a\n"
                 "b -> a: hello\n"
                 "a -> b: welcome\n"
                 "a -> b: peers\n"
                 "a -> b: snapshot begin\n"
                 "a -> b: piece +\n"
                 "a -> b: snapshot end\n"
                 "b -> a: continue\n"
                 "a -> b: log +\n");
    cr_expect(span_eq(buf_span(&rig.nodes[B].snapshot), SPAN("the base")));
    cr_expect_eq(CORE(B)->self.end, CORE(A)->self.end);
    cr_expect_eq(CORE(A)->primary.sync_full, 1);
    cr_expect_eq(primary_count_applied(CORE(A), CORE(A)->self.end), 1);
}

Test(core, a_link_that_breaks_is_continued_at_its_offset)
{
    make_pair();
    rig.tracing = true;
    rig_cut(&rig, B, CORE(B)->replica.conn);
    rig_settle(&rig);
    rig_write(&rig, A, "written meanwhile");
    rig_pass(&rig, 300);
    expect_trace("b dials a\n"
                 "b -> a: hello\n"
                 "a -> b: welcome\n"
                 "a -> b: continue\n"
                 "a -> b: peers\n"
                 "a -> b: log +\n");
    cr_expect_eq(CORE(A)->primary.sync_partial_ok, 1);
    cr_expect_eq(CORE(A)->primary.sync_full, 1);
    cr_expect_eq(CORE(B)->self.end, CORE(A)->self.end);
}

Test(core, a_primary_that_nobody_ever_followed_keeps_no_log_in_memory)
{
    rig_add(&rig, A, 1, 1, 11, 0);
    rig_start_primary(&rig, A);
    cr_expect(core_is_alone(CORE(A)));
    rig_write(&rig, A, "first");
    cr_expect_eq(window_memory(CORE(A)->window), 0);
    rig_add(&rig, B, 0, 0, 0, 0);
    rig_follow(&rig, B, A, false);
    cr_expect_not(core_is_alone(CORE(A)));
    rig_write(&rig, A, "second");
    cr_expect_gt(window_memory(CORE(A)->window), 0);
    cr_expect_eq(CORE(B)->self.end, CORE(A)->self.end);
}

Test(core, a_follower_reads_from_disk_what_was_written_before_the_primary_knew_of_it)
{
    make_pair();
    const struct follower *f = primary_find(CORE(A), &CORE(B)->self.id);
    cr_assert_eq(f->source, SOURCE_WINDOW);
    rig_advance(&rig, A, CORE(A)->self.end + 100, 4711);
    rig_give(&rig, A, &(struct core_event){.kind = EVENT_TICK});
    cr_expect(f->source == SOURCE_OPENING || f->source == SOURCE_DISK || f->source == SOURCE_READING);
}

Test(core, another_lineage_is_taken_only_on_an_operators_word)
{
    rig_add(&rig, A, 1, 1, 11, 0);
    rig_start_primary(&rig, A);
    rig_add(&rig, B, 2, 1, 22, 500);
    rig_follow(&rig, B, A, false);
    cr_expect_not(streams(B));
    cr_expect(strstr(CORE(B)->replica.error, "lineage"), "%s", CORE(B)->replica.error);
    rig_follow(&rig, B, A, true);
    cr_expect(streams(B));
    cr_expect_eq(rig.nodes[B].salvaged, 1, "what it held is kept aside");
}

Test(core, a_node_without_data_is_not_followed)
{
    rig_add(&rig, A, 0, 0, 0, 0);
    rig_add(&rig, B, 1, 1, 11, 500);
    rig_follow(&rig, B, A, true);
    cr_expect_not(streams(B));
    cr_expect_eq(rig.nodes[B].loaded, 0);
}

Test(core, a_node_is_refused_by_one_of_its_own_id)
{
    rig_add(&rig, A, 1, 1, 11, 0);
    rig_start_primary(&rig, A);
    rig_add(&rig, B, 1, 1, 11, 0);
    CORE(B)->self.id = rig.nodes[B].id = rig.nodes[A].id;
    rig_follow(&rig, B, A, false);
    cr_expect_not(streams(B));
    cr_expect(strstr(CORE(B)->replica.error, "copied directory"), "%s", CORE(B)->replica.error);
}

static void tell_to_follow(unsigned i, unsigned whom)
{
    char host[2] = {(char)('a' + (int)whom), 0};
    rig_give(&rig, i,
             &(struct core_event){.kind = EVENT_FOLLOW, .text = host, .port = (uint16_t)(7000 + whom), .flag = true});
}

Test(core, two_nodes_that_are_told_at_once_to_follow_each_other_make_no_ring)
{
    make_pair();
    tell_to_follow(A, B);
    tell_to_follow(B, A);
    rig_settle(&rig);
    rig_pass(&rig, 2000);
    cr_expect_not(streams(A) && streams(B));
}

Test(core, a_ring_of_three_does_not_tell_its_epochs_round_for_ever, .timeout = 20)
{
    make_pair();
    rig_add(&rig, C, 0, 0, 0, 0);
    rig_follow(&rig, C, B, false);
    cr_assert(streams(C));
    tell_to_follow(A, C);
    rig_settle(&rig);
    cr_expect(streams(A) && streams(B) && streams(C));
}

Test(core, the_same_node_id_is_not_admitted_twice)
{
    make_pair();
    rig_add(&rig, C, 1, 1, 11, 0);
    CORE(C)->self.id = rig.nodes[C].id = rig.nodes[B].id;
    rig_follow(&rig, C, A, false);
    cr_expect_not(streams(C));
    cr_expect(streams(B), "who is there stays");
    cr_expect(strstr(CORE(C)->replica.error, "copied directory"), "%s", CORE(C)->replica.error);
}

Test(core, a_superseded_primary_whose_log_is_a_beginning_follows)
{
    make_pair();
    rig.tracing = true;
    rig_promote(&rig, B, 33);
    rig_pass(&rig, 2000);
    cr_expect_eq(rig.nodes[A].stepped_down, 1);
    cr_expect_eq(rig.nodes[A].following, 1);
    cr_expect_eq(core_role(CORE(A)), NODE_REPLICA);
    cr_expect(streams(A));
    rig_write(&rig, B, "from the new primary");
    cr_expect_eq(CORE(A)->self.end, CORE(B)->self.end);
    cr_expect_eq(CORE(B)->primary.sync_full, 0, "without a snapshot");
}

Test(core, a_superseded_primary_with_writes_of_its_own_is_fenced)
{
    make_pair();
    rig_cut(&rig, B, CORE(B)->replica.conn);
    rig.nodes[A].deaf = true;
    rig_write(&rig, A, "nobody has this");
    rig_promote(&rig, B, 33);
    rig_write(&rig, B, "another way");
    rig.nodes[A].deaf = false;
    rig_pass(&rig, 10000);
    cr_expect_eq(rig.nodes[A].fenced, 1);
    cr_expect_eq(core_role(CORE(A)), NODE_FENCED);
    cr_expect_eq(rig.nodes[A].following, 0);

    rig_follow(&rig, A, B, true);
    cr_expect(streams(A), "an operator's word ends it");
    cr_expect_eq(rig.nodes[A].salvaged, 1);
    cr_expect_eq(core_role(CORE(A)), NODE_REPLICA);
}

Test(core, a_sibling_follows_the_promoted_one_by_itself)
{
    make_pair();
    rig_add(&rig, C, 0, 0, 0, 0);
    rig_follow(&rig, C, A, false);
    rig_write(&rig, A, "second");
    cr_assert(streams(C));
    rig.nodes[A].deaf = true;
    rig_cut(&rig, B, CORE(B)->replica.conn);
    rig_cut(&rig, C, CORE(C)->replica.conn);
    rig_promote(&rig, B, 33);
    rig_pass(&rig, 2000);
    cr_expect(streams(C));
    cr_expect(node_id_eq(&CORE(C)->replica.target.id, &rig.nodes[B].id));
    cr_expect_eq(rig.nodes[C].following, 1);
    cr_expect_eq(CORE(B)->primary.sync_full, 0);
}

Test(core, a_node_that_is_about_to_be_promoted_follows_nobody)
{
    make_pair();
    rig_add(&rig, C, 0, 0, 0, 0);
    rig_follow(&rig, C, A, false);
    cr_assert(streams(C));
    rig_give(&rig, C, &(struct core_event){.kind = EVENT_UNFOLLOW});
    rig_promote(&rig, B, 33);
    rig_pass(&rig, 5000);
    cr_expect_eq(rig.nodes[C].following, 0);
    cr_expect_eq(CORE(C)->replica.state, REPLICA_IDLE);
    rig_promote(&rig, C, 44);
    cr_expect_eq(core_role(CORE(C)), NODE_PRIMARY);
    rig_pass(&rig, 5000);
    cr_expect_eq(rig.nodes[B].stepped_down, 1, "it had heard of the other promotion, and outranks it");
}

Test(core, a_hello_of_a_higher_epoch_makes_nobody_step_down)
{
    rig_add(&rig, A, 1, 1, 11, 100);
    rig_start_primary(&rig, A);
    rig_add(&rig, B, 1, UINT64_C(1) << EPOCH_RANK_SHIFT, 33, 100);
    rig_follow(&rig, B, A, false);
    cr_expect_not(streams(B));
    cr_expect_eq(rig.nodes[A].stepped_down, 0);
    cr_expect_eq(core_role(CORE(A)), NODE_PRIMARY);
}

Test(core, restarts_never_outrank_a_promotion)
{
    cr_expect_gt(epoch_next_rank(1), 60000);
    cr_expect_gt(epoch_rank(epoch_next_rank(65535)), epoch_rank(65535));
    cr_expect_eq(epoch_rank(epoch_next_rank(7) + 1), epoch_rank(epoch_next_rank(7)));
}

Test(core, a_primary_that_starts_asks_its_peers_first)
{
    make_pair();
    const struct node_peer peer = {.id = rig.nodes[B].id, .host = "b", .port = 7001};
    struct facts self = {0};
    facts_copy(&self, &CORE(A)->self);
    rig.nodes[B].deaf = true;
    rig_restart_primary(&rig, A, &self, &peer);
    facts_free(&self);
    cr_expect_eq(rig.nodes[A].confirmed, 1, "a peer that cannot be reached is not waited for");
    cr_expect_not(rig.nodes[A].fetched);
}

Test(core, a_primary_that_lost_its_tail_fetches_it_from_a_replica)
{
    make_pair();
    const struct node_peer peer = {.id = rig.nodes[B].id, .host = "b", .port = 7001};
    struct facts before = {0};
    facts_copy(&before, &CORE(A)->self);
    rig_write(&rig, A, "lost");
    const struct epoch restarted = {.number = 2, .id = 12, .start = before.end, .crc = before.end_crc};
    cr_assert_eq(history_add(&before.history, &restarted), ERR_OK);
    rig_restart_primary(&rig, A, &before, &peer);
    facts_free(&before);
    rig_pass(&rig, 2000);
    cr_expect_eq(rig.nodes[A].confirmed, 1);
    cr_expect(rig.nodes[A].fetched);
    cr_expect_eq(CORE(A)->self.end, CORE(B)->self.end);
    cr_expect(memmem(rig.nodes[A].data.p, rig.nodes[A].data.len, "lost", 4));
}

Test(core, silence_ends_a_link_and_it_is_dialed_again)
{
    make_pair();
    rig.wire_count = 0; /* nothing arrives any more, nobody is told */
    rig.nodes[A].deaf = true;
    rig_pass(&rig, 11000);
    cr_expect_not(streams(B));
    cr_expect_eq(primary_find(CORE(A), &rig.nodes[B].id), NULL);
    rig.nodes[A].deaf = false;
    rig_pass(&rig, 2000);
    cr_expect(streams(B));
}

Test(core, a_follower_that_does_not_take_its_log_costs_no_more_than_its_queue)
{
    make_pair();
    rig.nodes[A].holds_queue = true;
    char big[30000];
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    for (unsigned i = 0; i < 20; i++) rig_write(&rig, A, big);
    const struct follower *f = primary_find(CORE(A), &rig.nodes[B].id);
    cr_assert(f);
    cr_expect_lt(f->queued, CORE(A)->set.queue_bytes + FRAME_PAYLOAD_MAX + 1000);
    cr_expect_lt(f->next, CORE(A)->self.end);
    rig.nodes[A].holds_queue = false;
    rig_pass(&rig, 3000);
    cr_expect_eq(CORE(B)->self.end, CORE(A)->self.end);
}

Test(core, a_replica_that_applies_slowly_reads_no_further)
{
    make_pair();
    rig.nodes[B].applies = false;
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < 4; i++) rig_write(&rig, A, text);
    cr_expect(CORE(B)->replica.paused);
    rig_give(&rig, B, &(struct core_event){.kind = EVENT_PROGRESS, .applied = CORE(B)->self.end});
    cr_expect_not(CORE(B)->replica.paused);
}

Test(core, a_piece_of_log_that_does_not_fit_ends_the_link)
{
    make_pair();
    Relevo__LogBytes body = RELEVO__LOG_BYTES__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    body.offset = CORE(B)->self.end + 1;
    m.body_case = RELEVO__MESSAGE__BODY_LOG_BYTES;
    m.log_bytes = &body;
    rig_give(&rig, B,
             &(struct core_event){
                 .kind = EVENT_MESSAGE, .conn = CORE(B)->replica.conn, .message = &m, .payload = SPAN("x")});
    cr_expect_not(streams(B));
    cr_expect(strstr(CORE(B)->replica.error, "does not fit"));
}

/* ---- What is published ---- */

/* The texts that node @i heard, one behind the other. */
static void expect_heard(unsigned i, const char *expected)
{
    struct cursor c = cursor_of(buf_span(&rig.nodes[i].heard));
    struct buf texts = {0};
    struct message m;
    while (bulletin_next(&c, &m)) {
        cr_expect(span_eq(m.channel, SPAN("news")) && !m.sharded);
        buf_add_span(&texts, m.text);
    }
    cr_expect_eq(cursor_left(&c), 0);
    cr_expect(span_eq(buf_span(&texts), span_str(expected)), "%.*s", (int)texts.len, texts.p);
    buf_free(&texts);
}

Test(core, what_is_published_reaches_replicas_of_replicas_behind_the_log)
{
    make_pair();
    rig_add(&rig, C, 0, 0, 0, 0);
    rig_follow(&rig, C, B, false);
    cr_assert(streams(C));
    rig.tracing = true;
    rig_write(&rig, A, "second");
    rig_publish(&rig, A, SPAN("hear "));
    rig_publish(&rig, A, SPAN("this"));
    expect_trace("a -> b: log +\n"
                 "b -> c: log +\n"
                 "a -> b: publish +\n"
                 "b -> c: publish +\n"
                 "a -> b: publish +\n"
                 "b -> c: publish +\n");
    expect_heard(B, "hear this");
    expect_heard(C, "hear this");
    cr_expect_eq(CORE(A)->primary.forwarded, 2);
    cr_expect_eq(CORE(A)->primary.unforwarded, 0);
}

Test(core, a_replica_that_publishes_tells_nobody)
{
    make_pair();
    rig_add(&rig, C, 0, 0, 0, 0);
    rig_follow(&rig, C, B, false);
    rig_publish(&rig, B, SPAN("mine"));
    expect_heard(C, "");
    expect_heard(A, "");
}

/* Let the network take what waits at node @i, as many times as it has room. */
static void drain(unsigned i)
{
    rig.nodes[i].holds_queue = false;
    for (unsigned n = 0; n < 1000; n++) {
        rig_give(&rig, i, &(struct core_event){.kind = EVENT_TICK});
        rig_settle(&rig);
    }
}

Test(core, a_long_message_comes_in_pieces_and_whole)
{
    make_pair();
    enum { LONG = 200000 };
    char *text = mem_alloc(LONG + 1);
    for (size_t i = 0; i < LONG; i++) text[i] = (char)('a' + i % 26);
    text[LONG] = '\0';
    rig.tracing = true;
    rig_publish(&rig, A, span_str(text));
    drain(A);
    expect_trace("a -> b: publish +\n"
                 "a -> b: publish +\n"
                 "a -> b: publish +\n"
                 "a -> b: publish +\n");
    expect_heard(B, text);
    mem_free(text);
}

/* The follower's network takes nothing; it is heard all the same. */
Test(core, what_a_follower_has_no_room_for_is_counted_and_its_log_goes_on)
{
    enum { BIG = 3 << 20 };
    make_pair();
    char *text = mem_zalloc(BIG, 1);
    rig.nodes[A].holds_queue = true;
    for (unsigned i = 0; i < 8; i++) rig_publish(&rig, A, span_of(text, BIG));
    const struct follower *f = primary_find(CORE(A), &CORE(B)->self.id);
    cr_expect_leq(f->bulletins.bytes, BULLETIN_QUEUE_MAX);
    cr_expect_eq(CORE(A)->primary.forwarded, 5);
    cr_expect_eq(CORE(A)->primary.unforwarded, 3);
    rig_write(&rig, A, "data");
    drain(A);
    cr_expect_eq(CORE(B)->self.end, CORE(A)->self.end);
    cr_expect_eq(rig.nodes[B].heard.len / BIG, 5);
    cr_expect_eq(f->bulletins.bytes, 0);
    mem_free(text);
}

Test(core, a_message_is_not_sent_before_the_log_that_it_follows)
{
    make_pair();
    const struct follower *f = primary_find(CORE(A), &CORE(B)->self.id);
    rig.nodes[A].holds_queue = true;
    char big[70000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    rig_write(&rig, A, big); /* fills the queue */
    rig_write(&rig, A, big);
    rig_publish(&rig, A, SPAN("late"));
    cr_expect_lt(f->next, CORE(A)->self.end);
    cr_expect_eq(f->bulletins.count, 1);
    expect_heard(B, "");
    drain(A);
    expect_heard(B, "late");
}

Test(core, published_bytes_that_make_no_sense_end_the_link)
{
    static const struct {
        uint64_t ahead;
        uint32_t size, at;
        struct span payload;
    } cases[] = {
        {1, 11, 0, {"\0\1\0\0\0\1\0\0\0ab", 11}},               /* behind what it has */
        {0, 11, 5, {"\0\1\0\0\0\1\0\0\0ab", 11}},               /* the beginning is missing */
        {0, 10, 0, {"\0\1\0\0\0\1\0\0\0ab", 11}},               /* more than was announced */
        {0, BULLETIN_MAX + 1, 0, {"\0\1\0\0\0\1\0\0\0ab", 11}}, /* longer than any may be */
        {0, 11, 0, {"\0\2\0\0\0\1\0\0\0ab", 11}},               /* shorter than it says */
        {0, 11, 0, {"\2\1\0\0\0\1\0\0\0ab", 11}},               /* of no kind */
    };
    make_pair();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Relevo__Publish body = RELEVO__PUBLISH__INIT;
        Relevo__Message m = RELEVO__MESSAGE__INIT;
        body.position = CORE(B)->self.end + cases[i].ahead;
        body.size = cases[i].size;
        body.at = cases[i].at;
        m.body_case = RELEVO__MESSAGE__BODY_PUBLISH;
        m.publish = &body;
        cr_assert(streams(B));
        rig_give(
            &rig, B,
            &(struct core_event){
                .kind = EVENT_MESSAGE, .conn = CORE(B)->replica.conn, .message = &m, .payload = cases[i].payload});
        cr_expect_not(streams(B), "case %zu", i);
        expect_heard(B, "");
        rig_pass(&rig, 2000);
    }
}
