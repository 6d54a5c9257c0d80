/* XADD and its family: commands on the entries of streams. The rows of all stream commands are at the end. */
#include "common/commands/commands.h"
#include "common/commands/streams.h"
#include "common/mem.h"

static struct stream *put_stream(struct call *c, struct span key)
{
    const struct value v = {.type = TYPE_STREAM, .stream = stream_new()};
    (void)call_put(c, key, &v, NO_EXPIRY);
    return v.stream;
}

/* What the log says of trimming: exactly where the stream begins now. Approximate trimming removes whole nodes, and stops
 * at one that may begin with entries that were deleted before; exact trimming leaves deleted ones itself. */
static size_t trim_words(const struct stream *s, const struct stream_trim_args *a, struct span *words, char *text)
{
    words[0] = a->trim.by_id ? SPAN("MINID") : SPAN("MAXLEN");
    words[1] = SPAN("=");
    if (a->trim.by_id)
        words[2] = stream_id_text(stream_size(s) ? stream_first(s, a->approximate) : STREAM_ID_MAX, text);
    else words[2] = span_of(text, num_format_u64(text, stream_size(s)));
    return 3;
}

/* XADD with the ID and the trimming that came of it. */
static void add_effect(struct call *c, const struct stream *s, const struct stream_trim_args *a, size_t id_at,
                       struct stream_id id)
{
    enum { WORDS_BEFORE = 6 };
    char trim[STREAM_ID_TEXT], text[STREAM_ID_TEXT];
    struct span *words = mem_alloc((c->argc - id_at + WORDS_BEFORE) * sizeof *words);
    size_t n = 0;
    words[n++] = c->argv[0];
    words[n++] = c->argv[1];
    if (a->given) n += trim_words(s, a, words + n, trim);
    words[n++] = stream_id_text(id, text);
    for (size_t i = id_at + 1; i < c->argc; i++) words[n++] = c->argv[i];
    call_effect(c, words, n);
    mem_free(words);
}

/* The ID that the entry gets. False: there is none above the last one, and the error was replied. */
static bool choose_id(struct call *c, const struct stream *s, bool given, bool auto_seq, struct stream_id *id)
{
    const struct stream_id last = s ? stream_marks(s)->last : STREAM_ID_ZERO;
    if (stream_id_cmp(last, STREAM_ID_MAX) == 0) {
        reply_error(c->reply, "ERR The stream has exhausted the last possible ID, unable to add more items");
        return false;
    }
    bool good = true;
    if (!given) {
        *id = (struct stream_id){(uint64_t)c->now_ms, 0};
        if (id->ms <= last.ms) {
            *id = last;
            (void)stream_id_increment(id);
        }
    } else if (auto_seq && id->ms == last.ms) {
        good = last.seq != UINT64_MAX;
        id->seq = last.seq + 1;
    }
    if (good && stream_id_cmp(*id, last) > 0) return true;
    reply_error(c->reply, "ERR The ID specified in XADD is equal or smaller than the target stream top item");
    return false;
}

