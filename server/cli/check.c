#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replication/check.h"
#include "replication/dump.h"
#include "server/cli/cli.h"

static const char usage[] =
    "Usage: relevo check PATH [--fix | --dump]\n"
    "\n"
    "Checks a data directory, an appendonlydir, one file of a log, or a snapshot, and says what is wrong with it, "
    "where,\n"
    "and what is whole before and behind that. The server must not be running on it.\n"
    "\n"
    "  --fix    mend what can be mended: cut a log at the first damage, write a manifest anew from the files. What "
    "is\n"
    "           cut off or replaced is kept beside it, under a name that says 'salvage'.\n"
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

static int check(const char *path, bool fix)
{
    bool bar = isatty(STDERR_FILENO) == 1;
    const struct check_options options = {
        .fix = fix, .line = print_line, .progress = print_progress, .context = &bar};
    struct check_result result = {0};
    struct errmsg m = {{0}};
    if (check_path(path, &options, &result, &m)) return cli_fail("%s", m.text);
    return result.problems > result.fixed ? CLI_FAILED : CLI_DONE;
}

int cli_check(int argc, char **argv)
{
    bool fix = false, dumped = false;
    const char *path = NULL;
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--fix") == 0) fix = true;
        else if (strcmp(argv[i], "--dump") == 0) dumped = true;
        else if (argv[i][0] == '-' || path) return cli_misuse(usage);
        else path = argv[i];
    }
    if (!path || (fix && dumped)) return cli_misuse(usage);
    return dumped ? dump(path) : check(path, fix);
}
