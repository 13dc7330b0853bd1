/* signer_cmd: signer commands, see key.h and signer_child.h; their protocol is in docs/keys.md. */
#include "tuf/signer_child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "tuf/signer_internal.h"

#define OUTPUT_MAX 4096 /* of "public" */

extern char **environ;

/* Standard input is a memory file: nothing to feed, so no deadlock and no SIGPIPE. */
static int make_input(const void *data, size_t len, int *ret_fd, struct err *err)
{
    int fd = memfd_create("signer-input", MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, errno, "memfd_create");
    r = file_write_all(fd, data, len, err);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(err, errno, "lseek");
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int start(const char *path, const char *arg, int in, int out, pid_t *ret)
{
    char *argv[] = {(char *)path, (char *)arg, NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, normal;
    int e;

    if ((e = posix_spawn_file_actions_init(&fa)))
        return e;
    if ((e = posix_spawnattr_init(&attr))) {
        posix_spawn_file_actions_destroy(&fa);
        return e;
    }
    sigemptyset(&none);
    sigemptyset(&normal);
    sigaddset(&normal, SIGPIPE);
    if (!(e = posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO)) &&
        !(e = posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO)) &&
        !(e = posix_spawnattr_setpgroup(&attr, 0)) &&
        !(e = posix_spawnattr_setsigmask(&attr, &none)) &&
        !(e = posix_spawnattr_setsigdefault(&attr, &normal)) &&
        !(e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF)))
        e = posix_spawn(ret, path, &fa, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

int signer_cmd_run(const char *path, const char *arg, const void *data, size_t len,
                   int64_t deadline_ms, struct buf *ret, struct err *err)
{
    int64_t until_ms = clock_awake_ms(clock_system()) + deadline_ms;
    _cleanup_(close_p)
    int in = -1;
    _cleanup_(close_p)
    int out = -1;
    char what[256];
    int fds[2], e, r;
    pid_t pid;

    r = make_input(data, len, &in, err);
    if (r < 0)
        return r;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    out = fds[0];
    e = start(path, arg, in, fds[1], &pid);
    close(fds[1]);
    if (e)
        return err_errno(err, e, "run signer command '%s'", path);
    snprintf(what, sizeof what, "signer command '%.200s'", path);
    return signer_child_collect(pid, out, until_ms, what, ret, err);
}

static int open_command(const char *path, const char *passphrase, struct signer *s, struct err *err)
{
    struct buf out;
    int r;

    (void)passphrase; /* the program has its own way to its key */
    s->where = strdup(path);
    if (!s->where)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&out, OUTPUT_MAX);
    r = signer_cmd_run(path, "public", "", 0, SIGNER_DEADLINE_MS, &out, err);
    if (r == 0)
        r = signer_parse_key(&out, &s->key, err);
    buf_release(&out);
    return err_context(err, r, "public key of signer '%s'", path);
}

/* One line of hexadecimal digits, and nothing else. */
static int take_signature(const char *path, const struct buf *out, char ret_hex[KEY_SIG_MAX + 1],
                          struct err *err)
{
    size_t n = strspn(out->data, "0123456789abcdefABCDEF");
    size_t rest = n + strspn(out->data + n, "\r\n");

    if (n == 0 || rest != out->len || n % 2) {
        err_set(err, ERR_INVALID, "signer command '%s' printed no signature in hexadecimal", path);
        return err_remedy(err, "print one line of hexadecimal digits, not base64 or bytes");
    }
    if (n > KEY_SIG_MAX)
        return err_set(err, ERR_TOO_LARGE, "signer command '%s' printed too much", path);
    for (size_t i = 0; i < n; i++)
        ret_hex[i] = (char)tolower((unsigned char)out->data[i]);
    ret_hex[n] = '\0';
    return 0;
}

static int sign_with_command(const struct signer *s, const void *data, size_t len,
                             char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    struct buf out;
    int r;

    buf_init(&out, KEY_SIG_MAX + 2); /* room for a line end */
    r = signer_cmd_run(s->where, NULL, data, len, SIGNER_DEADLINE_MS, &out, err);
    if (r == 0)
        r = take_signature(s->where, &out, ret_hex, err);
    buf_release(&out);
    return r;
}

const struct signer_kind signer_kind_cmd = {"cmd:", open_command, sign_with_command};
