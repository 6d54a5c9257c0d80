/* Where the memory goes, for MEMORY STATS, MEMORY DOCTOR and INFO memory. */
#pragma once

#include "common/buf.h"
#include "server/memory.h"

struct server;

struct memory_report {
    struct memory_use use;
    size_t peak, startup;     /* most that was seen in use; in use when the server had started */
    size_t backlog;           /* of the log, kept for replicas */
    size_t log;               /* of the log, on its way to the disk */
    size_t clients, monitors; /* buffers of clients; of those among them that are told, not answered */
    size_t client_count;
    size_t tables;   /* of the databases */
    size_t overhead; /* all of these, and the start */
    size_t dataset;  /* what is left */
    uint64_t keys;
};

void memory_report(struct server *s, struct memory_report *r);

/* @part of @whole in percent. */
double memory_percent(size_t part, size_t whole);
/* @a by @b; 0 if there is no @b. */
double memory_ratio(size_t a, size_t b);

/* What is wrong, and what may help, for people. */
void memory_diagnose(const struct memory_report *r, struct buf *to);
