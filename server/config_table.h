/* The table of settings. One row each:
 *
 *     X(ID, "name", "older name" or NULL, KIND, "initial value", min, max, flags, "words|of|a|choice", rule, "help") */
#pragma once

#define KB 1024
#define MB (1024 * 1024)
#define GB (INT64_C(1024) * 1024 * 1024)

// clang-format off
#define SETTINGS(X) \
    /* Network */ \
    X(PORT, "port", NULL, NUMBER, "6379", 0, 65535, SETTING_FIXED, NULL, NULL, "Port that clients and nodes connect to; 0: none.") \
    X(BIND, "bind", NULL, TEXT, "127.0.0.1 -::1", 0, 0, SETTING_FIXED, NULL, setting_rule_bind, "Addresses to listen on; one that begins with '-' may be missing.") \
    X(TCP_BACKLOG, "tcp-backlog", NULL, NUMBER, "511", 1, INT32_MAX, SETTING_FIXED, NULL, NULL, "Connections that wait to be accepted.") \
    X(PROTECTED_MODE, "protected-mode", NULL, SWITCH, "yes", 0, 1, 0, NULL, NULL, "Without a password, serve clients on this machine only.") \
    X(TIMEOUT, "timeout", NULL, NUMBER, "0", 0, INT32_MAX, 0, NULL, NULL, "Seconds after which an idle client is closed; 0: never.") \
    X(TCP_KEEPALIVE, "tcp-keepalive", NULL, NUMBER, "300", 0, INT32_MAX, 0, NULL, NULL, "Seconds between probes of silent connections; 0: none.") \
    X(MAXCLIENTS, "maxclients", NULL, NUMBER, "10000", 1, 10000000, 0, NULL, NULL, "Most clients at a time.") \
    X(QUERY_BUFFER_LIMIT, "client-query-buffer-limit", NULL, BYTES, "1gb", 1 * MB, INT64_MAX, 0, NULL, NULL, "Most bytes that a client may send ahead.") \
    X(TRACKING_MAX_KEYS, "tracking-table-max-keys", NULL, NUMBER, "1000000", 0, INT64_MAX, 0, NULL, NULL, "Most keys that are remembered for clients that track; 0: no limit.") \
    X(MAXMEMORY_CLIENTS, "maxmemory-clients", NULL, TEXT, "0", 0, 0, 0, NULL, setting_rule_client_memory, "Most bytes of all clients together, or percent of maxmemory; 0: no limit.") \
    X(OUTPUT_LIMITS, "client-output-buffer-limit", NULL, TEXT, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", 0, 0, SETTING_CUMULATIVE, NULL, setting_rule_output_limits, "Replies that may wait for a slow client: class, hard limit, soft limit, seconds above the soft one.") \
    X(MAX_BULK, "proto-max-bulk-len", NULL, BYTES, "512mb", 1 * MB, INT64_MAX / 4, 0, NULL, NULL, "Longest string.") \
    /* TLS for clients */ \
    X(TLS_PORT, "tls-port", NULL, NUMBER, "0", 0, 65535, SETTING_FIXED, NULL, NULL, "Port that clients connect to by TLS; 0: none.") \
    X(TLS_CERT_FILE, "tls-cert-file", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "The server's certificate and those between it and the authority, PEM.") \
    X(TLS_KEY_FILE, "tls-key-file", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "The key of the certificate, PEM.") \
    X(TLS_KEY_FILE_PASS, "tls-key-file-pass", NULL, TEXT, "", 0, 0, SETTING_SECRET, NULL, NULL, "The passphrase of the key.") \
    X(TLS_CA_CERT_FILE, "tls-ca-cert-file", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "Certificates of the authorities that clients' certificates must come from, PEM.") \
    X(TLS_CA_CERT_DIR, "tls-ca-cert-dir", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "A directory of such certificates, named by hash.") \
    X(TLS_AUTH_CLIENTS, "tls-auth-clients", NULL, CHOICE, "yes", 0, 0, 0, "no|yes|optional", NULL, "Must clients by TLS show a certificate?") \
    X(TLS_PROTOCOLS, "tls-protocols", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "Versions of TLS that are spoken; empty: TLSv1.2 TLSv1.3.") \
    X(TLS_CIPHERS, "tls-ciphers", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "Ciphers up to TLS 1.2, as OpenSSL lists them.") \
    X(TLS_CIPHERSUITES, "tls-ciphersuites", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "Cipher suites of TLS 1.3, as OpenSSL lists them.") \
    X(TLS_PREFER_SERVER_CIPHERS, "tls-prefer-server-ciphers", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "Choose by the server's order of ciphers.") \
    X(TLS_SESSION_CACHING, "tls-session-caching", NULL, SWITCH, "yes", 0, 1, 0, NULL, NULL, "Let clients resume sessions.") \
    X(TLS_SESSION_CACHE_SIZE, "tls-session-cache-size", NULL, NUMBER, "20480", 0, INT32_MAX, 0, NULL, NULL, "Sessions that are kept.") \
    X(TLS_SESSION_CACHE_TIMEOUT, "tls-session-cache-timeout", NULL, NUMBER, "300", 0, INT32_MAX, 0, NULL, NULL, "Seconds that a session may be resumed for.") \
    X(TLS_DH_PARAMS_FILE, "tls-dh-params-file", NULL, TEXT, "", 0, 0, 0, NULL, NULL, "Parameters of Diffie-Hellman up to TLS 1.2, PEM; empty: chosen by the key.") \
    X(TLS_REPLICATION, "tls-replication", NULL, SWITCH, "no", 0, 0, 0, NULL, NULL, "Links between nodes are sealed by their own secret (cluster-secret-file); always no.") \
    X(TLS_CLUSTER, "tls-cluster", NULL, SWITCH, "no", 0, 0, 0, NULL, NULL, "Always no, as tls-replication.") \
    /* Who may come in */ \
    X(REQUIREPASS, "requirepass", NULL, TEXT, "", 0, 0, SETTING_SECRET, NULL, NULL, "Password that clients must give.") \
    X(ACLFILE, "aclfile", NULL, TEXT, "", 0, 0, SETTING_FIXED, NULL, NULL, "File with users, for ACL LOAD and ACL SAVE; empty: they stand in the configuration.") \
    X(ACLLOG_MAX_LEN, "acllog-max-len", NULL, NUMBER, "128", 0, INT64_MAX, 0, NULL, NULL, "Denials that ACL LOG keeps.") \
    X(ACL_PUBSUB_DEFAULT, "acl-pubsub-default", NULL, CHOICE, "resetchannels", 0, 0, 0, "allchannels|resetchannels", NULL, "Channels that new users may hear.") \
    X(MASTERAUTH, "masterauth", NULL, TEXT, "", 0, 0, SETTING_SECRET, NULL, NULL, "Password of the primary that is followed.") \
    X(CLUSTER_SECRET_FILE, "cluster-secret-file", NULL, TEXT, "", 0, 0, SETTING_FIXED, NULL, NULL, "File with the key that the nodes share (see relevo keygen).") \
    X(ENABLE_DEBUG_COMMAND, "enable-debug-command", NULL, CHOICE, "local", 0, 0, SETTING_FIXED, "no|yes|local", NULL, "Who may use DEBUG.") \
    /* The process */ \
    X(LOGLEVEL, "loglevel", NULL, CHOICE, "notice", 0, 0, 0, "debug|verbose|notice|warning", NULL, "Least weight of a line to be logged.") \
    X(LOGFILE, "logfile", NULL, TEXT, "", 0, 0, SETTING_FIXED, NULL, NULL, "File for log lines; empty: standard output.") \
    X(PIDFILE, "pidfile", NULL, TEXT, "", 0, 0, SETTING_FIXED, NULL, NULL, "File for the process id.") \
    X(SLOWLOG_SLOWER_THAN, "slowlog-log-slower-than", NULL, NUMBER, "10000", -1, INT64_MAX, 0, NULL, NULL, "Microseconds from which on a command is put into the slow log; -1: none is.") \
    X(SLOWLOG_MAX_LEN, "slowlog-max-len", NULL, NUMBER, "128", 0, INT64_MAX, 0, NULL, NULL, "Entries of the slow log.") \
    X(LATENCY_THRESHOLD, "latency-monitor-threshold", NULL, NUMBER, "0", 0, INT64_MAX, 0, NULL, NULL, "Milliseconds from which on the latency monitor takes note; 0: it is off.") \
    X(LATENCY_TRACKING, "latency-tracking", NULL, SWITCH, "yes", 0, 1, 0, NULL, NULL, "Count by command how often it took how long.") \
    X(LATENCY_PERCENTILES, "latency-tracking-info-percentiles", NULL, TEXT, "50 99 99.9", 0, 0, 0, NULL, setting_rule_percentiles, "Percentiles that INFO latencystats shows.") \
    X(HZ, "hz", NULL, NUMBER, "10", 1, 500, 0, NULL, NULL, "Rounds of periodic work a second.") \
    X(DATABASES, "databases", NULL, NUMBER, "16", 1, 4096, SETTING_FIXED, NULL, NULL, "Number of databases.") \
    X(BUSY_THRESHOLD, "busy-reply-threshold", "lua-time-limit", NUMBER, "5000", 0, INT32_MAX, 0, NULL, NULL, "Milliseconds after which others are answered BUSY while a script runs; 0: never, they wait.") \
    X(SCRIPT_MEMORY, "script-memory-limit", NULL, BYTES, "256mb", 4 * MB, INT64_MAX / 4, 0, NULL, NULL, "Most bytes that scripts may have in Lua, and functions as much again.") \
    X(SHUTDOWN_TIMEOUT, "shutdown-timeout", NULL, NUMBER, "10", 0, INT32_MAX, 0, NULL, NULL, "Seconds to wait for replicas when stopping.") \
    /* Durability */ \
    X(DIR, "dir", NULL, TEXT, ".", 0, 0, SETTING_FIXED, NULL, NULL, "Directory for all data files.") \
    X(APPENDONLY, "appendonly", NULL, SWITCH, "yes", 0, 1, SETTING_FIXED, NULL, NULL, "Keep the log on disk.") \
    X(APPENDFSYNC, "appendfsync", NULL, CHOICE, "everysec", 0, 0, 0, "everysec|always|no", NULL, "When the log is forced to the disk.") \
    X(LOG_UNSYNCED_MAX, "log-unsynced-max-ms", NULL, NUMBER, "2000", 0, INT32_MAX, 0, NULL, NULL, "Under appendfsync everysec, writes are not answered while the log waits for the disk longer than this; 0: they always are.") \
    X(APPENDFILENAME, "appendfilename", NULL, TEXT, "appendonly.aof", 0, 0, SETTING_FIXED, NULL, NULL, "Base name of the log's files.") \
    X(APPENDDIRNAME, "appenddirname", NULL, TEXT, "appendonlydir", 0, 0, SETTING_FIXED, NULL, NULL, "Directory of the log's files, below dir.") \
    X(LOAD_TRUNCATED, "aof-load-truncated", NULL, SWITCH, "yes", 0, 1, SETTING_FIXED, NULL, NULL, "Load an append-only file of a Redis that ends within a command.") \
    X(DBFILENAME, "dbfilename", NULL, TEXT, "dump.rdb", 0, 0, SETTING_FIXED, NULL, NULL, "File that BGSAVE writes.") \
    X(SAVE, "save", NULL, TEXT, "3600 1 300 100 60 10000", 0, 0, SETTING_CUMULATIVE, NULL, setting_rule_save, "Write dbfilename after so many seconds, if there were so many changes.") \
    X(RDBCOMPRESSION, "rdbcompression", NULL, SWITCH, "yes", 0, 1, 0, NULL, NULL, "Compress long strings in snapshots and bases.") \
    X(STOP_WRITES, "stop-writes-on-bgsave-error", NULL, SWITCH, "yes", 0, 1, 0, NULL, NULL, "Refuse writes while the rules of save apply and the last snapshot failed.") \
    X(LOG_RETAIN_BYTES, "log-retain-bytes", "log-retention-size", BYTES, "2gb", 0, INT64_MAX, 0, NULL, NULL, "Bytes of the log older than its base that are kept for replicas that are away.") \
    X(LOG_RETAIN_SECONDS, "log-retain-seconds", "log-retention-seconds", NUMBER, "3600", 0, INT32_MAX, 0, NULL, NULL, "And for how long; 0: no bound of time.") \
    X(CHECKPOINT_KEEP, "checkpoint-keep", NULL, NUMBER, "0", 0, 1000, 0, NULL, NULL, "Older bases of the log that are kept, with the log behind them, to be restored.") \
    X(AUTO_REWRITE_PERCENTAGE, "auto-aof-rewrite-percentage", NULL, NUMBER, "100", 0, INT32_MAX, 0, NULL, NULL, "Make a new base when the log has grown by so much; 0: never.") \
    X(AUTO_REWRITE_MIN_SIZE, "auto-aof-rewrite-min-size", NULL, BYTES, "64mb", 0, INT64_MAX, 0, NULL, NULL, "But not below this size.") \
    /* Messages */ \
    X(NOTIFY, "notify-keyspace-events", NULL, TEXT, "", 0, 0, 0, NULL, setting_rule_notify, "Changes of which classes are published, and in which channels (K, E); empty: none.") \
    /* Memory */ \
    X(MAXMEMORY, "maxmemory", NULL, BYTES, "0", 0, INT64_MAX, 0, NULL, NULL, "Most bytes of memory; 0: no limit.") \
    X(MAXMEMORY_POLICY, "maxmemory-policy", NULL, CHOICE, "noeviction", 0, 0, 0, EVICTION_POLICY_WORDS, NULL, "Which keys go when the limit is reached.") \
    X(MAXMEMORY_SAMPLES, "maxmemory-samples", NULL, NUMBER, "5", 1, INT32_MAX, 0, NULL, NULL, "Keys that are compared to choose one that goes.") \
    X(LFU_LOG_FACTOR, "lfu-log-factor", NULL, NUMBER, "10", 0, INT32_MAX, 0, NULL, NULL, "How slowly the counter of uses grows.") \
    X(LFU_DECAY_TIME, "lfu-decay-time", NULL, NUMBER, "1", 0, INT32_MAX, 0, NULL, NULL, "Minutes without a use that the counter loses one for; 0: never.") \
    X(REPLICA_IGNORE_MAXMEMORY, "replica-ignore-maxmemory", "slave-ignore-maxmemory", SWITCH, "yes", 1, 1, 0, NULL, NULL, "A replica evicts no keys of its own; always yes.") \
    X(LAZY_EVICTION, "lazyfree-lazy-eviction", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "Free the values of evicted keys in the background.") \
    X(LAZY_EXPIRE, "lazyfree-lazy-expire", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "Free the values of expired keys in the background.") \
    X(LAZY_SERVER_DEL, "lazyfree-lazy-server-del", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "Free overwritten values in the background.") \
    X(LAZY_USER_DEL, "lazyfree-lazy-user-del", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "DEL works as UNLINK.") \
    X(LAZY_USER_FLUSH, "lazyfree-lazy-user-flush", NULL, SWITCH, "no", 0, 1, 0, NULL, NULL, "FLUSHALL and FLUSHDB work as with ASYNC.") \
    /* Replication */ \
    X(REPLICAOF, "replicaof", "slaveof", TEXT, "", 0, 0, SETTING_FIXED, NULL, setting_rule_replicaof, "Host and port of the primary to follow.") \
    X(REPLICA_READ_ONLY, "replica-read-only", "slave-read-only", SWITCH, "yes", 1, 1, 0, NULL, NULL, "A replica refuses writes; always yes.") \
    X(REPLICA_SERVE_STALE, "replica-serve-stale-data", "slave-serve-stale-data", SWITCH, "yes", 0, 1, 0, NULL, NULL, "A replica without its primary answers reads.") \
    X(REPLICA_ANNOUNCE_IP, "replica-announce-ip", "slave-announce-ip", TEXT, "", 0, 0, SETTING_FIXED, NULL, NULL, "Address that other nodes and clients reach this one at.") \
    X(REPLICA_ANNOUNCE_PORT, "replica-announce-port", "slave-announce-port", NUMBER, "0", 0, 65535, SETTING_FIXED, NULL, NULL, "And the port; 0: the port it listens on.") \
    X(REPL_PING_PERIOD, "repl-ping-replica-period", "repl-ping-slave-period", NUMBER, "1", 1, 3600, SETTING_FIXED, NULL, NULL, "Seconds between heartbeats on links.") \
    X(REPL_TIMEOUT, "repl-timeout", NULL, NUMBER, "10", 1, INT32_MAX, SETTING_FIXED, NULL, NULL, "Seconds of silence after which a link is given up.") \
    X(REPL_BACKLOG_SIZE, "repl-backlog-size", NULL, BYTES, "1mb", 16 * KB, INT64_MAX / 4, SETTING_FIXED, NULL, NULL, "Bytes of the log that are kept in memory for replicas.") \
    /* Encodings */ \
    X(HASH_ENTRIES, "hash-max-listpack-entries", "hash-max-ziplist-entries", NUMBER, "512", 0, INT32_MAX, 0, NULL, NULL, "Largest small hash, in fields.") \
    X(HASH_VALUE, "hash-max-listpack-value", "hash-max-ziplist-value", BYTES, "64", 0, INT32_MAX, 0, NULL, NULL, "Longest field or value of a small hash.") \
    X(HLL_SPARSE, "hll-sparse-max-bytes", NULL, BYTES, "3000", 0, INT32_MAX, 0, NULL, NULL, "Longest HyperLogLog of the sparse form, in bytes.") \
    X(LIST_SIZE, "list-max-listpack-size", "list-max-ziplist-size", NUMBER, "-2", -5, INT32_MAX, 0, NULL, NULL, "Size of a list's nodes: elements, or -1 .. -5 for 4, 8, 16, 32, 64 KB.") \
    X(INTSET_ENTRIES, "set-max-intset-entries", NULL, NUMBER, "512", 0, INT32_MAX, 0, NULL, NULL, "Largest small set of integers.") \
    X(SET_ENTRIES, "set-max-listpack-entries", NULL, NUMBER, "128", 0, INT32_MAX, 0, NULL, NULL, "Largest small set.") \
    X(SET_VALUE, "set-max-listpack-value", NULL, BYTES, "64", 0, INT32_MAX, 0, NULL, NULL, "Longest member of a small set.") \
    X(STREAM_BYTES, "stream-node-max-bytes", NULL, BYTES, "4096", 0, INT64_MAX, 0, NULL, NULL, "Largest node of a stream, in bytes; 0: no limit.") \
    X(STREAM_ENTRIES, "stream-node-max-entries", NULL, NUMBER, "100", 0, INT64_MAX, 0, NULL, NULL, "Largest node of a stream, in entries; 0: no limit.") \
    X(ZSET_ENTRIES, "zset-max-listpack-entries", "zset-max-ziplist-entries", NUMBER, "128", 0, INT32_MAX, 0, NULL, NULL, "Largest small sorted set.") \
    X(ZSET_VALUE, "zset-max-listpack-value", "zset-max-ziplist-value", BYTES, "64", 0, INT32_MAX, 0, NULL, NULL, "Longest member of a small sorted set.")
// clang-format on
