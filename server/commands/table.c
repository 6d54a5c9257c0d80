#include "server/commands/commands.h"

// clang-format off
#define HELP(name, since, categories) \
    COMMAND(name, "", "Describe the subcommands.", since, "O(1)", CMD_LOADING | CMD_STALE, categories, NO_KEYS, introspection_help)

static const struct command client_subcommands[] = {
    COMMAND("CLIENT|GETNAME", "", "Get the name of this connection.", "2.6.9", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_CONNECTION, NO_KEYS, client_command_getname),
    HELP("CLIENT|HELP", "5.0.0", ACL_CONNECTION),
    COMMAND("CLIENT|ID", "", "Get the id of this connection.", "5.0.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_CONNECTION, NO_KEYS, client_command_id),
    COMMAND_HINTED("CLIENT|INFO", "", "Describe this connection.", "6.2.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_CONNECTION, NO_KEYS, client_command_info, "nondeterministic_output"),
    COMMAND("CLIENT|KILL", "filter={ip:port@-2.8.12|new-format={[ID client-id]@2.8.12|[TYPE normal_master_slave_pubsub={NORMAL|MASTER@3.2.0|SLAVE|REPLICA@5.0.0|PUBSUB}]@2.8.12|[USER username]|[ADDR ip:port]|[LADDR ip:port]@6.2.0|[SKIPME yes/no]}+}", "Close connections.", "2.4.0", "O(N) in the number of connections",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS | ACL_CONNECTION, NO_KEYS, client_command_kill, .history = "2.8.12 Takes filters.\n5.0.0 `SLAVE` stays as the older word."),
    COMMAND_HINTED("CLIENT|LIST", "[TYPE normal_master_replica_pubsub={NORMAL|MASTER|REPLICA|PUBSUB}]@5.0.0 id=[ID client-id+]@6.2.0", "Describe the connections.", "2.4.0", "O(N) in the number of connections",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS | ACL_CONNECTION, NO_KEYS, client_command_list, "nondeterministic_output", .history = "2.8.12 Shows `id`.\n6.0.0 Shows `user`.\n6.2.0 Shows `laddr`, `redir` and memory.\n7.0.0 Shows `resp` and more about memory.\n7.0.3 Shows `ssub`."),
    COMMAND("CLIENT|SETINFO", "LIB-NAME libname|LIB-VER libver", "Name the client's library, or its version.", "7.2.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_CONNECTION, NO_KEYS, client_command_setinfo),
    COMMAND("CLIENT|SETNAME", "connection-name", "Name this connection.", "2.6.9", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_CONNECTION, NO_KEYS, client_command_setname),
    COMMANDS_END,
};

static const struct command config_subcommands[] = {
    COMMAND("CONFIG|GET", "parameter={parameter}+", "Get settings by name or pattern.", "2.0.0", "O(N) in the number of settings",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, config_command_get, .history = "7.0.0 Takes several names or patterns."),
    HELP("CONFIG|HELP", "5.0.0", 0),
    COMMAND("CONFIG|RESETSTAT", "", "Set the statistics of INFO to zero.", "2.0.0", "O(1)",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, config_command_resetstat),
    COMMAND("CONFIG|REWRITE", "", "Write the settings into the configuration file.", "2.8.0", "O(N) in the size of the file",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, config_command_rewrite),
    COMMAND_HINTED("CONFIG|SET", "{parameter value}+", "Change settings, all or none.", "2.0.0", "O(N) in the number of settings",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, config_command_set,
            "request_policy:all_nodes response_policy:all_succeeded", .history = "7.0.0 Takes several settings."),
    COMMANDS_END,
};

static const struct command command_subcommands[] = {
    COMMAND("COMMAND|COUNT", "", "Count the commands.", "2.8.13", "O(1)",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_count),
    COMMAND("COMMAND|GETKEYS", "command arg+", "Find the keys in a command.", "2.8.13", "O(N) in the number of arguments",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_getkeys),
    COMMAND("COMMAND|GETKEYSANDFLAGS", "command arg+", "Find the keys in a command, and what it does with them.", "7.0.0", "O(N) in the number of arguments",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_getkeysandflags),
    COMMAND_HINTED("COMMAND|DOCS", "[command-name+]", "Describe commands for people.", "7.0.0", "O(N) in the number of commands",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_docs, "nondeterministic_output_order"),
    HELP("COMMAND|HELP", "5.0.0", ACL_CONNECTION | GROUP_SERVER),
    COMMAND_HINTED("COMMAND|INFO", "[command-name+]", "Describe commands for programs.", "2.8.13", "O(N) in the number of commands",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_info, "nondeterministic_output_order", .history = "7.0.0 Without names it describes all."),
    COMMAND_HINTED("COMMAND|LIST", "[FILTERBY {MODULE module-name|ACLCAT category|PATTERN pattern}]", "Name the commands.", "7.0.0", "O(N) in the number of commands",
            CMD_LOADING | CMD_STALE, ACL_CONNECTION | GROUP_SERVER, NO_KEYS, introspection_list, "nondeterministic_output_order"),
    COMMANDS_END,
};

static const struct command rows[] = {
    /* Connection */
    COMMAND("AUTH", "[username]@6.0.0 password", "Authenticate this connection.", "1.0.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY, ACL_CONNECTION, NO_KEYS, connection_auth),
    COMMAND("ECHO", "message", "Get the message back.", "1.0.0", "O(1)",
            CMD_LOADING | CMD_STALE | CMD_FAST, ACL_CONNECTION, NO_KEYS, connection_echo),
    COMMAND("HELLO", "arguments=[protover(integer) [AUTH username password] [SETNAME clientname]]", "Agree on the protocol's version.", "6.0.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY, ACL_CONNECTION, NO_KEYS, connection_hello, .history = "6.2.0 Without a version it only describes the connection."),
    COMMAND_HINTED("PING", "[message]", "Ask whether the server answers.", "1.0.0", "O(1)",
            CMD_FAST, ACL_CONNECTION, NO_KEYS, connection_ping, "request_policy:all_shards response_policy:all_succeeded"),
    COMMAND("RESET", "", "Make this connection as new.", "6.2.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY | CMD_IN_MULTI, ACL_CONNECTION, NO_KEYS, connection_reset),
    COMMAND("QUIT", "[arg+]", "Close this connection.", "1.0.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY | CMD_IN_MULTI, ACL_CONNECTION, NO_KEYS, connection_quit),
    COMMAND_CONTAINER("CLIENT", "About the connections.", "2.4.0", GROUP_CONNECTION, client_subcommands),
    /* Transactions */
    COMMAND("MULTI", "", "Begin a transaction: what follows is queued.", "1.2.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI, ACL_TRANSACTION, NO_KEYS, transaction_command_multi),
    COMMAND("EXEC", "", "Execute what was queued, in one go.", "1.2.0", "Depends on the commands.",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG | CMD_IN_MULTI, ACL_TRANSACTION, NO_KEYS, transaction_command_exec),
    COMMAND("DISCARD", "", "Forget what was queued.", "2.0.0", "O(N) in the number of queued commands",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI, ACL_TRANSACTION, NO_KEYS, transaction_command_discard),
    COMMAND("WATCH", "key+", "Let the next transaction do nothing if one of the keys changes before.", "2.2.0", "O(1) per key",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI, ACL_TRANSACTION, KEYS_RANGE(KEY_RO, 1, -1, 1), transaction_command_watch),
    COMMAND("UNWATCH", "", "Watch no key any more.", "2.2.0", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY, ACL_TRANSACTION, NO_KEYS, transaction_command_unwatch),
    /* Server */
    {.name = "COMMAND", .syntax = "[subcommand [argument+]]", .summary = "Describe all commands for programs.",
     .since = "2.8.13", .complexity = "O(N) in the number of commands", .flags = CMD_LOADING | CMD_STALE,
     .categories = ACL_CONNECTION | GROUP_SERVER, .run = introspection_command, .subcommands = command_subcommands,
     .hints = "nondeterministic_output_order"},
    COMMAND_CONTAINER("CONFIG", "About the settings.", "2.0.0", 0, config_subcommands),
    COMMAND("DEBUG", "subcommand [argument+]", "Tools for tests.", "1.0.0", "Depends on the subcommand.",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, admin_debug, .internal = true),
    COMMAND_HINTED("INFO", "[section+]", "Tell the state of the server.", "1.0.0", "O(1)",
            CMD_LOADING | CMD_STALE, ACL_DANGEROUS, NO_KEYS, admin_info, "nondeterministic_output request_policy:all_shards response_policy:special", .history = "7.0.0 Takes several sections."),
    COMMAND("SHUTDOWN", "nosave_save=[NOSAVE|SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0", "Stop the server.", "1.0.0", "O(N) with SAVE, N being the number of keys",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI | CMD_ALLOW_BUSY, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, admin_shutdown),
    COMMAND("BGREWRITEAOF", "", "Make a new base of the log.", "1.0.0", "O(1)",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, persistence_bgrewriteaof),
    COMMAND("BGSAVE", "[SCHEDULE]@3.2.2", "Write the data set to a file, in the background.", "1.0.0", "O(1)",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, persistence_bgsave),
    COMMAND_HINTED("LASTSAVE", "", "Tell when the data set was last written to a file.", "1.0.0", "O(1)",
            CMD_LOADING | CMD_STALE | CMD_FAST, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, persistence_lastsave, "nondeterministic_output"),
    COMMAND("SAVE", "", "Write the data set to a file, and wait for it.", "1.0.0", "O(N) in the number of keys",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, persistence_save),
    COMMAND("REPLICAOF", "args={host-port={host port(integer)}|no-one={NO ONE}}", "Follow a primary, or (NO ONE) become one.", "5.0.0", "O(1)",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, replication_replicaof),
    COMMAND("SLAVEOF", "args={host-port={host port(integer)}|no-one={NO ONE}}", "REPLICAOF by its older name.", "1.0.0", "O(1)",
            CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, replication_replicaof, .deprecated = "5.0.0", .replaced_by = "`REPLICAOF`"),
    COMMAND("ROLE", "", "Tell the role of this node, and who follows it or whom it follows.", "2.8.12", "O(1)",
            CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST, ACL_ADMIN | ACL_DANGEROUS, NO_KEYS, replication_role),
    COMMAND_HINTED("WAIT", "numreplicas timeout(integer)", "Wait until replicas have what this connection wrote.", "3.0.0", "O(1)",
            CMD_NOSCRIPT, ACL_CONNECTION | GROUP_GENERIC, NO_KEYS, replication_wait, "request_policy:all_shards response_policy:agg_min"),
    COMMAND_HINTED("TIME", "", "Tell the server's time.", "2.6.0", "O(1)",
            CMD_LOADING | CMD_STALE | CMD_FAST, 0, NO_KEYS, admin_time, "nondeterministic_output"),
    COMMANDS_END,
};
// clang-format on

void server_add_commands(struct command_set *s) { command_set_add(s, rows, 0); }
