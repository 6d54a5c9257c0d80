/* A disk in memory, behind the log's table of system calls: it counts the calls, fails or dies at any of them, and knows
 * what a power cut would leave.
 *
 * What is kept beside what a process sees (the cache): of each file the bytes that an fsync has covered, of each directory
 * the names; and the changes of names since, in order. An fsync of a file that fails drops what it should have
 * written: the cache keeps showing it, and a later fsync that succeeds does not cover it. Changes of names wait for the next
 * one: a file system that cannot write its journal takes no more. Paths are absolute. Any thread. */
#pragma once

#include "replication/files.h"

struct simdisk;

/* A disk that holds the directory @root, durably. */
struct simdisk *simdisk_new(const char *root);
void simdisk_free(struct simdisk *d);

/* Good for as long as the disk is. */
struct io_ops simdisk_io(struct simdisk *d);

/* A file that is there durably, made outside of the count. */
void simdisk_put(struct simdisk *d, const char *path, struct span content);
/* What a process would read, or false. */
bool simdisk_get(struct simdisk *d, const char *path, struct buf *content);

enum simdisk_fault {
    SIMDISK_DIE_BEFORE, /* from this call on nothing happens any more, and all fail */
    SIMDISK_DIE_AFTER,  /* the call does its work, and is the last one */
    SIMDISK_DIE_MIDST,  /* half of a write reaches the file, or nothing of another call */
    SIMDISK_FAIL,       /* nothing happens, errno is set */
    SIMDISK_FAIL_MIDST, /* half of a write reaches the file, and then it fails */
    SIMDISK_SHORT,      /* a write takes half and says so; other calls are not affected */
};

struct simdisk_plan {
    enum simdisk_fault fault;
    int at;         /* the call that it happens to, counted from 0 since simdisk_arm(); -1: none */
    int count;      /* of how many calls in a row, for those that fail */
    int number;     /* errno */
    int die_at;     /* and the disk dies before this one; -1: does not */
    const char *on; /* only calls whose "name path" contains this are counted; NULL: all */
};

/* Begin to count, and do as planned. Borrows `on`. */
void simdisk_arm(struct simdisk *d, const struct simdisk_plan *plan);
/* Calls since then. */
int simdisk_calls(struct simdisk *d);
/* The plan's fault has come to pass / the disk has died. */
bool simdisk_hit(struct simdisk *d);
bool simdisk_is_dead(struct simdisk *d);
/* An fsync of a file has failed: what was written is not certain any more, even if the machine keeps running. */
bool simdisk_has_dropped(struct simdisk *d);
/* "writev .../appendonly.aof.1.incr.aof": the call that was hit first. */
const char *simdisk_where(const struct simdisk *d);

enum simdisk_end {
    SIMDISK_KILLED,    /* only the process died: all is as it saw it, and still not more durable than it was */
    SIMDISK_CUT,       /* power is lost, with everything that was not synced */
    SIMDISK_CUT_BYTES, /* names have survived, bytes have not */
    SIMDISK_CUT_NAMES, /* the other way round */
    SIMDISK_CUT_RANDOM, /* of every 512 bytes and of every change of a name, by chance: as it was, or as it should be */
};

/* Another disk: what the next process finds. @seed is for SIMDISK_CUT_RANDOM. */
struct simdisk *simdisk_after(struct simdisk *d, enum simdisk_end end, uint64_t seed);
