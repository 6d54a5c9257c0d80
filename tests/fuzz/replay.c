/* Runs a fuzz target as a test: each file of a corpus directory, the same with each of its bytes flipped, then mutations of
 * them.
 *
 *     fuzz_resp CORPUS [MUTATIONS [SEED]]
 *
 * Prints TAP: one case per file, one for the flips, and one for the mutations. With FUZZ_KEEP in the environment each mutation is left in
 * the file fuzz-input of the working directory before it runs, so that the one that kills the process can be kept. */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/target.h"

enum { INPUT_BYTES_MAX = 1 << 20, INPUTS_MAX = 4096, FLIPPED_BYTES_MAX = 1000 };

struct input {
    char name[256];
    uint8_t *data;
    size_t size;
};

static uint64_t next_random(uint64_t *state) /* xorshift64* (Vigna 2016) */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *state, size_t bound) { return bound ? (size_t)(next_random(state) % bound) : 0; }

static bool input_read(struct input *in, const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    in->data = malloc(INPUT_BYTES_MAX);
    in->size = fread(in->data, 1, INPUT_BYTES_MAX, f);
    fclose(f);
    snprintf(in->name, sizeof in->name, "%s", name);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static size_t corpus_read(const char *directory, struct input *inputs)
{
    size_t n = 0;
    DIR *d = opendir(directory);
    if (!d) {
        perror(directory);
        exit(2);
    }
    for (struct dirent *e; n < INPUTS_MAX && (e = readdir(d));)
        if (e->d_name[0] != '.' && input_read(&inputs[n], directory, e->d_name)) n++;
    closedir(d);
    qsort(inputs, n, sizeof *inputs, by_name);
    return n;
}

/* One change: flip a bit, set a byte, remove, double or overwrite a run, or splice in a number that limits are made of. */
static size_t mutate_once(uint8_t *p, size_t n, size_t room, uint64_t *random)
{
    static const char *const numbers[] = {"-1",         "0",    "1", "1048577", "9223372036854775808",
                                          "4294967296", "\r\n", "*", "$"};
    size_t at = below(random, n), run = 1 + below(random, 16);
    switch (n ? below(random, 6) : 5) {
    case 0: p[at] ^= (uint8_t)(1u << below(random, 8)); return n;
    case 1: p[at] = (uint8_t)next_random(random); return n;
    case 2:
        run = run < n - at ? run : n - at;
        memmove(p + at, p + at + run, n - at - run);
        return n - run;
    case 3:
        run = run < n - at ? run : n - at;
        if (n + run > room) return n;
        memmove(p + at + run, p + at, n - at);
        return n + run;
    case 4:
        run = run < n - at ? run : n - at;
        memmove(p + at, p + below(random, n - run + 1), run);
        return n;
    default: {
        const char *text = numbers[below(random, sizeof numbers / sizeof *numbers)];
        size_t length = strlen(text);
        if (n + length > room) return n;
        memmove(p + at + length, p + at, n - at);
        memcpy(p + at, text, length);
        return n + length;
    }
    }
}

static void leave(const uint8_t *data, size_t size)
{
    FILE *f = fopen("fuzz-input", "wb");
    if (!f) return;
    fwrite(data, 1, size, f);
    fclose(f);
}

static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* so that the sanitizer sees its end */
    memcpy(exact, data, size);
    if (getenv("FUZZ_KEEP")) leave(exact, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_mutations(const struct input *inputs, size_t n, uint64_t count, uint64_t seed)
{
    uint8_t *work = malloc(2 * INPUT_BYTES_MAX);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t random = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        const struct input *in = &inputs[below(&random, n)];
        size_t size = in->size;
        memcpy(work, in->data, size);
        for (size_t changes = 1 + below(&random, 8); changes; changes--)
            size = mutate_once(work, size, 2 * INPUT_BYTES_MAX, &random);
        run_once(work, size);
    }
    free(work);
}

/* Every byte behind the first, which is the target's own: its lowest bit, its highest, and all. */
static void run_flips(const struct input *in)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    for (size_t i = 1; i < in->size && i < FLIPPED_BYTES_MAX; i++)
        for (size_t k = 0; k < sizeof masks; k++) {
            in->data[i] ^= masks[k];
            run_once(in->data, in->size);
            in->data[i] ^= masks[k];
        }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    struct input *inputs = calloc(INPUTS_MAX, sizeof *inputs);
    size_t n = corpus_read(argv[1], inputs);
    const char *suite = getenv("RELEVO_TESTS");
    const uint64_t usual = suite && !strcmp(suite, "long") ? 5000000 : 100000;
    const uint64_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : usual;
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    printf("1..%zu\n", n + 2);
    if (!n) printf("Bail out! no corpus in %s\n", argv[1]);
    for (size_t i = 0; i < n; i++) {
        LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
        printf("ok %zu - the input %s does no harm\n", i + 1, inputs[i].name);
        fflush(stdout);
    }
    for (size_t i = 0; i < n; i++) run_flips(&inputs[i]);
    printf("ok %zu - no flipped byte of the inputs does harm\n", n + 1);
    printf("# seed %" PRIu64 "\n", seed);
    fflush(stdout);
    if (n) run_mutations(inputs, n, mutations, seed);
    printf("ok %zu - %" PRIu64 " mutations of the inputs do no harm\n", n + 2, mutations);
    for (size_t i = 0; i < n; i++) free(inputs[i].data);
    free(inputs);
    return 0;
}
