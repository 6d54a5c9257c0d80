/* How it switches: the stack is entered once by makecontext() and swapcontext(), which cost a system call each; from then
 * on by sigsetjmp() without the mask and siglongjmp(), which cost some ten nanoseconds. QEMU's coroutines do the same.
 *
 * glibc's checked longjmp() takes a jump to a stack at a lower address for an error; so the check is off in this file. */
#undef _FORTIFY_SOURCE

#include "server/script/fiber.h"

#include <assert.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct fiber {
    char *memory; /* the guard page, then the stack */
    size_t bytes;
    void (*run)(void *context);
    void *context;
    bool busy, inside;
    sigjmp_buf here, there; /* where the fiber stands; where its caller does */
    /* What sanitizers want to know of either stack. */
    void *fake_here, *fake_there;
    const void *caller_stack;
    size_t caller_bytes;
    void *tsan_here, *tsan_there;
};

/* ---- Tell sanitizers that the stack changes ---- */

static void leave(void **fake, const void *to, size_t bytes, void *tsan)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fake, to, bytes);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(tsan, 0);
#endif
    (void)fake, (void)to, (void)bytes, (void)tsan;
}

static void arrive(void *fake, const void **from, size_t *bytes)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake, from, bytes);
#endif
    (void)fake, (void)from, (void)bytes;
}

/* ---- Switching ---- */

static void to_caller(struct fiber *f)
{
    f->inside = false;
    if (sigsetjmp(f->here, 0) == 0) { /* each place is noted while sanitizers think of its own stack */
        leave(&f->fake_here, f->caller_stack, f->caller_bytes, f->tsan_there);
        siglongjmp(f->there, 1);
    }
    f->inside = true;
    arrive(f->fake_here, &f->caller_stack, &f->caller_bytes);
}

static void to_fiber(struct fiber *f)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
#ifdef FIBER_TSAN
    f->tsan_there = __tsan_get_current_fiber();
#endif
    if (sigsetjmp(f->there, 0) == 0) {
        leave(&f->fake_there, f->memory + page, f->bytes - page, f->tsan_here);
        siglongjmp(f->here, 1);
    }
    arrive(f->fake_there, NULL, NULL);
}

/* The bottom of the fiber's stack: one function after the other, for ever. */
static void serve(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low); // NOLINT: makecontext() passes ints
    arrive(NULL, &f->caller_stack, &f->caller_bytes);
    for (;;) {
        to_caller(f);
        f->run(f->context);
        f->busy = false;
    }
}

/* Enter the stack for the first time: up to its first to_caller(). */
static void enter(struct fiber *f)
{
    ucontext_t caller, first;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t self = (uintptr_t)f;
    int got = getcontext(&first);
    assert(got == 0);
    first.uc_stack.ss_sp = f->memory + page;
    first.uc_stack.ss_size = f->bytes - page;
    first.uc_link = NULL;
    makecontext(&first, (void (*)(void))(void *)serve, 2, (unsigned)((uint64_t)self >> 32), (unsigned)self);
#ifdef FIBER_TSAN
    f->tsan_there = __tsan_get_current_fiber();
#endif
    if (sigsetjmp(f->there, 0) == 0) {
        leave(&f->fake_there, f->memory + page, f->bytes - page, f->tsan_here);
        got = swapcontext(&caller, &first);
        assert(got == 0);
    }
    arrive(f->fake_there, NULL, NULL);
}

struct fiber *fiber_new(size_t stack_bytes)
{
    struct fiber *f = MEM_NEW(struct fiber);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    f->bytes = stack_bytes + page;
    f->memory =
        mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (f->memory == MAP_FAILED || mprotect(f->memory, page, PROT_NONE)) {
        (void)fprintf(stderr, "out of memory: no stack of %zu bytes for scripts\n", f->bytes);
        abort();
    }
#ifdef FIBER_TSAN
    f->tsan_here = __tsan_create_fiber(0);
#endif
    enter(f);
    return f;
}

void fiber_free(struct fiber *f)
{
    if (!f) return;
    assert(!f->inside);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(f->tsan_here);
#endif
#ifdef FIBER_ASAN
    /* The frames that end here were never left: what stands about them in the shadow must go with them. */
    __asan_unpoison_memory_region(f->memory, f->bytes);
#endif
    (void)munmap(f->memory, f->bytes);
    mem_free(f);
}

bool fiber_start(struct fiber *f, void (*run)(void *context), void *context)
{
    assert(!f->busy && !f->inside);
    f->run = run;
    f->context = context;
    f->busy = true;
    to_fiber(f);
    return !f->busy;
}

bool fiber_resume(struct fiber *f)
{
    assert(f->busy && !f->inside);
    to_fiber(f);
    return !f->busy;
}

void fiber_pause(struct fiber *f)
{
    assert(f->busy && f->inside);
    to_caller(f);
}

bool fiber_is_inside(const struct fiber *f) { return f->inside; }
