/* Commands about commands. What they say is derived from the rows by common/command_docs.h; here it is laid out as
 * clients expect it. */
#include "common/command_docs.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

static const struct command_set *commands_of(const struct call *c) { return client_of(c)->server->commands; }

static void reply_text(struct reply *r, const char *text) { reply_bulk(r, span_str(text)); }

static void reply_words(struct reply *r, const struct words *w)
{
    reply_set(r, w->count);
    for (size_t i = 0; i < w->count; i++) reply_simple(r, w->word[i]);
}

/* "SET|GET" or "SET". */
static const struct command_entry *find_full(const struct command_set *set, struct span name)
{
    const char *bar = name.n ? memchr(name.p, '|', name.n) : NULL;
    if (!bar) return command_find(set, name, SPAN(""));
    const size_t n = (size_t)(bar - name.p);
    const struct command_entry *e = command_find(set, span_of(name.p, n), span_of(bar + 1, name.n - n - 1));
    return e && e->parent ? e : NULL;
}

/* ---- COUNT, LIST, GETKEYS, HELP ---- */

/* The commands that somebody can call: rename-command may have taken some away. */
static size_t callable(const struct command_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < command_count(set); i++) n += command_at(set, i)->called != NULL;
    return n;
}

void introspection_count(struct call *c) { reply_int(c->reply, (int64_t)callable(commands_of(c))); }

enum filter { FILTER_NONE, FILTER_MODULE, FILTER_CATEGORY, FILTER_PATTERN };

static bool passes(const struct command_entry *e, enum filter filter, struct span value)
{
    if (filter == FILTER_NONE) return true;
    if (filter == FILTER_MODULE) return false; /* there are no modules */
    if (filter == FILTER_PATTERN) return glob_match(value, span_str(e->name));
    const struct words categories = command_category_words(e);
    for (size_t i = 0; i < categories.count; i++)
        if (span_is(value, categories.word[i] + 1)) return true;
    return false;
}

void introspection_list(struct call *c)
{
    enum filter filter = FILTER_NONE;
    if (c->argc == 5 && span_is(c->argv[2], "filterby")) {
        if (span_is(c->argv[3], "module")) filter = FILTER_MODULE;
        if (span_is(c->argv[3], "aclcat")) filter = FILTER_CATEGORY;
        if (span_is(c->argv[3], "pattern")) filter = FILTER_PATTERN;
    }
    if (c->argc != 2 && filter == FILTER_NONE) {
        reply_syntax_error(c->reply);
        return;
    }
    const struct command_set *set = commands_of(c);
    const struct span value = filter == FILTER_NONE ? SPAN("") : c->argv[4];
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (size_t i = 0; i < command_count(set); i++) {
        const struct command_entry *e = command_at(set, i);
        if (!e->called) continue;
        if (passes(e, filter, value)) {
            reply_text(c->reply, e->name);
            n++;
        }
        for (size_t j = 0; filter != FILTER_NONE && j < e->sub_count; j++) {
            if (!passes(e->subs[j], filter, value)) continue;
            reply_text(c->reply, e->subs[j]->name);
            n++;
        }
    }
    reply_end_set(c->reply, mark, n);
}

enum { KEYS_ROOM = 1024 };

/* The keys of the command that stands behind COMMAND GETKEYS; false: an error was replied. */
static bool find_keys(struct call *c, struct key_ref *keys, size_t *count)
{
    const struct span *argv = c->argv + 2;
    const size_t argc = c->argc - 2;
    const struct command_entry *e = command_find(commands_of(c), argv[0], argc > 1 ? argv[1] : SPAN(""));
    long n = 0;
    const char *why = NULL;
    if (!e || (e->sub_count && argc > 1 && !e->row->run)) why = "ERR Invalid command specified";
    else if (!command_has_keys(e)) why = "ERR The command has no key arguments";
    else if (!command_arity_fits(e, argc)) why = "ERR Invalid number of arguments specified for command";
    else if ((n = command_keys(e, argv, argc, keys, KEYS_ROOM)) < 0 || n > KEYS_ROOM ||
             (n == 0 && !(e->flags & CMD_NO_MANDATORY_KEYS)))
        why = "ERR Invalid arguments specified for command";
    if (why) reply_error(c->reply, "%s", why);
    *count = why ? 0 : (size_t)n;
    return !why;
}

void introspection_getkeys(struct call *c)
{
    struct key_ref keys[KEYS_ROOM];
    size_t n;
    if (!find_keys(c, keys, &n)) return;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) reply_bulk(c->reply, c->argv[2 + keys[i].index]);
}

void introspection_getkeysandflags(struct call *c)
{
    struct key_ref keys[KEYS_ROOM];
    size_t n;
    if (!find_keys(c, keys, &n)) return;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) {
        const struct words flags = key_flag_words(keys[i].flags);
        reply_array(c->reply, 2);
        reply_bulk(c->reply, c->argv[2 + keys[i].index]);
        reply_words(c->reply, &flags);
    }
}

