/* cmsgpack and struct: their formats byte by byte, as redis-server 7.0.15 answers, and bytes from strangers. */
#include "tests/unit/rand.h"
#include "tests/unit/script_kit.h"

static const char to_hex[] =
    "local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end "
    "local function raw(h) return (h:gsub('..', function(b) return string.char(tonumber(b, 16)) end)) end ";

/* What the expression gives, as text without the length. */
static const char *value_of(struct script_kit *k, const char *expression)
{
    static const char *const end = "|";
    char code[2048];
    (void)snprintf(code, sizeof code, "%s return tostring(%s)", to_hex, expression);
    const char *text = script_kit_run(k, code, 2);
    if (text[0] != '$') return text;
    char *from = strstr(text, end);
    memmove(k->text, from + 1, strlen(from));
    k->text[strlen(k->text) - 1] = '\0';
    return k->text;
}

#define GIVES(k, expression, is) cr_assert_str_eq(value_of(k, expression), is, "%s: %s", expression, (k)->text)

Test(script_codecs, messagepack_packs_the_shortest_form)
{
    static const char *const cases[][2] = {
        {"{}", "90"},
        {"{1,2}", "920102"},
        {"{a=1}", "81a16101"},
        {"{1,nil,3}", "8201010303"},
        {"{[1.5]=1}", "81ca3fc0000001"},
        {"'x'", "a178"},
        {"127", "7f"},
        {"128", "cc80"},
        {"-32", "e0"},
        {"-33", "d0df"},
        {"-129", "d1ff7f"},
        {"65536", "ce00010000"},
        {"4294967296", "cf0000000100000000"},
        {"-2147483649", "d3ffffffff7fffffff"},
        {"2^62", "cf4000000000000000"},
        {"2^63", "ca5f000000"},
        {"-2^63", "d38000000000000000"},
        {"1.5", "ca3fc00000"},
        {"0.1", "cb3fb999999999999a"},
        {"1/0", "ca7f800000"},
        {"true", "c3"},
        {"nil", "c0"},
        {"pairs", "c0"},
        {"1,2,'x'", "0102a178"},
    };
    struct script_kit *k = script_kit_new();
    char code[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(code, sizeof code, "hex(cmsgpack.pack(%s))", cases[i][0]);
        GIVES(k, code, cases[i][1]);
    }
    GIVES(k, "hex(cmsgpack.pack(('x'):rep(300))):sub(1, 8)", "da012c78");
    GIVES(k, "(function() local t = {} t.t = t return #cmsgpack.pack(t) end)()", "49");
    script_kit_free(k);
}

Test(script_codecs, messagepack_reads_what_the_format_has)
{
    static const char *const cases[][2] = {
        {"ca3fc00000", "1.5"},
        {"cfffffffffffffffff", "-1"},
        {"d1ffff", "-1"},
        {"da000161", "a"},
        {"db0000000161", "a"},
        {"c2", "false"},
        {"e0", "-32"},
        {"c1", "Bad data format in input."},
        {"c40161", "Bad data format in input."},
        {"d90261", "Missing bytes in input."},
        {"dbffffffff61", "Missing bytes in input."},
        {"dd7fffffff01", "Missing bytes in input."},
        {"dfffffffffa16101", "Missing bytes in input."},
        {"81c001", "table index is nil"},
        {"81cb7ff800000000000001", "table index is NaN"},
    };
    struct script_kit *k = script_kit_new();
    char code[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(code, sizeof code, "select(2, pcall(cmsgpack.unpack, raw('%s')))", cases[i][0]);
        GIVES(k, code, cases[i][1]);
    }
    GIVES(k, "cmsgpack.unpack(raw('82a161920102a16205')).a[2]", "2");
    GIVES(k, "table.concat({cmsgpack.unpack_one(raw('010203'))}, ',')", "1,1");
    GIVES(k, "table.concat({cmsgpack.unpack_one(raw('010203'), 2)}, ',')", "-1,3");
    GIVES(k, "table.concat({cmsgpack.unpack_limit(raw('010203'), 2, 1)}, ',')", "-1,2,3");
    GIVES(k, "select(2, pcall(cmsgpack.unpack_one, raw('010203'), 4))",
          "Start offset 4 greater than input length 3.");
    GIVES(k, "select(2, pcall(cmsgpack.unpack_one, raw('010203'), -4))",
          "Invalid request to unpack with offset of -4 and limit of 3.");
    script_kit_free(k);
}

