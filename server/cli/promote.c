/* Happy path: ask the node what it is -> REPLICAOF NO ONE -> it says that it is primary.
 * Without --force it is refused where data would be lost that can be seen to exist: the node has never had the whole data
 * set, is in the middle of loading one, or its primary is alive and further. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "server/cli/cli.h"
#include "server/cli/connection.h"

static const char usage[] =
    "Usage: relevo promote HOST:PORT [--force]\n"
    "\n"
    "Makes the replica at HOST:PORT the primary, in a new epoch. Other replicas of the old primary follow it by\n"
    "themselves, and so does the old primary when it comes back. Without --force it is refused if the replica has "
    "not got\n"
    "a whole data set yet, or if its primary is alive and has written what the replica does not have.\n"
    "A password is taken from the environment variable REDISCLI_AUTH.\n";

static uint64_t number(struct span info, const char *field)
{
    uint64_t v;
    return num_parse_u64(info_field(info, field), &v) ? v : 0;
}

/* Why the node should not be promoted, perhaps in @text; NULL: it may. */
enum { OBJECTION = 160 };
static const char *objection(struct span info, char text[OBJECTION])
{
    const uint64_t own = number(info, "master_repl_offset"), primary = number(info, "relevo_primary_offset");
    if (span_eq(info_field(info, "loading"), SPAN("1"))) return "it is loading its data set";
    if (span_eq(info_field(info, "master_sync_in_progress"), SPAN("1")))
        return "it is just receiving the data set of its primary";
    if (number(info, "relevo_epoch") == 0) return "it has no data set of any primary yet";
    if (span_eq(info_field(info, "master_link_status"), SPAN("up")) && primary > own) {
        (void)snprintf(text, OBJECTION, "its primary is alive and %" PRIu64 " bytes of the log ahead", primary - own);
        return text;
    }
    return NULL;
}

static int promote(const char *address, struct connection *c, bool force)
{
    struct errmsg m = {{0}};
    struct span info;
    if (connection_ask(c, (const char *[]){"INFO", "everything"}, 2, &info, &m))
        return cli_fail("%s: %s", address, m.text);
    if (info_field(info, "relevo_version").n == 0) return cli_fail("%s is not a Relevo node", address);
    if (span_eq(info_field(info, "role"), SPAN("master"))) {
        (void)printf("%s is the primary already, in epoch %" PRIu64 "\n", address, number(info, "relevo_epoch"));
        return CLI_DONE;
    }
    char text[OBJECTION];
    const char *why = objection(info, text);
    if (why && !force) return cli_fail("%s was not promoted: %s (--force does it all the same)", address, why);
    struct span reply;
    if (connection_ask(c, (const char *[]){"REPLICAOF", "NO", "ONE"}, 3, &reply, &m))
        return cli_fail("%s was not promoted: %s", address, m.text);
    if (connection_ask(c, (const char *[]){"INFO", "replication"}, 2, &info, &m))
        return cli_fail("%s: %s", address, m.text);
    if (!span_eq(info_field(info, "role"), SPAN("master")))
        return cli_fail("%s is not primary; see its log", address);
    (void)printf("%s is the primary now, in epoch %" PRIu64 " from offset %" PRIu64 "\n", address,
                 number(info, "relevo_epoch"), number(info, "relevo_epoch_start"));
    return CLI_DONE;
}

int cli_promote(int argc, char **argv)
{
    const char *address = NULL;
    bool force = false;
    struct connection c;
    struct errmsg m = {{0}};
    if (cli_wants_help(argc, argv, usage)) return CLI_DONE;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--force") == 0) force = true;
        else if (argv[i][0] == '-' || address) return cli_misuse(usage);
        else address = argv[i];
    }
    if (!address) return cli_misuse(usage);
    if (!connection_address_ok(address)) return CLI_USAGE;
    if (connection_open(address, &c, &m)) return cli_fail("%s", m.text);
    const int code = promote(address, &c, force);
    connection_close(&c);
    return code;
}