/* One line of help; @line is used up. */
static void reply_line(struct reply *r, struct buf *line)
{
    buf_add_char(line, '\0');
    reply_simple(r, line->p);
    line->len = 0;
}

void introspection_help(struct call *c)
{
    const struct command_entry *container = c->command->parent;
    struct buf line = {0};
    reply_array(c->reply, 2 * container->sub_count + 1);
    buf_printf(&line, "%s subcommands:", container->row->name);
    reply_line(c->reply, &line);
    for (size_t i = 0; i < container->sub_count; i++) {
        const struct command *row = container->subs[i]->row;
        buf_printf(&line, "%s%s", strchr(row->name, '|') + 1, row->syntax[0] ? " " : "");
        syntax_plain(row->syntax, &line);
        reply_line(c->reply, &line);
        buf_printf(&line, "    %s", row->summary);
        reply_line(c->reply, &line);
    }
    buf_free(&line);
}

/* ---- INFO ---- */

static void reply_begin_search(struct reply *r, const struct key_spec *k)
{
    reply_text(r, "begin_search");
    reply_map(r, 2);
    reply_text(r, "type");
    reply_text(r, !k->begin ? "unknown" : k->keyword ? "keyword" : "index");
    reply_text(r, "spec");
    if (k->begin && k->keyword) {
        reply_map(r, 2);
        reply_text(r, "keyword");
        reply_text(r, k->keyword);
        reply_text(r, "startfrom");
        reply_int(r, k->begin);
    } else if (k->begin) {
        reply_map(r, 1);
        reply_text(r, "index");
        reply_int(r, k->begin);
    } else {
        reply_map(r, 0);
    }
}

static void reply_find_keys(struct reply *r, const struct key_spec *k)
{
    const bool known = k->begin != 0;
    reply_text(r, "find_keys");
    reply_map(r, 2);
    reply_text(r, "type");
    reply_text(r, !known ? "unknown" : k->counted ? "keynum" : "range");
    reply_text(r, "spec");
    reply_map(r, known ? 3 : 0);
    if (!known) return;
    reply_text(r, k->counted ? "keynumidx" : "lastkey");
    reply_int(r, k->counted ? k->count_at : k->last);
    reply_text(r, k->counted ? "firstkey" : "keystep");
    reply_int(r, k->counted ? k->first_key : k->step);
    reply_text(r, k->counted ? "keystep" : "limit");
    reply_int(r, k->counted ? k->step : k->limit);
}

static void reply_key_specs(struct reply *r, const struct command_entry *e)
{
    const size_t n = command_key_specs(e);
    reply_set(r, n);
    for (size_t i = 0; i < n; i++) {
        const struct key_spec *k = &e->row->keys[i];
        const struct words flags = key_flag_words(k->flags);
        reply_map(r, 3);
        reply_text(r, "flags");
        reply_words(r, &flags);
        reply_begin_search(r, k);
        reply_find_keys(r, k);
    }
}

static void reply_hints(struct reply *r, const char *hints)
{
    const size_t mark = reply_begin(r);
    size_t n = 0;
    while (hints && *hints) {
        const size_t len = strcspn(hints, " ");
        if (len) {
            reply_bulk(r, span_of(hints, len));
            n++;
        }
        hints += len + (hints[len] == ' ');
    }
    reply_end_set(r, mark, n);
}

static void reply_info(struct reply *r, const struct command_entry *e)
{
    if (!e) {
        reply_null_array(r);
        return;
    }
    const struct words flags = command_flag_words(e), categories = command_category_words(e);
    const struct key_range range = command_key_range(e);
    reply_array(r, 10);
    reply_text(r, e->name);
    reply_int(r, e->arity);
    reply_words(r, &flags);
    reply_int(r, range.first);
    reply_int(r, range.last);
    reply_int(r, range.step);
    reply_words(r, &categories);
    reply_hints(r, e->row->hints);
    reply_key_specs(r, e);
    reply_set(r, e->sub_count);
    for (size_t i = 0; i < e->sub_count; i++) reply_info(r, e->subs[i]);
}

static void reply_info_of_all(struct call *c)
{
    const struct command_set *set = commands_of(c);
    reply_array(c->reply, callable(set));
    for (size_t i = 0; i < command_count(set); i++)
        if (command_at(set, i)->called) reply_info(c->reply, command_at(set, i));
}

void introspection_command(struct call *c) { reply_info_of_all(c); }

void introspection_info(struct call *c)
{
    if (c->argc == 2) {
        reply_info_of_all(c);
        return;
    }
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_info(c->reply, find_full(commands_of(c), c->argv[i]));
}

/* ---- DOCS ---- */

static void reply_pair(struct reply *r, const char *name, struct span value)
{
    reply_text(r, name);
    reply_bulk(r, value);
}

static void reply_arguments(struct reply *r, const struct syntax *list, int *keys);