static void xadd(struct call *c)
{
    struct stream_trim_args a;
    struct stream_id id = STREAM_ID_ZERO;
    bool auto_seq = false;
    size_t id_at;
    struct stream *s;
    if (!stream_take_trim(c, 2, &id_at, &a)) return;
    if (id_at + 2 >= c->argc || (c->argc - id_at) % 2 == 0) {
        reply_error(c->reply, "ERR wrong number of arguments for 'xadd' command");
        return;
    }
    if (a.id_given && !stream_take_id(c, c->argv[id_at], 0, &id, &auto_seq)) return;
    if (a.id_given && !auto_seq && stream_id_is_zero(id)) {
        reply_error(c->reply, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    if (!stream_find(c, c->argv[1], FOR_WRITE, &s)) return;
    if (!s && !a.create) {
        reply_null(c->reply);
        return;
    }
    if (!choose_id(c, s, a.id_given, auto_seq, &id)) return;
    const struct span *pairs = c->argv + id_at + 1;
    const size_t count = (c->argc - id_at - 1) / 2;
    if (!stream_fits(pairs, count)) {
        reply_error(c->reply, "ERR Elements are too large to be stored");
        return;
    }
    if (!s) s = put_stream(c, c->argv[1]);
    stream_append(s, id, pairs, count, call_limits(c));
    stream_reply_id(c->reply, id);
    call_changed(c, EVENT_STREAM, "xadd", c->argv[1], 1);
    if (a.given && stream_trim(s, &a.trim)) call_changed(c, EVENT_STREAM, "xtrim", c->argv[1], 0);
    if (a.approximate || !a.id_given || auto_seq) add_effect(c, s, &a, id_at, id);
}

static void xtrim(struct call *c)
{
    struct stream_trim_args a;
    struct stream *s;
    if (!stream_take_trim(c, 2, NULL, &a)) return;
    if (!stream_find(c, c->argv[1], FOR_WRITE, &s)) return;
    const uint64_t removed = s ? stream_trim(s, &a.trim) : 0;
    if (removed) {
        struct span words[5] = {c->argv[0], c->argv[1]};
        char text[STREAM_ID_TEXT];
        call_changed(c, EVENT_STREAM, "xtrim", c->argv[1], removed);
        if (a.approximate) call_effect(c, words, 2 + trim_words(s, &a, words + 2, text));
    }
    reply_int(c->reply, (int64_t)removed);
}

static void xlen(struct call *c)
{
    struct stream *s;
    if (stream_find(c, c->argv[1], FOR_READ, &s)) reply_int(c->reply, s ? (int64_t)stream_size(s) : 0);
}

static bool take_count(struct call *c, int64_t *count)
{
    *count = -1;
    for (size_t i = 4; i < c->argc; i += 2) {
        if (i + 1 == c->argc || !span_is(c->argv[i], "COUNT")) {
            reply_syntax_error(c->reply);
            return false;
        }
        if (!call_int(c, c->argv[i + 1], count)) return false;
        if (*count < 0) *count = 0;
    }
    return true;
}

static void range(struct call *c, bool backwards)
{
    struct stream_id start, end, id;
    struct stream_iter i;
    struct stream *s;
    int64_t count;
    uint64_t fields;
    size_t n = 0;
    if (!stream_take_start(c, c->argv[backwards ? 3 : 2], &start)) return;
    if (!stream_take_end(c, c->argv[backwards ? 2 : 3], &end)) return;
    if (!take_count(c, &count) || !stream_find(c, c->argv[1], FOR_READ, &s)) return;
    if (!s) {
        reply_array(c->reply, 0);
        return;
    }
    if (count == 0) {
        reply_null_array(c->reply);
        return;
    }
    const size_t mark = reply_begin(c->reply);
    stream_iter_begin(&i, s, start, end, backwards);
    for (; count != 0 && stream_iter_next(&i, &id, &fields); n++, count--)
        stream_reply_entry(c->reply, &i, id, fields);
    reply_end_array(c->reply, mark, n);
}

static void xrange(struct call *c) { range(c, false); }
static void xrevrange(struct call *c) { range(c, true); }

static void xdel(struct call *c)
{
    struct stream *s;
    struct stream_id id;
    uint64_t deleted = 0;
    if (!stream_find(c, c->argv[1], FOR_WRITE, &s)) return;
    for (size_t i = 2; s && i < c->argc; i++)
        if (!stream_take_id(c, c->argv[i], 0, &id, NULL)) return;
    for (size_t i = 2; s && i < c->argc; i++) deleted += stream_parse_id(c->argv[i], 0, &id) && stream_delete(s, id);
    if (deleted) call_changed(c, EVENT_STREAM, "xdel", c->argv[1], deleted);
    reply_int(c->reply, (int64_t)deleted);
}

/* XSETID's options: marks that are given, added as -1 if it is not. */
static bool take_marks(struct call *c, struct stream_id last, int64_t *added, struct stream_id *deleted)
{
    const char *wrong = NULL;
    *added = -1;
    *deleted = STREAM_ID_ZERO;
    for (size_t i = 3; i < c->argc && !wrong; i += 2) {
        const bool more = i + 1 < c->argc;
        if (more && span_is(c->argv[i], "ENTRIESADDED")) {
            if (!call_int(c, c->argv[i + 1], added)) return false;
            if (*added < 0) wrong = "entries_added must be positive";
        } else if (more && span_is(c->argv[i], "MAXDELETEDID")) {
            if (!stream_take_id(c, c->argv[i + 1], 0, deleted, NULL)) return false;
            if (stream_id_cmp(last, *deleted) < 0)
                wrong = "The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    if (wrong) reply_error(c->reply, "ERR %s", wrong);
    return !wrong;
}

static void xsetid(struct call *c)
{
    struct stream *s;
    struct stream_id last, deleted;
    int64_t added;
    if (!stream_take_id(c, c->argv[2], 0, &last, NULL) || !take_marks(c, last, &added, &deleted)) return;
    if (!stream_find(c, c->argv[1], FOR_WRITE, &s)) return;
    if (!s) {
        reply_error(c->reply, "ERR no such key");
        return;
    }
    struct stream_marks m = *stream_marks(s);
    const char *wrong = NULL;
    if (stream_size(s) && stream_id_cmp(last, stream_last(s)) < 0)
        wrong = "ID specified in XSETID is smaller than the target stream top item";
    else if (stream_size(s) && added != -1 && stream_size(s) > (uint64_t)added)
        wrong = "entries_added specified in XSETID is smaller than the target stream length";
    if (wrong) {
        reply_error(c->reply, "ERR The %s", wrong);
        return;
    }
    m.last = last;
    if (added != -1) m.added = (uint64_t)added;
    if (!stream_id_is_zero(deleted)) m.max_deleted = deleted;
    stream_set_marks(s, &m);
    call_changed(c, EVENT_STREAM, "xsetid", c->argv[1], 1);
    reply_ok(c->reply);
}

#define ANY_OUTPUT "nondeterministic_output"
#define TRIM       "strategy={MAXLEN|MINID@6.2.0} operator=[equal==|approximately=~] threshold [LIMIT count]@6.2.0"

const struct command stream_commands[] = {
    COMMAND_HINTED("XADD", "key [NOMKSTREAM]@6.2.0 trim=[" TRIM "] id_or_auto={auto_id=*|id} {field value}+",
                   "Append an entry to a stream; the stream is made if need be.", "5.0.0",
                   "O(1), and O(N) for N entries that are trimmed", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STREAM,
                   KEYS(KEY_RW | KEY_UPDATE, 1), xadd, ANY_OUTPUT,
                   .history = "7.0.0 `ms-*` leaves the second part of the ID to the server."),
    COMMAND("XLEN", "key", "Get the number of entries of a stream.", "5.0.0", "O(1)", CMD_READONLY | CMD_FAST,
            ACL_STREAM, KEYS(KEY_RO, 1), xlen),
    COMMAND("XRANGE", "key start end [COUNT count]", "Get the entries in a range of IDs.", "5.0.0",
            "O(N) for N entries", CMD_READONLY, ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 1), xrange,
            .history = "6.2.0 `(` excludes a bound."),
    COMMAND("XREVRANGE", "key end start [COUNT count]", "Get the entries in a range of IDs, from the highest down.",
            "5.0.0", "O(N) for N entries", CMD_READONLY, ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 1), xrevrange,
            .history = "6.2.0 `(` excludes a bound."),
    COMMAND("XREAD", "[COUNT count] [BLOCK milliseconds] streams={STREAMS key+ id+}",
            "Get the entries behind given IDs of several streams.", "5.0.0", "O(N) for N entries",
            CMD_READONLY | CMD_BLOCKING, ACL_STREAM, KEYS_AFTER(KEY_RO | KEY_ACCESS, "STREAMS", 1, -1, 2),
            stream_xread),
    COMMAND("XREADGROUP",
            "{GROUP group consumer} [COUNT count] [BLOCK milliseconds] [NOACK] streams={STREAMS key+ id+}",
            "Get entries as a consumer of a group: new ones, or those that are pending.", "5.0.0",
            "O(N) for N entries", CMD_WRITE | CMD_BLOCKING, ACL_STREAM,
            KEYS_AFTER(KEY_RO | KEY_ACCESS, "STREAMS", 4, -1, 2), stream_xreadgroup),
    COMMAND("XDEL", "key id+", "Delete entries.", "5.0.0", "O(1) per entry", CMD_WRITE | CMD_FAST, ACL_STREAM,
            KEYS(KEY_RW | KEY_DELETE, 1), xdel),
    COMMAND_HINTED("XTRIM", "key trim={" TRIM "}", "Remove the oldest entries.", "5.0.0",
                   "O(N) for N entries that are removed", CMD_WRITE, ACL_STREAM, KEYS(KEY_RW | KEY_DELETE, 1), xtrim,
                   ANY_OUTPUT),
    COMMAND_CONTAINER("XGROUP", "Make, change and remove groups of consumers.", "5.0.0", GROUP_STREAM,
                      stream_group_commands),
    COMMAND("XACK", "key group id+", "Acknowledge entries: they are pending no longer.", "5.0.0", "O(1) per entry",
            CMD_WRITE | CMD_FAST, ACL_STREAM, KEYS(KEY_RW | KEY_UPDATE, 1), stream_xack),
    COMMAND_HINTED("XPENDING", "key group filters=[[IDLE min-idle-time(integer)]@6.2.0 start end count [consumer]]",
                   "Get what was given to consumers and not acknowledged yet.", "5.0.0", "O(N) for N entries",
                   CMD_READONLY, ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 1), stream_xpending, ANY_OUTPUT,
                   .history = "6.2.0 `(` excludes a bound."),
    COMMAND_HINTED("XCLAIM",
                   "key group consumer min-idle-time id+ [IDLE ms(integer)] [TIME unix-time-milliseconds] "
                   "[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]",
                   "Make pending entries those of another consumer.", "5.0.0", "O(log N) for N pending entries",
                   CMD_WRITE | CMD_FAST, ACL_STREAM, KEYS(KEY_RW | KEY_UPDATE, 1), stream_xclaim, ANY_OUTPUT),
    COMMAND_HINTED("XAUTOCLAIM", "key group consumer min-idle-time start [COUNT count] [JUSTID]",
                   "Make entries that are pending for long those of another consumer.", "6.2.0",
                   "O(1) for a small count", CMD_WRITE | CMD_FAST, ACL_STREAM, KEYS(KEY_RW | KEY_DELETE, 1),
                   stream_xautoclaim, ANY_OUTPUT, .history = "7.0.0 Names the entries that it found deleted."),
    COMMAND_CONTAINER("XINFO", "Look into a stream, its groups and consumers.", "5.0.0", GROUP_STREAM,
                      stream_info_commands),
    COMMAND("XSETID",
            "key last-id [ENTRIESADDED entries_added(integer)]@7.0.0 [MAXDELETEDID max_deleted_entry_id]@7.0.0",
            "Set what a stream remembers of its past.", "5.0.0", "O(1)", CMD_WRITE | CMD_DENYOOM | CMD_FAST,
            ACL_STREAM, KEYS(KEY_RW | KEY_UPDATE, 1), xsetid),
    COMMANDS_END,
};
