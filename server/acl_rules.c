#include "server/acl_rules.h"

#include <sodium.h>
#include <stdio.h>

#include "common/command_docs.h"
#include "common/mem.h"

static const char syntax_error[] = "Syntax error";
static const char unknown_command[] = "Unknown command or category name in ACL";
static const char argument_of_subcommand[] = "Allowing first-arg of a subcommand is not supported";
static const char bad_hash[] =
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
static const char no_such_password[] = "The password you are trying to remove from the user does not exist";
static const char pattern_after_all[] =
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns";
static const char channel_after_all[] =
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels";

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool has_space(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_space(s.p[i]) || s.p[i] == '\0') return true;
    return false;
}

bool acl_rules_name_fits(struct span name) { return name.n && !has_space(name); }

static struct span rest_of(struct span s, size_t from) { return span_of(s.p + from, s.n - from); }

/* ---- Commands ---- */

static void forget_rule(struct acl_selector *s, size_t i)
{
    mem_free(s->rules[i].name);
    s->rule_count--;
    memmove(&s->rules[i], &s->rules[i + 1], (s->rule_count - i) * sizeof *s->rules);
}

static void forget_rules(struct acl_selector *s)
{
    while (s->rule_count) forget_rule(s, s->rule_count - 1);
}

/* Take note of a rule. Earlier ones about the same, or about a part of it, mean nothing any more. */
static void note_rule(struct acl_selector *s, struct span name, bool allow)
{
    for (size_t i = s->rule_count; i-- > 0;) {
        const struct span old = span_str(s->rules[i].name);
        if (old.n >= name.n && span_case_eq(span_of(old.p, name.n), name) &&
            (old.n == name.n || old.p[name.n] == '|'))
            forget_rule(s, i);
    }
    s->rules = mem_realloc(s->rules, (s->rule_count + 1) * sizeof *s->rules);
    char *copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    s->rules[s->rule_count++] = (struct acl_rule){copy, allow};
}

static void forget_firsts(struct acl_selector *s, uint16_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->first_count; i++) {
        if (s->firsts[i].id == id) mem_free(s->firsts[i].text);
        else s->firsts[kept++] = s->firsts[i];
    }
    s->first_count = kept;
}

/* A command with all its subcommands. */
static void permit(struct acl_selector *s, const struct command_entry *e, bool allow)
{
    const uint64_t bit = UINT64_C(1) << (e->id % 64);
    if (allow) s->allowed[e->id / 64] |= bit;
    else s->allowed[e->id / 64] &= ~bit;
    forget_firsts(s, e->id);
    for (size_t i = 0; i < e->sub_count; i++) permit(s, e->subs[i], allow);
    if (!allow) s->every = false;
}

static void permit_all(const struct acl_user *u, struct acl_selector *s, bool allow)
{
    for (size_t i = 0; i < command_count(u->commands); i++) permit(s, command_at(u->commands, i), allow);
    forget_rules(s);
    s->every = allow;
    s->additive = !allow;
}

static bool is_in(const struct command_entry *e, const char *category)
{
    const struct words words = command_category_words(e);
    for (size_t i = 0; i < words.count; i++)
        if (words.word[i] == category) return true;
    return false;
}

static void permit_category(struct acl_selector *s, const struct command_entry *e, const char *category, bool allow)
{
    if (is_in(e, category)) permit(s, e, allow);
    for (size_t i = 0; i < e->sub_count; i++) permit_category(s, e->subs[i], category, allow);
}

static const char *apply_category(const struct acl_user *u, struct acl_selector *s, struct span name, bool allow)
{
    const struct words all = command_categories();
    if (span_is(name, "@all")) {
        permit_all(u, s, allow);
        return NULL;
    }
    for (size_t i = 0; i < all.count; i++) {
        if (!span_is(name, all.word[i])) continue;
        for (size_t j = 0; j < command_count(u->commands); j++)
            permit_category(s, command_at(u->commands, j), all.word[i], allow);
        note_rule(s, span_str(all.word[i]), allow);
        return NULL;
    }
    return unknown_command;
}

/* "select|0": the command with this first argument. Where the command is allowed anyhow, that changes nothing. */
static const char *allow_first(struct acl_selector *s, const struct command_entry *e, struct span argument)
{
    if (e->sub_count) return memchr(argument.p, '|', argument.n) ? argument_of_subcommand : unknown_command;
    if (memchr(argument.p, '|', argument.n)) return unknown_command;
    if (acl_user_bit(s, e->id)) return NULL;
    for (size_t i = 0; i < s->first_count; i++)
        if (s->firsts[i].id == e->id && span_is(argument, s->firsts[i].text)) return NULL;
    struct buf name = {0};
    buf_printf(&name, "%s|%.*s", e->name, (int)argument.n, argument.p);
    note_rule(s, buf_span(&name), true);
    buf_free(&name);
    char *copy = mem_alloc(argument.n + 1);
    memcpy(copy, argument.p, argument.n);
    copy[argument.n] = '\0';
    s->firsts = mem_realloc(s->firsts, (s->first_count + 1) * sizeof *s->firsts);
    s->firsts[s->first_count++] = (struct acl_first){e->id, copy};
    return NULL;
}

