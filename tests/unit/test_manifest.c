#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/files.h"
#include "replication/manifest.h"

static const char redis_text[] = "# a comment\n"
                                 "file appendonly.aof.2.base.rdb seq 2 type b\n"
                                 "file appendonly.aof.4.incr.aof seq 4 type i future-key 7\n"
                                 "file \"odd \\x22name\\\".aof\" seq 5 type i\n"
                                 "file appendonly.aof.1.base.rdb seq 1 type h\n";

Test(aof_manifest, what_redis_writes_is_read)
{
    struct aof_manifest a = {0};
    struct errmsg m;
    cr_assert_eq(aof_manifest_decode(span_str(redis_text), &a, &m), ERR_OK, "%s", m.text);
    cr_assert_eq(a.count, 4);
    cr_expect(a.files[0].type == 'b' && a.files[0].seq == 2);
    cr_expect_str_eq(a.files[2].name, "odd \"name\".aof");
    struct buf out = {0};
    struct aof_manifest again = {0};
    aof_manifest_encode(&a, &out);
    cr_assert_eq(aof_manifest_decode(buf_span(&out), &again, &m), ERR_OK, "%s", m.text);
    cr_expect_str_eq(again.files[2].name, a.files[2].name);
    aof_manifest_free(&a);
    aof_manifest_free(&again);
    buf_free(&out);
}

Test(aof_manifest, what_redis_refuses_is_refused)
{
    static const char *const refused[] = {"",
                                          "\n",
                                          "file a seq 1 type b",
                                          "file a seq 1\n",
                                          "file a/b seq 1 type i\n",
                                          "file .. seq 1 type i\n",
                                          "file a seq 0 type i\n",
                                          "file a seq 1 type x\n",
                                          "file a seq x type i\n",
                                          "file \"a seq 1 type i\n",
                                          "file a seq 1 type b\nfile b seq 2 type b\n",
                                          "file a seq 2 type i\nfile b seq 2 type i\n"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct aof_manifest a = {0};
        cr_expect_eq(aof_manifest_decode(span_str(refused[i]), &a, NULL), ERR_CORRUPT, "%s", refused[i]);
    }
}

static struct manifest sample(void)
{
    struct manifest m = {.node = {{1, 2, 3}}, .incarnation = 9, .epoch_seen = 12};
    m.history.lineage.bytes[0] = 0xab;
    cr_assert_eq(history_add(&m.history, &(struct epoch){1, 77, 0, 0}), ERR_OK);
    cr_assert_eq(history_add(&m.history, &(struct epoch){3, 78, 500, 0xdeadbeef}), ERR_OK);
    manifest_add_segment(&m, "appendonly.aof.1.incr.aof", 1, 0, 0);
    manifest_add_segment(&m, "appendonly.aof.2.incr.aof", 2, 400, 0x55);
    manifest_add_segment(&m, "appendonly.aof.3.incr.aof", 3, 600, 0x66);
    manifest_set_base(&m, "appendonly.aof.0.base.rdb", 0, &(struct position){1, 300, 0x44});
    manifest_retire_base(&m);
    manifest_set_base(&m, "appendonly.aof.1.base.rdb", 1, &(struct position){1, 400, 0x55});
    manifest_set_peers(&m, &(struct peer){.id = {{4}}, .host = (char[]){"db-2.example"}, .port = 6380}, 1);
    return m;
}

Test(manifest, ours_is_read_back)
{
    struct manifest m = sample(), back = {0}, copy = {0};
    struct buf text = {0}, again = {0};
    struct errmsg why;
    manifest_encode(&m, &text);
    cr_assert_eq(manifest_decode(buf_span(&text), &back, &why), ERR_OK, "%s", why.text);
    manifest_copy(&copy, &back);
    manifest_encode(&copy, &again);
    cr_expect(span_eq(buf_span(&text), buf_span(&again)));
    cr_expect(back.kept_count == 1 && back.kept[0].position.crc == 0x44);
    cr_expect(back.segment_count == 3 && back.base.position.offset == 400 && back.peers[0].port == 6380);
    manifest_free(&m);
    manifest_free(&back);
    manifest_free(&copy);
    buf_free(&text);
    buf_free(&again);
}

