/* The program: one binary, its subcommands in server/cli/. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/cli/cli.h"
#include "server/version.h"

static const struct subcommand {
    const char *name, *arguments, *summary;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"server", "[FILE] [--SETTING VALUE]...", "run a node, or restore an earlier state", cli_server},
    {"promote", "HOST:PORT [--force]", "make a replica the primary", cli_promote},
    {"status", "HOST:PORT...", "show nodes side by side", cli_status},
    {"check", "PATH [--fix | --dump]", "check a log, a snapshot or a whole directory", cli_check},
    {"keygen", "[FILE]", "make a key for a cluster's nodes to share", cli_keygen},
};

static void show_help(FILE *to)
{
    (void)fprintf(
        to, "Relevo %s: a Redis-compatible data store whose primary can be lost without losing data\n\nUsage:\n",
        RELEVO_VERSION);
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        (void)fprintf(to, "  relevo %-8s %-28s %s\n", subcommands[i].name, subcommands[i].arguments,
                      subcommands[i].summary);
    (void)fprintf(
        to,
        "  relevo --version\n\n'relevo COMMAND --help' tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        show_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        show_help(stdout);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
        (void)printf("relevo %s (compatible with Redis %s)\n", RELEVO_VERSION, REDIS_VERSION);
        return CLI_DONE;
    }
    if (sodium_init() < 0) {
        (void)fprintf(stderr, "relevo: the cryptographic library cannot start\n");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            for (int j = 2; j < argc; j++)
                if (strcmp(argv[j], "--version") == 0)
                    return main(2, (char *[]){argv[0], (char[]){"--version"}, NULL});
            return subcommands[i].run(argc - 2, argv + 2);
        }
    (void)fprintf(stderr, "relevo: unknown command '%s' (see relevo --help)\n", argv[1]);
    return CLI_USAGE;
}