static const char *apply_command(const struct acl_user *u, struct acl_selector *s, struct span name, bool allow)
{
    if (has_space(name)) return syntax_error;
    if (name.n && name.p[0] == '@') return apply_category(u, s, name, allow);
    const char *bar = memchr(name.p, '|', name.n);
    const struct span head = span_of(name.p, bar ? (size_t)(bar - name.p) : name.n);
    const struct span tail = bar ? rest_of(name, head.n + 1) : SPAN("");
    const struct command_entry *e = command_find_original(u->commands, head, tail);
    if (!e) return unknown_command;
    if (!bar || e->parent) {
        permit(s, e, allow);
        note_rule(s, span_str(e->name), allow);
        return NULL;
    }
    if (!allow) return unknown_command;
    if (tail.n == 0) return syntax_error;
    return allow_first(s, e, tail);
}

/* ---- Keys and channels ---- */

static const char *apply_keys(struct acl_selector *s, struct span rule)
{
    unsigned access = 0;
    size_t at = 1;
    if (s->keys.all) return pattern_after_all;
    if (rule.p[0] == '~') {
        access = ACL_MAY_READ | ACL_MAY_WRITE;
    } else {
        for (; at < rule.n; at++) {
            const char c = ascii_lower(rule.p[at]);
            const unsigned bit = c == 'r' ? ACL_MAY_READ : c == 'w' ? ACL_MAY_WRITE : 0;
            if (!bit || access & bit) break;
            access |= bit;
        }
        if (!access || at == rule.n || rule.p[at] != '~') return syntax_error;
        at++;
    }
    if (has_space(rule)) return syntax_error;
    acl_user_add_pattern(&s->keys, rest_of(rule, at), access);
    return NULL;
}

static const char *apply_channel(struct acl_selector *s, struct span rule)
{
    if (s->channels.all) return channel_after_all;
    if (has_space(rule)) return syntax_error;
    acl_user_add_pattern(&s->channels, rest_of(rule, 1), ACL_MAY_READ | ACL_MAY_WRITE);
    return NULL;
}

static void set_all(struct acl_patterns *p, bool all)
{
    acl_user_drop_patterns(p);
    p->all = all;
}

static const char *apply_to_selector(const struct acl_user *u, struct acl_selector *s, struct span rule)
{
    if (rule.n == 0) return NULL;
    if (span_is(rule, "allkeys") || span_is(rule, "~*")) set_all(&s->keys, true);
    else if (span_is(rule, "resetkeys")) set_all(&s->keys, false);
    else if (span_is(rule, "allchannels") || span_is(rule, "&*")) set_all(&s->channels, true);
    else if (span_is(rule, "resetchannels")) set_all(&s->channels, false);
    else if (span_is(rule, "allcommands")) permit_all(u, s, true);
    else if (span_is(rule, "nocommands")) permit_all(u, s, false);
    else if (rule.p[0] == '~' || rule.p[0] == '%') return apply_keys(s, rule);
    else if (rule.p[0] == '&') return apply_channel(s, rule);
    else if (rule.p[0] == '+' || rule.p[0] == '-') return apply_command(u, s, rest_of(rule, 1), rule.p[0] == '+');
    else return syntax_error;
    return NULL;
}

/* ---- Users ---- */

/* "( ~a* +get )" */
static const char *apply_selector(struct acl_user *u, struct span rule)
{
    struct acl_selector *s = acl_user_new_selector(u);
    const char *why = NULL;
    struct span rest = span_of(rule.p + 1, rule.n - 2);
    while (!why && rest.n) {
        size_t n = 0;
        while (n < rest.n && !is_space(rest.p[n])) n++;
        why = n && rest.p[n - 1] == ')' ? syntax_error : apply_to_selector(u, s, span_of(rest.p, n));
        rest = rest_of(rest, n < rest.n ? n + 1 : n);
    }
    if (why) acl_user_free_selector(s);
    else acl_user_add_selector(u, s);
    return why;
}

static bool read_hash(struct span hex, uint8_t hash[ACL_HASH_BYTES])
{
    size_t length;
    for (size_t i = 0; i < hex.n; i++)
        if (!((hex.p[i] >= '0' && hex.p[i] <= '9') || (hex.p[i] >= 'a' && hex.p[i] <= 'f'))) return false;
    return hex.n == 2 * (size_t)ACL_HASH_BYTES &&
           sodium_hex2bin(hash, ACL_HASH_BYTES, hex.p, hex.n, NULL, &length, NULL) == 0 && length == ACL_HASH_BYTES;
}

