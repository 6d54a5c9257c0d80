#include "server/script/script_cache.h"

#include <sha1.h>

#include "common/mem.h"
#include "server/script/shebang.h"

enum { RECENT = 64, DIGEST = 20 };

struct slot {
    uint8_t digest[DIGEST];
    struct cached_script *script; /* NULL: free */
};

struct script_cache {
    struct script_vm_options options;
    struct script_vm *vm;
    struct slot *slots; /* open addressing, a power of two, at most half full */
    size_t room, count, bytes;
    /* Scripts that were asked for by their text, by a few of its bytes: a text that comes again is compared, not digested. */
    const struct cached_script *recent[RECENT];
};

/* ---- The table ---- */

/* A digest is as good as any hash: its first bytes are the place. */
static size_t place_of(const struct script_cache *c, const uint8_t *digest)
{
    uint64_t h;
    memcpy(&h, digest, sizeof h);
    return (size_t)h & (c->room - 1);
}

static struct slot *find_slot(const struct script_cache *c, const uint8_t *digest)
{
    size_t i = place_of(c, digest);
    while (c->slots[i].script && memcmp(c->slots[i].digest, digest, DIGEST) != 0) i = (i + 1) & (c->room - 1);
    return &c->slots[i];
}

static void grow(struct script_cache *c)
{
    struct slot *old = c->slots;
    const size_t room = c->room;
    c->room = room ? 2 * room : 64;
    c->slots = mem_zalloc(c->room, sizeof *c->slots);
    for (size_t i = 0; i < room; i++)
        if (old[i].script) *find_slot(c, old[i].digest) = old[i];
    mem_free(old);
}

static bool read_hex(struct span hex, uint8_t *digest)
{
    if (hex.n != SCRIPT_HEX) return false;
    for (size_t i = 0; i < SCRIPT_HEX; i++) {
        const char ch = ascii_lower(hex.p[i]);
        const int digit = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (digit < 0) return false;
        digest[i / 2] = (uint8_t)(i % 2 ? digest[i / 2] | digit : digit << 4);
    }
    return true;
}

static void write_hex(const uint8_t *digest, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SCRIPT_HEX] = '\0';
}

/* ---- Scripts ---- */

/* Scripts differ in length, and where they begin and end. */
static size_t recent_place(struct span body)
{
    uint64_t head = 0, tail = 0;
    const size_t n = body.n < sizeof head ? body.n : sizeof head;
    if (n == 0) return 0;
    memcpy(&head, body.p, n);
    memcpy(&tail, body.p + body.n - n, n);
    return (size_t)(((head ^ tail * 3 ^ body.n) * 0x9e3779b97f4a7c15u) >> 58) % RECENT;
}

static struct cached_script *compile(struct script_cache *c, struct span body, const uint8_t *digest,
                                     struct errmsg *m)
{
    struct cached_script made = {0}, *s;
    struct span code;
    if (shebang_of_script(body, &made.flags, &code, m)) return NULL;
    if (script_vm_compile(c->vm, code, "@user_script", &made.function, m)) {
        (void)err_wrap(m, ERR_INVALID, "Error compiling script (new function)");
        return NULL;
    }
    write_hex(digest, made.sha);
    made.body = span_of(mem_dup(body.p, body.n), body.n);
    s = mem_dup(&made, sizeof made);
    c->bytes += mem_size(s) + mem_size(s->body.p);
    return s;
}

const struct cached_script *script_cache_get(struct script_cache *c, struct span body, struct errmsg *m)
{
    const size_t recent = recent_place(body);
    if (c->recent[recent] && span_eq(c->recent[recent]->body, body)) return c->recent[recent];
    SHA1_CTX sha;
    uint8_t digest[DIGEST];
    SHA1Init(&sha);
    SHA1Update(&sha, (const uint8_t *)body.p, body.n);
    SHA1Final(digest, &sha);
    if (2 * (c->count + 1) > c->room) grow(c);
    struct slot *slot = find_slot(c, digest);
    if (!slot->script) {
        struct cached_script *s = compile(c, body, digest, m);
        if (!s) return NULL;
        memcpy(slot->digest, digest, DIGEST);
        slot->script = s;
        c->count++;
    }
    c->recent[recent] = slot->script;
    return slot->script;
}

const struct cached_script *script_cache_find(const struct script_cache *c, struct span sha)
{
    uint8_t digest[DIGEST] = {0};
    return c->room && read_hex(sha, digest) ? find_slot(c, digest)->script : NULL;
}

static void clear(struct script_cache *c)
{
    for (size_t i = 0; i < c->room; i++) {
        if (!c->slots[i].script) continue;
        mem_free((char *)(uintptr_t)c->slots[i].script->body.p);
        mem_free(c->slots[i].script);
    }
    mem_free(c->slots);
    script_vm_free(c->vm);
}

void script_cache_flush(struct script_cache *c)
{
    const struct script_vm_options options = c->options;
    clear(c);
    *c = (struct script_cache){.options = options, .vm = script_vm_new(&options)};
}

/* ---- Asking, life ---- */

size_t script_cache_count(const struct script_cache *c) { return c->count; }
size_t script_cache_bytes(const struct script_cache *c) { return c->bytes + mem_size(c->slots); }
struct script_vm *script_cache_vm(const struct script_cache *c) { return c->vm; }

struct script_cache *script_cache_new(const struct script_vm_options *vm)
{
    struct script_cache *c = MEM_NEW(struct script_cache);
    c->options = *vm;
    c->vm = script_vm_new(vm);
    return c;
}

void script_cache_free(struct script_cache *c)
{
    if (!c) return;
    clear(c);
    mem_free(c);
}
