/* Settings whose text has a form of its own. */
#include "server/config.h"

#include <stdio.h>

#include "common/num.h"
#include "server/words.h"

bool word_next(struct span *rest, char separator, struct span *word)
{
    while (rest->n && *rest->p == separator) {
        rest->p++;
        rest->n--;
    }
    if (rest->n == 0) return false;
    const char *end = memchr(rest->p, separator, rest->n);
    const size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *word = span_of(rest->p, n);
    rest->p += n;
    rest->n -= n;
    return true;
}

bool word_bytes(struct span s, int64_t *bytes)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') digits++;
    uint64_t v;
    if (!num_parse_u64(span_of(s.p, digits), &v)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!span_is(span_of(s.p + digits, s.n - digits), units[i].unit)) continue;
        if (v > (uint64_t)(INT64_MAX / units[i].factor)) return false;
        *bytes = (int64_t)v * units[i].factor;
        return true;
    }
    return false;
}

enum err setting_rule_save(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    (void)current;
    struct span rest = value, seconds, changes;
    size_t n = 0;
    while (word_next(&rest, ' ', &seconds)) {
        int64_t s, c;
        if (!word_next(&rest, ' ', &changes) || !num_parse_i64(seconds, &s) || !num_parse_i64(changes, &c) || s < 1 ||
            c < 0)
            return err_set(m, ERR_INVALID, "Invalid save parameters");
        if (++n > SAVE_RULES_MAX) return err_set(m, ERR_INVALID, "at most %d save rules", SAVE_RULES_MAX);
        buf_printf(normal, "%s%lld %lld", normal->len ? " " : "", (long long)s, (long long)c);
    }
    return ERR_OK;
}

size_t config_save_rules(const struct config *c, struct save_rule rules[SAVE_RULES_MAX])
{
    struct span rest = span_str(config_text(c, SET_SAVE)), seconds, changes;
    size_t n = 0;
    while (word_next(&rest, ' ', &seconds) && word_next(&rest, ' ', &changes)) {
        if (num_parse_i64(seconds, &rules[n].seconds) && num_parse_i64(changes, &rules[n].changes)) n++;
    }
    return n;
}