/* ">password", "<password", "#hash", "!hash". */
static const char *apply_password(struct acl_user *u, struct span rule)
{
    const char sign = rule.p[0];
    const struct span text = rest_of(rule, 1);
    uint8_t hash[ACL_HASH_BYTES];
    const char *why = NULL;
    if (sign == '>' || sign == '<') acl_user_hash(text, hash);
    else if (!read_hash(text, hash)) why = bad_hash;
    if (!why && (sign == '>' || sign == '#')) {
        acl_user_add_hash(u, hash);
        u->open = false;
    } else if (!why && !acl_user_remove_hash(u, hash)) {
        why = no_such_password;
    }
    sodium_memzero(hash, sizeof hash);
    return why;
}

static void set_open(struct acl_user *u, bool open)
{
    acl_user_drop_hashes(u);
    u->open = open;
}

static void reset(struct acl_user *u)
{
    struct acl_selector *root = u->selectors[0];
    set_open(u, false);
    set_all(&root->keys, false);
    set_all(&root->channels, u->channels_by_default);
    u->on = false;
    u->sanitize = ACL_SANITIZE;
    acl_user_drop_selectors(u);
    permit_all(u, root, false);
}

static const char *apply_rule(struct acl_user *u, struct span rule)
{
    if (span_is(rule, "on")) u->on = true;
    else if (span_is(rule, "off")) u->on = false;
    else if (span_is(rule, "nopass")) set_open(u, true);
    else if (span_is(rule, "resetpass")) set_open(u, false);
    else if (span_is(rule, "sanitize-payload")) u->sanitize = ACL_SANITIZE;
    else if (span_is(rule, "skip-sanitize-payload")) u->sanitize = ACL_SANITIZE_SKIP;
    else if (span_is(rule, "clearselectors")) acl_user_drop_selectors(u);
    else if (span_is(rule, "reset")) reset(u);
    else if (rule.n && memchr("><#!", rule.p[0], 4)) return apply_password(u, rule);
    else if (rule.n > 1 && rule.p[0] == '(' && rule.p[rule.n - 1] == ')') return apply_selector(u, rule);
    else return apply_to_selector(u, u->selectors[0], rule);
    return NULL;
}

/* Where the selector ends that begins with rules[@i]; false: nowhere. */
static bool find_end(const struct span *rules, size_t n, size_t i, size_t *end)
{
    for (*end = i; *end < n; (*end)++) {
        const struct span rule = rules[*end];
        const bool closes = rule.n && rule.p[rule.n - 1] == ')' && !(*end == i && rule.n == 1);
        if (closes) return true;
        if (*end > i && rule.n && rule.p[0] == '(') return false; /* Redis forgets the words before it */
    }
    return false;
}

/* The rule as far as it is no password. */
static struct span without_password(struct span rule)
{
    for (size_t i = 0; i < rule.n; i++)
        if ((rule.p[i] == '<' || rule.p[i] == '>') && (i == 0 || rule.p[i - 1] == '(' || is_space(rule.p[i - 1])))
            return span_of(rule.p, i + 1);
    return rule;
}

static bool fail(struct acl_failure *f, struct span rule, const char *why)
{
    rule = without_password(rule);
    (void)snprintf(f->rule, sizeof f->rule, "%.*s", (int)(rule.n < sizeof f->rule ? rule.n : sizeof f->rule), rule.p);
    f->why = why;
    return false;
}

/* Do all selectors end? That is looked at before any rule is. */
static bool check_parentheses(const struct span *rules, size_t n, struct acl_failure *f)
{
    for (size_t i = 0, end; i < n; i = end + 1) {
        end = i;
        if (rules[i].n && rules[i].p[0] == '(' && !find_end(rules, n, i, &end)) return fail(f, rules[i], NULL);
    }
    return true;
}

bool acl_rules_apply(struct acl_user *u, const struct span *rules, size_t n, struct acl_failure *f)
{
    struct buf joined = {0};
    bool done = check_parentheses(rules, n, f);
    for (size_t i = 0, end; done && i < n; i = end + 1) {
        struct span rule = rules[i];
        end = i;
        if (rule.n && rule.p[0] == '(' && find_end(rules, n, i, &end)) {
            joined.len = 0;
            for (size_t j = i; j <= end; j++) {
                if (j > i) buf_add_char(&joined, ' ');
                buf_add_span(&joined, rules[j]);
            }
            rule = buf_span(&joined);
        }
        const char *why = apply_rule(u, rule);
        if (why) done = fail(f, rule, why);
    }
    if (joined.len) sodium_memzero(joined.p, joined.len);
    buf_free(&joined);
    acl_user_settle(u);
    return done;
}
