/* Every family of commands against a naive model of it, with every invariant of every structure checked after each step.
 *
 * SEED=n STEPS=n in the environment repeat or extend a run. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/model/run.h"
#include "tests/unit/rand.h"

static uint64_t from_rand(void *context, uint64_t bound) { return rand_below(context, bound); }

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void run(const struct model_command *const *families, uint64_t seed, unsigned steps, bool small_limits)
{
    struct rand random = {seed};
    struct model_run r;
    model_run_init(&r, families, (struct model_choice){from_rand, &random}, small_limits);
    for (unsigned i = 0; i < steps; i++) {
        cr_assert(model_run_step(&r), "SEED=%lu, step %u\n%s", (unsigned long)seed, i, model_run_describe(&r));
        engine_check(r.engine);
    }
    cr_assert(model_run_replays(&r), "SEED=%lu: another data set after replay", (unsigned long)seed);
    model_run_free(&r);
}

/* The families; where they are chosen from, one that stands twice comes twice as often. */
static void agree(const struct model_command *const *families)
{
    const unsigned seed = from_environment("SEED", 0), steps = from_environment("STEPS", 1500);
    for (unsigned s = seed ? seed : 1; s <= (seed ? seed : 8); s++) run(families, s, steps, s % 2);
}

/* One family or several, with the commands on keys of any type. */
#define AGREE(...) \
    agree((const struct model_command *const[]){__VA_ARGS__, __VA_ARGS__, __VA_ARGS__, model_keys, NULL})

Test(models, of_strings_agree) { AGREE(model_strings); }
Test(models, of_bitmaps_agree) { AGREE(model_bitmaps); }
Test(models, of_lists_agree) { AGREE(model_lists); }
Test(models, of_sets_agree) { AGREE(model_sets); }
Test(models, of_hashes_agree) { AGREE(model_hashes); }
Test(models, of_hashes_whose_fields_expire_agree) { AGREE(model_hashes, model_fields); }
Test(models, of_sorted_sets_agree) { AGREE(model_zsets); }
Test(models, of_sums_of_sorted_sets_and_sets_agree) { AGREE(model_zsets, model_zset_sums, model_sets); }
Test(models, of_ranges_of_names_agree) { AGREE(model_zset_names, model_zset_names, model_zsets); }
Test(models, of_streams_agree) { AGREE(model_streams); }
Test(models, of_groups_of_consumers_agree) { AGREE(model_streams, model_groups, model_groups); }
Test(models, of_sorting_agree)
{
    AGREE(model_sorts, model_lists, model_sets, model_zsets, model_hashes, model_strings);
}
Test(models, of_places_agree) { AGREE(model_places); }
Test(models, of_counters_agree) { AGREE(model_counters); }

Test(models, of_all_types_on_the_same_keys_agree)
{
    const unsigned seed = from_environment("SEED", 0), steps = from_environment("STEPS", 4000);
    for (unsigned s = seed ? seed : 1; s <= (seed ? seed : 8); s++) run(model_all, s, steps, s % 2);
}
