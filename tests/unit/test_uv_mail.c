#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "replication/uv_mail.h"

static void on_mail(uv_async_t *wake) { (void)wake; }

static void init(struct mailbox *b, uv_loop_t *loop)
{
    struct errmsg m;
    cr_assert_eq(uv_loop_init(loop), 0);
    cr_assert_eq(mail_init(b, loop, on_mail, NULL, &m), ERR_OK);
}

static void end(struct mailbox *b, uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(loop), 0);
    uv_mutex_destroy(&b->mutex);
}

/* A letter that hands a connection over, as the end of a pipe; @other is the end that we keep. */
static struct letter *with_descriptor(int *other)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    struct letter *l = letter_new(LETTER_ADOPT);
    l->fd = ends[1];
    *other = ends[0];
    return l;
}

/* A pipe of which the other end is open would have read() wait; this says so without waiting. */
static bool other_end_is_closed(int fd)
{
    char byte;
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    const bool closed = read(fd, &byte, 1) == 0;
    (void)close(fd);
    return closed;
}

Test(uv_mail, letters_come_in_order)
{
    struct mailbox b;
    uv_loop_t loop;
    init(&b, &loop);
    for (unsigned i = 0; i < 3; i++) {
        struct letter *l = letter_new(LETTER_SUBMIT);
        l->number = i;
        mail_put(&b, l);
    }
    struct letter *l = mail_take(&b);
    for (unsigned i = 0; i < 3; i++) {
        struct letter *next = l->next;
        cr_expect_eq(l->number, i);
        letter_free(l);
        l = next;
    }
    cr_expect_null(l);
    mail_close(&b, NULL);
    end(&b, &loop);
}

Test(uv_mail, a_connection_that_nobody_takes_over_is_closed)
{
    struct mailbox b;
    uv_loop_t loop;
    int waiting, late;
    init(&b, &loop);
    mail_put(&b, with_descriptor(&waiting));
    mail_close(&b, NULL);
    mail_put(&b, with_descriptor(&late));
    cr_expect(other_end_is_closed(waiting));
    cr_expect(other_end_is_closed(late));
    end(&b, &loop);
}
