#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/num.h"
#include "replication/check.h"
#include "replication/dump.h"
#include "server/cli/cli.h"
#include "server/cli/connection.h"

static const char usage[] =
    "Usage: relevo check PATH [--fix [--from HOST:PORT [--cluster-secret-file FILE]] | --dump]\n"
    "\n"
    "Checks a data directory, an appendonlydir, one file of a log, or a snapshot, and says what is wrong with it, "
    "where,\n"
    "and what is whole before and behind that. The server must not be running on it.\n"
    "\n"
    "  --fix    mend what can be mended: cut a log at the first damage, write a manifest anew from the files, go "
    "back to\n"
    "           an older base that is kept. What is cut off or replaced is kept beside it, under a name with "
    "'salvage'.\n"
    "  --from   with --fix: get the damaged part of a log, or the base, from a node that has this data, instead of "
    "cutting\n"
    "           there. Nodes that share a secret want it here as well, by the file that the server's setting\n"
    "           cluster-secret-file names.\n"
    "  --dump   print the content as commands, with lines that begin with '#' for positions and times.\n"
    "\n"
    "Exit code 1 if there is damage that was not mended.\n";

static void print_line(void *context, const char *text)
{
    /* Over the bar, which is drawn anew behind. */
    if (*(bool *)context) (void)fprintf(stderr, "\r%78s\r", "");
    (void)fflush(stderr);
    (void)printf("%s\n", text);
}

static void print_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################",
                      none[] = "........................................";
    if (!*(bool *)context || total_bytes == 0) return;
    const int n = (int)(done_bytes * WIDTH / total_bytes);
    (void)fprintf(stderr, "\r[%.*s%.*s] %3d %% of %" PRIu64 " MB", n, full, WIDTH - n, none,
                  (int)(done_bytes * 100 / total_bytes), total_bytes >> 20);
    if (done_bytes == total_bytes) (void)fprintf(stderr, "\r%78s\r", "");
}

static bool print_text(void *context, struct span text)
{
    (void)context;
    return fwrite(text.p, 1, text.n, stdout) == text.n;
}

static int dump(const char *path)
{
    const struct dump_options options = {.write = print_text};
    struct errmsg m = {{0}};
    const enum err e = dump_path(path, &options, &m);
    if (e || fflush(stdout) != 0) return cli_fail("%s", e ? m.text : "the output cannot be written");
    return CLI_DONE;
}

struct check_request {
    const char *path, *from, *secret;
    bool fix, dump;
};

static int check(const struct check_request *r, const struct fetch_from *from)
{
    bool bar = isatty(STDERR_FILENO) == 1;
    const struct check_options options = {
        .fix = r->fix, .from = from, .line = print_line, .progress = print_progress, .context = &bar};
    struct check_result result = {0};
    struct errmsg m = {{0}};
    if (check_path(r->path, &options, &result, &m)) return cli_fail("%s", m.text);
    return result.problems > result.fixed ? CLI_FAILED : CLI_DONE;
}

/* With a node to ask. */
static int check_from(const struct check_request *r)
{
    enum { PATIENCE_MS = 10000 };
    char host[256], port[8];
    uint64_t number;
    struct seal_keys *keys = NULL;
    struct errmsg m = {{0}};
    if (!connection_split_address(r->from, host, port) || !num_parse_u64(span_str(port), &number) ||
        number > UINT16_MAX)
        return cli_fail("'%s' is not HOST:PORT", r->from);
    if (!r->secret) keys = seal_keys_none();
    else if (seal_keys_load(r->secret, &keys, &m)) return cli_fail("%s", m.text);
    const struct fetch_options node = {
        .name = r->from, .host = host, .port = (uint16_t)number, .keys = keys, .timeout_ms = PATIENCE_MS};
    const struct fetch_from from = fetch_from_node(&node);
    const int code = check(r, &from);
    seal_keys_free(keys);
    return code;
}

/* Read the arguments; false: they are wrong. */
static bool read_arguments(struct check_request *r, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--fix") == 0) r->fix = true;
        else if (strcmp(argv[i], "--dump") == 0) r->dump = true;
        else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) r->from = argv[++i];
        else if (strcmp(argv[i], "--cluster-secret-file") == 0 && i + 1 < argc) r->secret = argv[++i];
        else if (argv[i][0] == '-' || r->path) return false;
        else r->path = argv[i];
    }
    return r->path && !(r->dump && r->fix) && !(r->from && !r->fix) && !(r->secret && !r->from);
}

int cli_check(int argc, char **argv)
{
    struct check_request r = {.fix = false};
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    if (!read_arguments(&r, argc, argv)) return cli_misuse(usage);
    if (r.dump) return dump(r.path);
    return r.from ? check_from(&r) : check(&r, NULL);
}