Test(script_codecs, structs_are_packed_by_their_letters)
{
    static const char *const cases[][2] = {
        {"'b', 5", "05"},
        {"'H', 70000", "7011"},
        {"'>h', -2", "fffe"},
        {"'>i3', -2", "fffffe"},
        {"'I8', 2^40", "0000000000010000"},
        {"'L', -1", "ffffffffffffffff"},
        {"'i8', 2^63", "0000000000000080"},
        {"'>d', 1.5", "3ff8000000000000"},
        {"'f', 1.5", "0000c03f"},
        {"'s', 'ab'", "616200"},
        {"'c0', 'ab'", "6162"},
        {"'c3', 'abcd'", "616263"},
        {"'bx!4i', 1, 2", "0100000002000000"},
        {"' <b > h', 1, 2", "010002"},
        {"'b!8d', 1, 2", "01000000000000000000000000000040"},
    };
    struct script_kit *k = script_kit_new();
    char code[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(code, sizeof code, "hex(struct.pack(%s))", cases[i][0]);
        GIVES(k, code, cases[i][1]);
    }
    GIVES(k, "struct.size('b!8d')", "16");
    GIVES(k, "select(2, pcall(struct.pack, 'i33', 1))", "integral size 33 is larger than limit of 32");
    GIVES(k, "select(2, pcall(struct.pack, '!3i', 1))", "alignment 3 is not a power of 2");
    GIVES(k, "select(2, pcall(struct.pack, 'c3', 'ab'))", "bad argument #3 to '?' (string too short)");
    GIVES(k, "select(2, pcall(struct.size, 'c0'))", "bad argument #1 to '?' (option 'c0' has no fixed size)");
    script_kit_free(k);
}

Test(script_codecs, structs_are_unpacked_within_their_bytes)
{
    static const char *const cases[][3] = {
        {"b", "ff", "-1,2"},
        {">h", "fffe", "-2,3"},
        {"i3", "ffffff", "-1,4"},
        {"I3", "ffffff", "16777215,4"},
        {"d", "000000000000f83f", "1.5,9"},
        {"s", "616200", "ab,4"},
        {"Bc0", "026162", "ab,4"},
        {"b!4i", "0100000002000000", "1,2,9"},
        {"x", "61", "2"},
    };
    static const char *const refused[][3] = {
        {"s", "6162", "unfinished string in data"},
        {"c0", "6162", "format 'c0' needs a previous size"},
        {"Bc0", "036162", "bad argument #2 to '?' (data string too short)"},
        {"bc0", "ff6162", "bad argument #2 to '?' (data string too short)"},
        {"dc0", "000000000000f07f61", "bad argument #2 to '?' (data string too short)"},
        {"c99999999999", "61", "integral size overflow"},
        {"bb", "01", "bad argument #2 to '?' (data string too short)"},
        {"q", "01", "bad argument #1 to '?' (invalid format option 'q')"},
    };
    struct script_kit *k = script_kit_new();
    char code[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(code, sizeof code, "table.concat({struct.unpack('%s', raw('%s'))}, ',')", cases[i][0],
                       cases[i][1]);
        GIVES(k, code, cases[i][2]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        (void)snprintf(code, sizeof code, "select(2, pcall(struct.unpack, '%s', raw('%s')))", refused[i][0],
                       refused[i][1]);
        GIVES(k, code, refused[i][2]);
    }
    script_kit_free(k);
}

/* What can be read is written again and read again as the same; what cannot ends in an error, within memory. */
Test(script_codecs, bytes_from_strangers_do_no_harm)
{
    static const char *const codes[] = {
        ("local ok, v = pcall(cmsgpack.unpack, ARGV[1]) if not ok then return 0 end "
         "local p = cmsgpack.pack(v) local ok2, w = pcall(cmsgpack.unpack, p) assert(ok2, w) return 1"),
        "local ok, v = pcall(cjson.decode, ARGV[1]) if not ok then return 0 end pcall(cjson.encode, v) return 1",
        "return pcall(struct.unpack, ARGV[1], ARGV[1]) and 1 or 0",
        "return pcall(struct.pack, ARGV[1], 1, 2, 'x', 3, 'yy', 4) and 1 or 0",
    };
    static const char letters[] = "<>!bBhHlLTiIfdsxc0123456789 {}[]\",:truefalsn-.e\\u";
    struct script_kit *k = script_kit_new();
    struct errmsg m;
    struct rand r = {.state = 20261122};
    unsigned read = 0;
    for (unsigned i = 0; i < 40000; i++) {
        char bytes[64];
        const size_t n = rand_below(&r, sizeof bytes);
        for (size_t b = 0; b < n; b++)
            bytes[b] = i % 2 ? (char)rand_below(&r, 256) : letters[rand_below(&r, sizeof letters - 1)];
        const struct span arg = span_of(bytes, n);
        const struct cached_script *s = script_cache_get(k->cache, span_str(codes[i / 2 % 4]), &m);
        const struct script_run run = {.function = s->function, .args = &arg, .arg_count = 1, .name = s->sha};
        const char *reply = script_kit_finish(k, script_cache_vm(k->cache), &run, 2);
        cr_assert(reply[0] == ':', "%s", reply);
        read += reply[1] == '1';
    }
    cr_assert_gt(read, 1000);
    script_kit_free(k);
}
