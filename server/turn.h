/* How long commands and turns of the loop take, measured inside.
 *
 * A turn begins with the first event that the poll brings and ends before the next poll. A command is timed by the
 * processor's counter, from the end of the one before in the same read. Where that is long, what counts is the thread's
 * own time: the CPU time it used, plus the time it waited for a lock or a disk, but not what the machine took away (other
 * processes, the hypervisor). For that, the CPU time of the thread and how often it gave up the processor by itself are
 * read when a turn begins, and again at the end of a long turn: if it never did, it did not wait, and its own time is its
 * CPU time; else it is the time by the wall. (The CPU time may have been read a quarter of a millisecond before: reading
 * costs a system call.) After a long command both are read too, and what the short commands since the last reading took is
 * subtracted: what is left is the long one's, and at most the system calls between them. */
#pragma once

#include "common/command.h"
#include "server/ticks.h"

/* What the thread used up to some moment. */
struct turn_use {
    uint64_t cpu_us;
    uint64_t waits; /* times that it gave up the processor by itself */
};

/* Since the start or turn_reset(). */
struct turn_figures {
    uint64_t turns;
    uint64_t wall, commands;             /* ticks of all turns; of all commands */
    uint64_t longest_us;                 /* own time of a turn */
    uint64_t command_us;                 /* of a command */
    const struct command_entry *command; /* the longest; NULL: there was none */
};

/* Requests are taken for about so long in a turn; replies, timers and slices of long work come on top. */
enum { TURN_FULL_US = 1000 };

struct turn {
    struct ticks ticks;
    uint64_t begin;                 /* of this turn; 0: nothing has happened in it */
    uint64_t command_end;           /* of the command before, or when the bytes came */
    uint64_t note_above;            /* ticks: of longer commands more is to be known */
    uint64_t heard_at;              /* when its first requests came; 0: none yet */
    uint64_t full_after;            /* ticks: a turn takes no more requests when these have taken so long */
    uint64_t read_at;               /* ticks, of the CPU time in begin_use; 0: it is used up */
    struct turn_use begin_use, use; /* when it began; at the last reading */
    uint64_t commands;              /* ticks of all commands at the last reading */
    struct turn_figures figures;
};

void turn_init(struct turn *t);
void turn_reset(struct turn *t);
/* Measure the tick, now and again. */
void turn_measure(struct turn *t);

void turn_begin_slowly(struct turn *t);
void turn_note_command(struct turn *t, const struct command_entry *command, uint64_t took);

/* Something is going to be done in this turn. */
static inline void turn_begin(struct turn *t)
{
    if (!t->begin) turn_begin_slowly(t);
}

/* Requests of a client are going to be executed. */
static inline void turn_begin_commands(struct turn *t)
{
    turn_begin(t);
    t->command_end = ticks_now(&t->ticks);
    if (!t->heard_at) t->heard_at = t->command_end;
}

/* A command has ended; returns its ticks. */
static inline uint64_t turn_end_command(struct turn *t, const struct command_entry *command)
{
    const uint64_t now = ticks_now(&t->ticks), took = ticks_between(t->command_end, now);
    t->command_end = now;
    t->figures.commands += took;
    if (took > t->note_above) turn_note_command(t, command, took);
    return took;
}

/* Have the requests of this turn taken so long that further ones should wait for the next? */
static inline bool turn_is_full(const struct turn *t)
{
    return t->heard_at && ticks_between(t->heard_at, t->command_end) > t->full_after;
}

/* How long the turn has taken so far; 0: it is about to begin, or ticks are not measured yet. */
static inline uint64_t turn_us(const struct turn *t)
{
    return t->begin ? ticks_us(&t->ticks, ticks_between(t->begin, ticks_now(&t->ticks))) : 0;
}

/* The loop is going to poll. */
void turn_end(struct turn *t);

/* The own time of something that took @wall_us, from what the thread used before and after; @rest_us of that was used by
 * something else. */
uint64_t turn_own_us(uint64_t wall_us, uint64_t rest_us, struct turn_use before, struct turn_use after);
