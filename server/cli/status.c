#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "server/cli/cli.h"
#include "server/cli/connection.h"

static const char usage[] =
    "Usage: relevo status HOST:PORT...\n"
    "\n"
    "Shows nodes side by side: role, position in the log, lag behind the primary, links. Exit code 1 if\n"
    "one of them does not answer. A password is taken from the environment variable REDISCLI_AUTH.\n";

enum { NODES_MAX = 64, COLUMNS = 9, CELL = 48 };

static const char *const titles[COLUMNS] = {"NODE",  "ROLE", "EPOCH",    "OFFSET", "LAG",
                                            "STATE", "KEYS", "REPLICAS", "MEMORY"};

struct row {
    char cell[COLUMNS][CELL];
    bool failed;
    uint64_t offset;
    bool primary;
};

static void set_cell(struct row *r, int column, struct span text)
{
    (void)snprintf(r->cell[column], CELL, "%.*s", (int)(text.n < CELL ? text.n : CELL - 1), text.n ? text.p : "");
}

static uint64_t count_keys(struct span info)
{
    uint64_t sum = 0;
    struct cursor at = cursor_of(info);
    struct span line;
    while (cursor_left(&at) && take_line(&at, &line)) {
        const char *keys = line.n > 2 && memcmp(line.p, "db", 2) == 0 ? memmem(line.p, line.n, ":keys=", 6) : NULL;
        if (!keys) continue;
        const char *end = memchr(keys, ',', line.n - (size_t)(keys - line.p));
        uint64_t n;
        if (end && num_parse_u64(span_of(keys + 6, (size_t)(end - keys - 6)), &n)) sum += n;
    }
    return sum;
}

static void read_node(const char *address, struct row *r)
{
    struct connection c;
    struct errmsg m = {{0}};
    struct span info;
    set_cell(r, 0, span_str(address));
    enum err e = connection_open(address, &c, &m);
    if (!e) {
        e = connection_ask(&c, (const char *[]){"INFO"}, 1, &info, &m);
        if (!e) {
            const struct span role = info_field(info, "role"), offset = info_field(info, "master_repl_offset");
            r->primary = span_eq(role, SPAN("master"));
            set_cell(r, 1, r->primary ? SPAN("primary") : SPAN("replica"));
            set_cell(r, 2, info_field(info, "relevo_epoch"));
            set_cell(r, 3, offset);
            if (!num_parse_u64(offset, &r->offset)) r->offset = 0;
            set_cell(r, 5, r->primary ? info_field(info, "relevo_state") : info_field(info, "master_link_status"));
            char keys[NUM_I64_MAX_TEXT];
            set_cell(r, 6, span_of(keys, num_format_u64(keys, count_keys(info))));
            set_cell(r, 7, info_field(info, "connected_slaves"));
            set_cell(r, 8, info_field(info, "used_memory_human"));
        }
        connection_close(&c);
    }
    if (e) {
        r->failed = true;
        set_cell(r, 1, SPAN("-"));
        set_cell(r, 5, span_str(m.text));
    }
}

/* Lag behind the primary that is furthest, among those shown. */
static void fill_lags(struct row *rows, int n)
{
    uint64_t end = 0;
    for (int i = 0; i < n; i++)
        if (rows[i].primary && rows[i].offset > end) end = rows[i].offset;
    for (int i = 0; i < n; i++) {
        if (rows[i].failed || rows[i].primary || end < rows[i].offset) continue;
        char text[NUM_I64_MAX_TEXT];
        set_cell(&rows[i], 4, span_of(text, num_format_u64(text, end - rows[i].offset)));
    }
}

static void print_rows(const struct row *rows, int n)
{
    int width[COLUMNS];
    for (int j = 0; j < COLUMNS; j++) {
        width[j] = (int)strlen(titles[j]);
        for (int i = 0; i < n; i++)
            if ((int)strlen(rows[i].cell[j]) > width[j]) width[j] = (int)strlen(rows[i].cell[j]);
    }
    for (int i = -1; i < n; i++) {
        for (int j = 0; j < COLUMNS; j++) {
            const char *text = i < 0 ? titles[j] : rows[i].cell[j][0] ? rows[i].cell[j] : "-";
            (void)printf("%-*s%s", j + 1 < COLUMNS ? width[j] : 0, text, j + 1 < COLUMNS ? "  " : "\n");
        }
    }
}

int cli_status(int argc, char **argv)
{
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    if (argc == 0 || argc > NODES_MAX || argv[0][0] == '-') return cli_misuse(usage);
    struct row rows[NODES_MAX];
    memset(rows, 0, sizeof rows);
    for (int i = 0; i < argc; i++)
        if (!connection_address_ok(argv[i])) return CLI_USAGE;
    int code = CLI_DONE;
    for (int i = 0; i < argc; i++) {
        read_node(argv[i], &rows[i]);
        if (rows[i].failed) code = CLI_FAILED;
    }
    fill_lags(rows, argc);
    print_rows(rows, argc);
    return code;
}
