#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replication/check.h"
#include "server/cli/cli.h"

static const char usage[] = "Usage: relevo check PATH [--fix]\n"
                            "\n"
                            "Checks a data directory, an appendonlydir, one file of a log, or a snapshot, and says "
                            "what is wrong with it. With\n"
                            "--fix, what is behind the first damage of a log is cut off; a copy of it is kept beside "
                            "the file. The server must\n"
                            "not be running. Exit code 1 if there is damage that was not repaired.\n";

static void print_line(void *context, const char *text)
{
    (void)context;
    (void)printf("%s\n", text);
}

static void print_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)context;
    if (!isatty(STDERR_FILENO) || total_bytes == 0) return;
    (void)fprintf(stderr, "\r%3d %%\r", (int)(done_bytes * 100 / total_bytes));
}

int cli_check(int argc, char **argv)
{
    struct check_options options = {.line = print_line, .progress = print_progress};
    struct check_result result = {0};
    struct errmsg m = {{0}};
    const char *path = NULL;
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--fix") == 0) options.fix = true;
        else if (argv[i][0] == '-' || path) return cli_misuse(usage);
        else path = argv[i];
    }
    if (!path) return cli_misuse(usage);
    if (check_path(path, &options, &result, &m)) return cli_fail("%s", m.text);
    return result.problems > result.fixed ? CLI_FAILED : CLI_DONE;
}