Test(manifest, redis_is_shown_the_base_and_what_follows_it)
{
    struct manifest m = sample();
    struct aof_manifest a = {0};
    manifest_for_redis(&m, &a);
    cr_assert_eq(a.count, 3);
    cr_expect_str_eq(a.files[0].name, "appendonly.aof.1.base.rdb");
    cr_expect_str_eq(a.files[1].name, "appendonly.aof.2.incr.aof");
    aof_manifest_free(&a);
    manifest_free(&m);
}

Test(manifest, every_flipped_byte_and_every_cut_is_found)
{
    struct manifest m = sample(), back = {0};
    struct buf text = {0};
    manifest_encode(&m, &text);
    for (size_t i = 0; i < text.len; i++) {
        text.p[i] = (char)(text.p[i] ^ 1);
        cr_expect_neq(manifest_decode(buf_span(&text), &back, NULL), ERR_OK, "byte %zu", i);
        text.p[i] = (char)(text.p[i] ^ 1);
        cr_expect_neq(manifest_decode(span_of(text.p, i), &back, NULL), ERR_OK, "cut at %zu", i);
    }
    manifest_free(&m);
    buf_free(&text);
}

Test(manifest, a_later_version_is_named_as_such_and_unknown_keys_are_skipped)
{
    struct manifest back = {0};
    struct buf text = {0};
    struct errmsg why;
    buf_add_span(&text, SPAN("relevo-manifest 2\nanything\n"));
    buf_printf(&text, "crc %08x\n", batch_crc32c(0, text.p, text.len));
    cr_expect_eq(manifest_decode(buf_span(&text), &back, &why), ERR_FOREIGN);
    text.len = 0;
    buf_add_span(&text, SPAN("relevo-manifest 1\nincarnation 3\nanything at all\n"));
    buf_printf(&text, "crc %08x\n", batch_crc32c(0, text.p, text.len));
    cr_expect_eq(manifest_decode(buf_span(&text), &back, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(back.incarnation, 3);
    manifest_free(&back);
    buf_free(&text);
}

/* The call, counted from 0, that fails. */
struct fault {
    int at, calls;
};

static bool hit(void *context)
{
    struct fault *f = context;
    if (f->calls++ != f->at) return false;
    errno = EIO;
    return true;
}

static int faulty_open(void *c, const char *path, int flags, mode_t mode)
{
    return hit(c) ? -1 : io_posix.open(NULL, path, flags, mode);
}
static ssize_t faulty_writev(void *c, int fd, const struct iovec *v, int n)
{
    return hit(c) ? -1 : io_posix.writev(NULL, fd, v, n);
}
static int faulty_fsync(void *c, int fd) { return hit(c) ? -1 : io_posix.fsync(NULL, fd); }
static int faulty_rename(void *c, const char *from, const char *to)
{
    return hit(c) ? -1 : io_posix.rename(NULL, from, to);
}

Test(files, a_file_is_replaced_as_a_whole_or_not_at_all)
{
    char dir[] = "/tmp/relevo-test-XXXXXX";
    cr_assert(mkdtemp(dir));
    char *path = path_join(dir, "file");
    for (int at = 0; at < 6; at++) {
        struct fault f = {.at = at};
        struct io_ops io = io_posix;
        io.context = &f;
        io.open = faulty_open;
        io.writev = faulty_writev;
        io.fsync = faulty_fsync;
        io.rename = faulty_rename;
        struct errmsg m;
        cr_assert_eq(file_replace(&io_posix, dir, "file", SPAN("old"), &m), ERR_OK, "%s", m.text);
        const enum err e = file_replace(&io, dir, "file", SPAN("brand new"), &m);
        struct buf got = {0};
        cr_assert_eq(file_read(&io_posix, path, 100, &got, &m), ERR_OK);
        cr_expect_eq(e == ERR_OK, f.calls <= at);
        if (!e || got.len != 3) cr_expect(span_eq(buf_span(&got), SPAN("brand new")));
        else cr_expect(span_eq(buf_span(&got), SPAN("old")));
        buf_free(&got);
    }
    mem_free(path);
    cr_expect_eq(dir_remove(&io_posix, dir, NULL), ERR_OK);
}
