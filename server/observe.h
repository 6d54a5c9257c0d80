/* Who hears of changes to the data: one observer of the engine for all of them, and none while nobody listens, so that a
 * server without listeners pays one comparison a change.
 *
 *     a key was changed  -> journal (what reads wait for), watches (WATCH),
 *                           tracking (CLIENT TRACKING)
 *     all keys were      -> the same
 *     an event           -> pubsub (keyspace notifications)
 *
 * To add a listener: its condition in observe_configure(), its call below, and observe_configure() where it changes. */
#pragma once

struct server;

/* Who listens has changed. */
void observe_configure(struct server *s);
