#include "server/config_lists.h"

#include <sodium.h>

#include "common/mem.h"
#include "server/acl_rules.h"

void config_lists_free(struct config_lists *l)
{
    buf_free(&l->users);
    for (size_t i = 0; i < l->rename_count; i++) {
        mem_free(l->renames[i].from);
        mem_free(l->renames[i].to);
    }
    mem_free(l->renames);
}

bool config_lists_know(struct span name) { return span_is(name, "user") || span_is(name, "rename-command"); }

/* ">password" as "#hash", "<password" as "!hash": a password may hold what divides words, and is not to be kept. */
static void add_rule(struct buf *to, struct span rule)
{
    uint8_t hash[ACL_HASH_BYTES];
    char hex[2 * ACL_HASH_BYTES + 1];
    buf_add_char(to, ' ');
    if (rule.n == 0 || (rule.p[0] != '>' && rule.p[0] != '<')) {
        buf_add_span(to, rule);
        return;
    }
    acl_user_hash(span_of(rule.p + 1, rule.n - 1), hash);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    buf_printf(to, "%c%s", rule.p[0] == '>' ? '#' : '!', hex);
    sodium_memzero(hash, sizeof hash);
}

/* A rule in quotes may be a password or a selector, but no two rules. */
static enum err take_user(struct config_lists *l, const struct span *words, size_t n, int line, struct errmsg *m)
{
    if (n < 2) return err_set(m, ERR_INVALID, "wrong number of arguments");
    for (size_t i = 1; i < n; i++)
        if (!acl_rules_name_fits(words[i]) && !(words[i].n && memchr("><(", words[i].p[0], 3)))
            return err_set(m, ERR_INVALID, "Syntax error");
    for (; l->user_lines < line - 1; l->user_lines++) buf_add_char(&l->users, '\n');
    buf_add_span(&l->users, SPAN("user"));
    for (size_t i = 1; i < n; i++) add_rule(&l->users, words[i]);
    buf_add_char(&l->users, '\n');
    l->user_lines++;
    return ERR_OK;
}

static char *text_of(struct span s)
{
    char *text = mem_zalloc(1, s.n + 1);
    if (s.n) memcpy(text, s.p, s.n);
    return text;
}

enum err config_lists_take(struct config_lists *l, const struct span *words, size_t n, int line, struct errmsg *m)
{
    if (span_is(words[0], "user")) return take_user(l, words, n, line, m);
    if (n != 3) return err_set(m, ERR_INVALID, "wrong number of arguments");
    l->renames = mem_realloc(l->renames, (l->rename_count + 1) * sizeof *l->renames);
    l->renames[l->rename_count++] = (struct rename){text_of(words[1]), text_of(words[2])};
    return ERR_OK;
}
