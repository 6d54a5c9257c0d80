/* A second C stack, on which a function can be stopped in the middle and gone on with later.
 *
 *     loop's stack:    fiber_start(f, run, x) ............ fiber_resume(f) ....... true: it returned
 *     fiber's stack:                  run(x) ... fiber_pause(f)      ... return
 *
 * Lua 5.1 cannot yield from a hook, nor across pcall(); so a script that has run for too long is left where it stands,
 * Lua's own C frames included, while the event loop turns. One fiber serves one function after the other: its stack is
 * made once. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fiber;

/* A stack of @stack_bytes, below which a page cannot be touched: an overflow ends the process. */
struct fiber *fiber_new(size_t stack_bytes);
/* A function that paused is never gone on with. NULL is a no-op. */
void fiber_free(struct fiber *f);

/* Call @run on the fiber. True: it returned; false: it called fiber_pause(). */
bool fiber_start(struct fiber *f, void (*run)(void *context), void *context);
/* Go on with the function that paused. Returns as fiber_start(). */
bool fiber_resume(struct fiber *f);

/* From within the function: leave it, until fiber_resume(). */
void fiber_pause(struct fiber *f);

/* Is this called from within the function? */
bool fiber_is_inside(const struct fiber *f);
