/* The commands about the server and the connection: rows in table.c, one file of handlers per family. A handler gets
 * at its client, and from there at the server, by client_of(). */
#pragma once

#include "common/call.h"

/* Add the rows of all commands of this folder. */
void server_add_commands(struct command_set *s);

/* connection.c */
void connection_ping(struct call *c);
void connection_echo(struct call *c);
void connection_quit(struct call *c);
void connection_auth(struct call *c);
void connection_hello(struct call *c);
void connection_reset(struct call *c);

/* transactions.c */
void transaction_command_multi(struct call *c);
void transaction_command_exec(struct call *c);
void transaction_command_discard(struct call *c);
void transaction_command_watch(struct call *c);
void transaction_command_unwatch(struct call *c);

/* client_commands.c */
void client_command_getname(struct call *c);
void client_command_setname(struct call *c);
void client_command_setinfo(struct call *c);
void client_command_id(struct call *c);
void client_command_info(struct call *c);
void client_command_unblock(struct call *c);
void client_command_list(struct call *c);
void client_command_kill(struct call *c);
void client_command_pause(struct call *c);
void client_command_unpause(struct call *c);
void client_command_reply(struct call *c);
void client_command_no_evict(struct call *c);
void client_command_no_touch(struct call *c);

/* tracking_commands.c */
void tracking_command_tracking(struct call *c);
void tracking_command_caching(struct call *c);
void tracking_command_getredir(struct call *c);
void tracking_command_trackinginfo(struct call *c);

/* config_commands.c */
void config_command_get(struct call *c);
void config_command_set(struct call *c);
void config_command_rewrite(struct call *c);
void config_command_resetstat(struct call *c);

/* introspection.c */
void introspection_command(struct call *c);
void introspection_count(struct call *c);
void introspection_info(struct call *c);
void introspection_docs(struct call *c);
void introspection_list(struct call *c);
void introspection_getkeys(struct call *c);
void introspection_getkeysandflags(struct call *c);
void introspection_help(struct call *c); /* HELP of any container, out of its rows */

/* scripts.c */
struct script_job;
void scripts_eval(struct call *c);
void scripts_evalsha(struct call *c);
void scripts_load(struct call *c);
void scripts_exists(struct call *c);
void scripts_flush(struct call *c);
void scripts_kill(struct call *c);
void scripts_debug(struct call *c);
/* "numkeys [key ...] [arg ...]" from argv[2] on: fills in @job. False: @not_a_number (NULL: the usual words) or another error
 * was replied. */
bool scripts_take_arguments(struct call *c, const char *not_a_number, struct script_job *job);

/* functions.c */
void functions_fcall(struct call *c);
void functions_command_load(struct call *c);
void functions_command_delete(struct call *c);
void functions_command_list(struct call *c);
void functions_command_dump(struct call *c);
void functions_command_restore(struct call *c);
void functions_command_flush(struct call *c);
void functions_command_stats(struct call *c);
void functions_command_kill(struct call *c);

/* persistence.c */
void persistence_save(struct call *c);
void persistence_bgsave(struct call *c);
void persistence_bgrewriteaof(struct call *c);
void persistence_lastsave(struct call *c);

/* pubsub_commands.c */
void pubsub_command_subscribe(struct call *c);
void pubsub_command_unsubscribe(struct call *c);
void pubsub_command_psubscribe(struct call *c);
void pubsub_command_punsubscribe(struct call *c);
void pubsub_command_ssubscribe(struct call *c);
void pubsub_command_sunsubscribe(struct call *c);
void pubsub_command_publish(struct call *c);
void pubsub_command_spublish(struct call *c);
void pubsub_command_channels(struct call *c);
void pubsub_command_shardchannels(struct call *c);
void pubsub_command_numsub(struct call *c);
void pubsub_command_shardnumsub(struct call *c);
void pubsub_command_numpat(struct call *c);

/* replication.c */
void replication_role(struct call *c);
void replication_replicaof(struct call *c);
void replication_wait(struct call *c);
void replication_waitaof(struct call *c);

/* insight.c */
void slowlog_command_get(struct call *c);
void slowlog_command_len(struct call *c);
void slowlog_command_reset(struct call *c);
void latency_command_latest(struct call *c);
void latency_command_history(struct call *c);
void latency_command_reset(struct call *c);
void latency_command_graph(struct call *c);
void latency_command_doctor(struct call *c);
void latency_command_histogram(struct call *c);
void monitor_command(struct call *c);

/* acl_commands.c */
void acl_command_cat(struct call *c);
void acl_command_deluser(struct call *c);
void acl_command_dryrun(struct call *c);
void acl_command_genpass(struct call *c);
void acl_command_getuser(struct call *c);
void acl_command_list(struct call *c);
void acl_command_load(struct call *c);
void acl_command_log(struct call *c);
void acl_command_save(struct call *c);
void acl_command_setuser(struct call *c);
void acl_command_users(struct call *c);
void acl_command_whoami(struct call *c);

/* memory_commands.c */
void memory_command_stats(struct call *c);
void memory_command_doctor(struct call *c);
void memory_command_malloc_stats(struct call *c);
void memory_command_purge(struct call *c);

/* lolwut.c */
void lolwut_command(struct call *c);

/* admin.c */
void admin_info(struct call *c);
void admin_time(struct call *c);
void admin_module_list(struct call *c);
void admin_shutdown(struct call *c);

/* debug.c */
void debug_command(struct call *c);
