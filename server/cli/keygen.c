#include <sodium.h>
#include <stdio.h>

#include "replication/seal_keys.h"
#include "server/cli/cli.h"

static const char usage[] =
    "Usage: relevo keygen [FILE]\n"
    "\n"
    "Makes a key for the nodes of a cluster to share (setting cluster-secret-file), and writes it to FILE, which "
    "must not\n"
    "exist yet and is made readable for its owner only; without FILE, to standard output. To replace a key, add the "
    "new\n"
    "line as the last one in the file of every node, then move it to the front everywhere, then remove the old one;\n"
    "restart the nodes one by one after each step.\n";

int cli_keygen(int argc, char **argv)
{
    struct errmsg m = {{0}};
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    if (argc > 1 || (argc == 1 && argv[0][0] == '-')) return cli_misuse(usage);
    if (argc == 1) return seal_keygen(argv[0], &m) ? cli_fail("%s", m.text) : CLI_DONE;
    char line[SEAL_KEY_LINE];
    seal_keygen_line(line);
    const int failed = fputs(line, stdout) == EOF || fflush(stdout) != 0;
    sodium_memzero(line, sizeof line);
    return failed ? cli_fail("cannot write the key") : CLI_DONE;
}