static const char *const class_names[OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

static bool output_class_of(struct span word, enum output_class *class)
{
    for (unsigned i = 0; i < OUTPUT_CLASSES; i++)
        if (span_is(word, class_names[i])) {
            *class = (enum output_class)i;
            return true;
        }
    *class = OUTPUT_REPLICA;
    return span_is(word, "replica");
}

/* Read "class hard soft seconds" groups over what @limits holds. */
static enum err read_limits(struct span rest, struct output_limit limits[OUTPUT_CLASSES], struct errmsg *m)
{
    struct span word[4];
    while (word_next(&rest, ' ', &word[0])) {
        enum output_class class;
        struct output_limit l;
        for (int i = 1; i < 4; i++)
            if (!word_next(&rest, ' ', &word[i]))
                return err_set(m, ERR_INVALID, "Wrong number of arguments in buffer limit configuration.");
        if (!output_class_of(word[0], &class))
            return err_set(m, ERR_INVALID, "Invalid client class specified in buffer limit configuration.");
        if (!word_bytes(word[1], &l.hard_bytes) || !word_bytes(word[2], &l.soft_bytes) ||
            !num_parse_i64(word[3], &l.soft_seconds) || l.soft_seconds < 0)
            return err_set(m, ERR_INVALID,
                           "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        limits[class] = l;
    }
    return ERR_OK;
}

enum err setting_rule_output_limits(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    struct output_limit limits[OUTPUT_CLASSES] = {0};
    enum err e = read_limits(span_str(current), limits, m);
    if (!e) e = read_limits(value, limits, m);
    if (e) return e;
    for (unsigned i = 0; i < OUTPUT_CLASSES; i++)
        buf_printf(normal, "%s%s %lld %lld %lld", i ? " " : "", class_names[i], (long long)limits[i].hard_bytes,
                   (long long)limits[i].soft_bytes, (long long)limits[i].soft_seconds);
    return ERR_OK;
}

void config_output_limits(const struct config *c, struct output_limit limits[OUTPUT_CLASSES])
{
    const enum err e = read_limits(span_str(config_text(c, SET_OUTPUT_LIMITS)), limits, NULL);
    (void)e; /* the text is in normal form */
}

enum err setting_rule_replicaof(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    (void)current;
    struct span rest = value, host, port, more;
    int64_t number;
    if (!word_next(&rest, ' ', &host)) return ERR_OK;
    if (!word_next(&rest, ' ', &port) || word_next(&rest, ' ', &more))
        return err_set(m, ERR_INVALID, "argument must be a host and a port");
    if (span_is(host, "no") && span_is(port, "one")) return ERR_OK;
    if (host.n > 255 || !num_parse_i64(port, &number) || number < 1 || number > 65535)
        return err_set(m, ERR_INVALID, "Invalid master port");
    buf_add_span(normal, host);
    buf_printf(normal, " %d", (int)number);
    return ERR_OK;
}

bool config_replicaof(const struct config *c, char host[256], int *port)
{
    struct span rest = span_str(config_text(c, SET_REPLICAOF)), name, number;
    int64_t v;
    if (!word_next(&rest, ' ', &name) || !word_next(&rest, ' ', &number) || !num_parse_i64(number, &v)) return false;
    (void)snprintf(host, 256, "%.*s", (int)name.n, name.p);
    *port = (int)v;
    return true;
}

enum err setting_rule_bind(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    enum { ADDRESSES_MAX = 16 };
    (void)current;
    struct span rest = value, word;
    int n = 0;
    while (word_next(&rest, ' ', &word)) {
        if (++n > ADDRESSES_MAX) return err_set(m, ERR_INVALID, "Too many bind addresses specified.");
        if (normal->len) buf_add_char(normal, ' ');
        buf_add_span(normal, word);
    }
    return ERR_OK;
}

/* "5%" of maxmemory, or bytes. */
static bool read_client_memory(struct span value, bool *percent, int64_t *amount)
{
    *percent = value.n && value.p[value.n - 1] == '%';
    if (*percent) return num_parse_i64(span_of(value.p, value.n - 1), amount) && *amount >= 0 && *amount <= 100;
    return word_bytes(value, amount);
}

enum err setting_rule_client_memory(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    bool percent;
    int64_t amount;
    (void)current;
    if (!read_client_memory(value, &percent, &amount))
        return err_set(m, ERR_INVALID, "argument must be a memory or percent value");
    buf_printf(normal, "%lld%s", (long long)amount, percent ? "%" : "");
    return ERR_OK;
}

int64_t config_client_memory(const struct config *c)
{
    bool percent;
    int64_t amount;
    if (!read_client_memory(span_str(config_text(c, SET_MAXMEMORY_CLIENTS)), &percent, &amount)) return 0;
    return percent ? config_number(c, SET_MAXMEMORY) / 100 * amount : amount;
}

enum err setting_rule_percentiles(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    enum { MOST = 32, DIGITS = 16 };
    (void)current;
    struct span rest = value, word;
    double percent;
    int n = 0;
    while (word_next(&rest, ' ', &word)) {
        if (++n > MOST || word.n > DIGITS || !num_parse_double(word, &percent))
            return err_set(m, ERR_INVALID, "Invalid latency-tracking-info-percentiles parameters");
        if (percent < 0 || percent > 100)
            return err_set(m, ERR_INVALID,
                           "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
        buf_printf(normal, "%s%.*s", normal->len ? " " : "", (int)word.n, word.p);
    }
    return ERR_OK;
}

/* Redis's letters, in the order in which it shows them. `A` stands for the first ten. */
static const char notify_letters[] = "g$lshzxetdnKEm";
enum { NOTIFY_IN_ALL = 10 };

unsigned notify_bit(char event_class)
{
    if (event_class == 'K') return NOTIFY_KEYSPACE;
    if (event_class == 'E') return NOTIFY_KEYEVENT;
    const char *at = event_class ? strchr(notify_letters, event_class) : NULL;
    return at ? 4u << (at - notify_letters) : 0;
}

static unsigned notify_all(void)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < NOTIFY_IN_ALL; i++) bits |= notify_bit(notify_letters[i]);
    return bits;
}

static bool read_notify(struct span letters, unsigned *bits)
{
    *bits = 0;
    for (size_t i = 0; i < letters.n; i++) {
        const unsigned bit = letters.p[i] == 'A' ? notify_all() : notify_bit(letters.p[i]);
        if (!bit) return false;
        *bits |= bit;
    }
    return true;
}

enum err setting_rule_notify(const char *current, struct span value, struct buf *normal, struct errmsg *m)
{
    (void)current;
    unsigned bits;
    if (!read_notify(value, &bits))
        return err_set(m, ERR_INVALID, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    if ((bits & notify_all()) == notify_all()) {
        buf_add_char(normal, 'A');
        bits &= ~notify_all();
    }
    for (const char *l = notify_letters; *l; l++)
        if (bits & notify_bit(*l)) buf_add_char(normal, *l);
    return ERR_OK;
}

unsigned config_notify(const struct config *c)
{
    unsigned bits;
    return read_notify(span_str(config_text(c, SET_NOTIFY)), &bits) ? bits : 0;
}
