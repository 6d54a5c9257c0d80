/* The process: what the modules of this folder share, and nothing else. Each member belongs to the module whose
 * header declares it; a module reaches another one through that header's functions.
 *
 *     turn of the loop:   sockets are read, commands executed, replies and effects appended to buffers
 *     uv_prepare:         the batch of effects is closed and handed to the log and the links; replies are flushed
 *
 * Everything here is the main thread's. */
#pragma once

#include <uv.h>

#include "common/engine.h"
#include "server/access.h"
#include "server/blocked.h"
#include "server/clients.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/insight.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/monitors.h"
#include "server/nodes.h"
#include "server/pubsub.h"
#include "server/reaper.h"
#include "server/saver.h"
#include "server/scripting.h"
#include "server/stats.h"
#include "server/tracking.h"
#include "server/timeouts.h"
#include "server/wait.h"
#include "server/watches.h"

struct lifecycle;

struct server {
    uv_loop_t loop;
    struct config *config;
    const char *config_path;   /* absolute, or NULL */
    const char *program;       /* absolute */
    const char *restore_until; /* NULL: the data is to be the newest */
    char dir[4096];            /* absolute, where all files are */
    char run_id[41];           /* random hex, new with each start */

    struct logger *logger;
    struct clock clock;
    struct stats stats;
    struct insight insight;
    struct monitors monitors;

    struct command_set *commands;
    struct engine *engine;
    struct journal journal;
    struct saver saver;
    struct nodes nodes;
    struct timeouts timeouts;
    struct waiters waiters;
    struct blocking blocking;
    struct watches watches;
    struct tracking tracking;
    struct pubsub pubsub;
    struct limits limits;
    struct reaper reaper;

    struct access access;
    struct clients clients;
    struct listeners listeners;
    struct lifecycle *life;
    struct scripting *scripting;

    const struct command_entry *restore_command;
    const struct command_entry *debug_command;
    size_t startup_memory; /* in use before any data was loaded */
    size_t peak_memory;    /* most that was seen in use */
    bool loading;          /* the data set is being read, or peers are asked: only some commands are served */
    uint64_t loading_done, loading_total; /* bytes */
    uint64_t loaded_keys;                 /* there at the end of the load */
    bool read_only;                       /* a replica */
    bool pidfile_written;
};

/* Start, run until told to stop, clean up; returns the exit code. Takes @config. @config_path may be NULL, and so may
 * @restore_until: the moment whose data the node is to begin with (restore.h). */
int server_main(struct config *config, const char *config_path, const char *program, const char *restore_until);

/* Ask to stop: everything answered is flushed and fsynced first. @save: write dbfilename before; @now: do not wait for
 * replicas; @force: stop even if what is to be saved cannot be. Clients with CLIENT_ASKED_STOP are told if it comes to
 * nothing. Returns at once. */
enum shutdown_save { SHUTDOWN_SAVE_DEFAULT, SHUTDOWN_SAVE_YES, SHUTDOWN_SAVE_NO };
void server_shutdown(struct server *s, enum shutdown_save save, bool now, bool force);
/* Call a stop off that waits for replicas; false: there is none. */
MUST_USE bool server_shutdown_abort(struct server *s);

/* An empty engine with the settings of the server. */
struct engine *server_make_engine(const struct server *s);

/* Bring what runs into line with a setting that was just changed. */
void server_apply(struct server *s, enum setting id);