/* What an argument has of token, versions and flags; how many pairs that are. */
static size_t reply_argument_options(struct reply *r, const struct syntax *a)
{
    size_t pairs = 0;
    if (a->token.p || a->kind == SYNTAX_LITERAL) {
        reply_pair(r, "token", a->token.p ? a->token : a->text);
        pairs++;
    }
    if (a->since.p) {
        reply_pair(r, "since", a->since);
        pairs++;
    }
    if (a->deprecated.p) {
        reply_pair(r, "deprecated_since", a->deprecated);
        pairs++;
    }
    if (a->optional || a->repeated) {
        reply_text(r, "flags");
        reply_set(r, (size_t)a->optional + a->repeated + (a->repeated && a->token_repeated));
        if (a->optional) reply_simple(r, "optional");
        if (a->repeated) reply_simple(r, "multiple");
        if (a->repeated && a->token_repeated) reply_simple(r, "multiple_token");
        pairs++;
    }
    return pairs;
}

/* Keys take the key specifications in their order, but for those that the syntax gives one. */
static void reply_argument(struct reply *r, const struct syntax *a, int *keys)
{
    struct buf name = {0};
    const struct span type = argument_type(a);
    const size_t mark = reply_begin(r);
    size_t pairs = 2;
    argument_name(a, &name);
    reply_pair(r, "name", buf_span(&name));
    reply_pair(r, "type", type);
    buf_free(&name);
    if (span_is(type, "key") || a->key_spec >= 0) {
        if (a->key_spec >= 0) *keys = a->key_spec;
        reply_text(r, "key_spec_index");
        reply_int(r, (*keys)++);
        pairs++;
    }
    pairs += reply_argument_options(r, a);
    if (a->kind == SYNTAX_ONEOF || a->kind == SYNTAX_BLOCK) {
        reply_text(r, "arguments");
        reply_arguments(r, a->first, keys);
        pairs++;
    }
    reply_end_map(r, mark, pairs);
}

static void reply_arguments(struct reply *r, const struct syntax *list, int *keys)
{
    size_t n = 0;
    for (const struct syntax *a = list; a; a = a->next) n++;
    reply_array(r, n);
    for (const struct syntax *a = list; a; a = a->next) reply_argument(r, a, keys);
}

/* What is to be said of a command's past; how many pairs that are. */
static size_t reply_past(struct reply *r, const struct command_entry *e, const struct syntax *arguments)
{
    const struct command *row = e->row;
    struct span version = {NULL, 0};
    struct buf text = {0};
    size_t pairs = 0, notes = 0;
    if (row->internal || row->deprecated) {
        reply_text(r, "doc_flags");
        reply_set(r, (size_t)row->internal + (row->deprecated != NULL));
        if (row->deprecated) reply_simple(r, "deprecated");
        if (row->internal) reply_simple(r, "syscmd");
        pairs++;
    }
    if (row->deprecated) {
        reply_pair(r, "deprecated_since", span_str(row->deprecated));
        reply_pair(r, "replaced_by", span_str(row->replaced_by));
        pairs += 2;
    }
    while (command_history_next(e, arguments, &version, &text)) notes++;
    if (notes) {
        reply_text(r, "history");
        reply_set(r, notes);
        for (version = (struct span){NULL, 0}; command_history_next(e, arguments, &version, &text);) {
            reply_array(r, 2);
            reply_bulk(r, version);
            reply_bulk(r, buf_span(&text));
        }
        pairs++;
    }
    buf_free(&text);
    return pairs;
}

static void reply_docs(struct reply *r, const struct command_entry *e)
{
    const struct command *row = e->row;
    struct syntax *arguments = e->sub_count ? NULL : syntax_parse(row->syntax);
    reply_text(r, e->name);
    const size_t mark = reply_begin(r);
    size_t pairs = 3;
    reply_pair(r, "summary", span_str(row->summary));
    reply_pair(r, "since", span_str(row->since));
    reply_pair(r, "group", span_str(command_group(e)));
    if (row->complexity) {
        reply_pair(r, "complexity", span_str(row->complexity));
        pairs++;
    }
    pairs += reply_past(r, e, arguments);
    if (arguments) {
        int keys = 0;
        reply_text(r, "arguments");
        reply_arguments(r, arguments, &keys);
        pairs++;
        syntax_free(arguments);
    }
    if (e->sub_count) {
        reply_text(r, "subcommands");
        reply_map(r, e->sub_count);
        for (size_t i = 0; i < e->sub_count; i++) reply_docs(r, e->subs[i]);
        pairs++;
    }
    reply_end_map(r, mark, pairs);
}

void introspection_docs(struct call *c)
{
    const struct command_set *set = commands_of(c);
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (size_t i = 0; c->argc == 2 && i < command_count(set); i++) {
        if (!command_at(set, i)->called) continue;
        reply_docs(c->reply, command_at(set, i));
        n++;
    }
    for (size_t i = 2; i < c->argc; i++) {
        const struct command_entry *e = find_full(set, c->argv[i]);
        if (!e) continue;
        reply_docs(c->reply, e);
        n++;
    }
    reply_end_map(c->reply, mark, n);
}
