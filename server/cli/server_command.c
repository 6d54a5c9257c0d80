#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/cli.h"
#include "server/server.h"

static const char usage[] =
    "Usage: relevo server [FILE] [--restore-until MOMENT] [--SETTING VALUE]...\n"
    "\n"
    "Runs a node with the settings of FILE (redis.conf's syntax) and of the command line, which wins.\n"
    "\n"
    "--restore-until begins with the data of an earlier moment, in a new lineage: a time (2026-11-22T16:30:00Z, or "
    "Unix\n"
    "seconds) or a position in the log (epoch:offset, or @offset), as relevo check --dump shows them. The newer data "
    "is kept\n"
    "in a directory beside it, whose name says 'salvage'. checkpoint-keep says how far back that reaches.\n";

static void show_settings(void)
{
    (void)printf("\nSettings, with their defaults:\n");
    for (unsigned i = 0; i < SET_COUNT; i++) {
        const struct setting_row *row = config_row((enum setting)i);
        (void)printf("  --%-28s %s%s%s%s\n", row->name, row->help, row->initial[0] ? " [" : "", row->initial,
                     row->initial[0] ? "]" : "");
    }
}

/* Take the option and its value out of the arguments. NULL: it is not there; empty: it has no value. */
static const char *take_option(int *argc, char **argv, const char *name)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0) continue;
        const char *value = i + 1 < *argc ? argv[i + 1] : "";
        const int taken = i + 1 < *argc ? 2 : 1;
        *argc -= taken;
        for (; i < *argc; i++) argv[i] = argv[i + taken];
        return value;
    }
    return NULL;
}

int cli_server(int argc, char **argv)
{
    char file[PATH_MAX], program[PATH_MAX];
    if (cli_wants_help(argc, argv, usage)) {
        show_settings();
        return CLI_DONE;
    }
    struct errmsg m = {{0}};
    struct config *config = config_new();
    const char *path = NULL;
    if (argc && strncmp(argv[0], "--", 2) != 0) {
        path = realpath(argv[0], file);
        if (!path) {
            config_free(config);
            return cli_fail("cannot open %s: no such file", argv[0]);
        }
        argc--;
        argv++;
    }
    if (argc && strncmp(argv[0], "--", 2) != 0) {
        config_free(config);
        return cli_misuse(usage);
    }
    const char *restore_until = take_option(&argc, argv, "--restore-until");
    if (restore_until && !restore_until[0]) {
        config_free(config);
        return cli_misuse(usage);
    }
    enum err e = path ? config_load_file(config, path, &m) : ERR_OK;
    if (!e) e = config_load_args(config, argc, argv, &m);
    if (e) {
        config_free(config);
        return cli_fail("%s", m.text);
    }
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    return server_main(config, path, program, restore_until);
}
