/* signer_pkcs11: keys on PKCS#11 tokens, see key.h and token_uri.h.
 *
 * OpenSSL's engine "pkcs11" is loaded only when a token is asked for, and only in a child: modules
 * of makers of tokens are foreign code that may hang, crash or write to standard error, and the
 * engine tears down badly at exit. One child per operation; it answers through a pipe with 'K' and
 * text, or 'E' and a struct err. The program that forks has one thread.
 *
 * A PIN is given to the token once: tokens lock themselves after a few wrong ones.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: Debian 12 has no provider for PKCS#11 */

#include <errno.h>
#include <fcntl.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tuf/signer_child.h"
#include "tuf/signer_internal.h"
#include "tuf/signer_pkcs11.h"

#define ENGINE_ID   "pkcs11"
#define ANSWER_MAX  4096 /* key object, signature or struct err */
#define CHATTER_MAX 4096 /* of what the engine says on standard error */
#define QUEUE_MAX   16

struct pin {
    const char *text;
    int asked;
};

/* Why the engine failed, told by an error's library and reason, or by what it says on standard
 * error where its errors do not tell cases apart. The first row that fits. */
static const struct cause {
    const char *says; /* NULL: by lib and reason */
    const char *lib;
    int reason; /* of "PKCS#11 module": the CKR_ value */
    enum err_code code;
    const char *message, *remedy;
} causes[] = {
    {NULL, "PKCS#11 module", 0xa4, ERR_REFUSED, "the token has locked its PIN after wrong ones",
     "unlock it with the token's own tool and its security officer's PIN"},
    {NULL, "PKCS#11 module", 0xa0, ERR_REFUSED, "wrong PIN for the token",
     "give the right one with --passphrase-file; a token locks itself after a few wrong ones"},
    {NULL, "PKCS#11 module", 0xa1, ERR_REFUSED, "the token takes no such PIN",
     "give the right one with --passphrase-file"},
    {NULL, "PKCS#11 module", 0xa2, ERR_REFUSED, "the PIN is too short or too long for the token",
     "give the right one with --passphrase-file"},
    {NULL, "PKCS#11 module", 0xa3, ERR_REFUSED, "the token's PIN has expired",
     "set a new one with the token's own tool"},
    {NULL, "PKCS#11 module", 0x102, ERR_REFUSED, "the token has no user PIN yet",
     "set one with the token's own tool"},
    {NULL, "PKCS#11 module", 0xe0, ERR_NOT_FOUND, "the token is not there", "plug it in"},
    {NULL, "PKCS#11 module", 0x32, ERR_NOT_FOUND, "the token was removed", "plug it in"},
    {NULL, "PKCS#11 module", 0x70, ERR_INVALID, "the token cannot sign by the key's scheme",
     "use a P-256 key there"},
    {NULL, "libp11", 0x401, ERR_NOT_FOUND, "the PKCS#11 module cannot be loaded",
     "name the file that the token's maker gives with '?module-path=FILE'"},
    {"No matching initialized token", NULL, 0, ERR_NOT_FOUND, "no such token is there",
     "plug it in; 'pkcs11-tool -L' or 'p11tool --list-tokens' lists tokens"},
    {"Unable to enumerate", NULL, 0, ERR_REFUSED,
     "the engine cannot read the token's keys; it reads none where one is an Ed25519 key",
     "use a P-256 key, on a token without Ed25519 keys; keep Ed25519 keys in files"},
    {NULL, "pkcs11 engine", 0x65, ERR_NOT_FOUND, "the token has no such private key",
     "check object= or id=; 'pkcs11-tool -O --login' or 'p11tool --list-keys' lists them"},
    {NULL, "pkcs11 engine", 0x64, ERR_USAGE, "the engine does not understand the URI", NULL},
};

static int give_pin(char *ret, int size, int rwflag, void *ctx)
{
    struct pin *p = ctx;
    size_t n = p->text ? strlen(p->text) : 0;

    (void)rwflag;
    if (p->asked++ || !p->text || n > (size_t)size)
        return -1; /* never a prompt, never a second try */
    memcpy(ret, p->text, n);
    return (int)n;
}

static bool queue_has(const unsigned long *queue, int n, const char *lib, int reason)
{
    for (int i = 0; i < n; i++) {
        const char *name = ERR_lib_error_string(queue[i]);

        if (name && !strcmp(name, lib) && ERR_GET_REASON(queue[i]) == reason)
            return true;
    }
    return false;
}

/* What the engine and OpenSSL's errors tell, as one error. */
static int explain(const char *chatter, const struct pin *pin, struct err *err)
{
    unsigned long queue[QUEUE_MAX];
    const char *reason;
    int n = 0;

    while (n < QUEUE_MAX && (queue[n] = ERR_get_error()))
        n++;
    if (pin->asked && !pin->text) {
        err_set(err, ERR_REFUSED, "the token asks for its PIN and none was given");
        return err_remedy(err, "give the PIN with --passphrase-file");
    }
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        const struct cause *c = &causes[i];

        if (c->says ? !strstr(chatter, c->says) : !queue_has(queue, n, c->lib, c->reason))
            continue;
        err_set(err, c->code, "%s", c->message);
        return c->remedy ? err_remedy(err, "%s", c->remedy) : -(int)c->code;
    }
    reason = n ? ERR_reason_error_string(queue[0]) : NULL;
    return err_set(err, ERR_IO, "the token fails: %s%s%.*s", reason ? reason : "unknown reason",
                   *chatter ? "; " : "", (int)strcspn(chatter, "\n"), chatter);
}

static int open_engine(const struct token_uri *token, ENGINE **ret, struct err *err)
{
    ENGINE *e;

    ENGINE_load_dynamic();
    e = ENGINE_by_id(ENGINE_ID);
    if (!e) {
        err_set(err, ERR_NOT_FOUND, "OpenSSL's engine '" ENGINE_ID "' is not installed");
        return err_remedy(err, "install the package libengine-pkcs11-openssl");
    }
    if ((token->module[0] && ENGINE_ctrl_cmd_string(e, "MODULE_PATH", token->module, 0) != 1) ||
        ENGINE_init(e) != 1)
        return err_set(err, ERR_INTERNAL, "OpenSSL's engine '" ENGINE_ID "' does not start");
    *ret = e;
    return 0;
}

/* In the child: what `fd`, its standard error by now, has got. */
static void read_chatter(int fd, char ret[CHATTER_MAX])
{
    ssize_t n = pread(fd, ret, CHATTER_MAX - 1, 0);

    ret[n > 0 ? n : 0] = '\0';
}

static int tell_key(const struct key *key, struct buf *ret, struct err *err)
{
    json_auto_t *o = key_to_json(key);
    _cleanup_(free_p)
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

    return text && buf_adds(ret, text) == 0 ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* Once the key is there. */
static int answer(const struct token_job *job, EVP_PKEY *pkey, struct buf *ret, struct err *err)
{
    char hex[KEY_SIG_MAX + 1];
    _cleanup_(key_free_p)
    struct key *key = NULL;
    int r;

    if (!job->key) {
        r = key_from_pkey(pkey, &key, err);
        return r < 0 ? r : tell_key(key, ret, err);
    }
    r = signer_sign_with(job->key, pkey, job->data, job->len, hex, err);
    return r == 0 && buf_adds(ret, hex) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : r;
}

/* In the child; nothing is torn down, for it ends at once. */
static int ask_token(const struct token_job *job, int chatter_fd, struct buf *ret, struct err *err)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_pin, 0);
    struct pin pin = {.text = job->pin};
    char chatter[CHATTER_MAX];
    EVP_PKEY *pkey;
    ENGINE *e = NULL;
    int r = ui ? open_engine(job->token, &e, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r < 0)
        return r;
    pkey = ENGINE_load_private_key(e, job->token->uri, ui, &pin);
    if (pkey) {
        pin.asked = 0; /* some keys want it again at each signature */
        r = answer(job, pkey, ret, err);
    }
    if (pkey && r != -ERR_INTERNAL)
        return r;
    read_chatter(chatter_fd, chatter);
    return explain(chatter, &pin, err);
}

/* Handlers of the parent have no business here, least of all where the module crashes. */
static void normal_signals(void)
{
    sigset_t none;

    for (int i = 1; i < SIGRTMIN; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct token_job *job, int out)
{
    int chatter_fd = memfd_create("token-chatter", MFD_CLOEXEC);
    struct err err = {0};
    struct buf text;
    int r;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0); /* no core file with a PIN in it */
    normal_signals();
    if (chatter_fd < 0 || dup2(chatter_fd, STDERR_FILENO) < 0)
        _exit(1);
    buf_init(&text, ANSWER_MAX);
    r = buf_addc(&text, 'K') == 0 ? ask_token(job, chatter_fd, &text, &err) : -ERR_NOMEM;
    if (r < 0) {
        buf_reset(&text);
        r = buf_addc(&text, 'E') == 0 ? buf_add(&text, &err, sizeof err) : -1;
    }
    if (r == 0)
        r = file_write_all(out, text.data, text.len, &err);
    _exit(r == 0 ? 0 : 1);
}

/* The child's answer: its text, or its error. */
static int take_answer(const struct buf *answered, struct buf *ret, struct err *err)
{
    struct err told;

    if (answered->len > 0 && answered->data[0] == 'K')
        return buf_add(ret, answered->data + 1, answered->len - 1);
    if (answered->len != 1 + sizeof told)
        return err_set(err, ERR_INTERNAL, "the token's process gave no answer");
    memcpy(&told, answered->data + 1, sizeof told);
    if (told.code <= ERR_OK || told.code >= ERR_N_CODES)
        return err_set(err, ERR_INTERNAL, "the token's process gave no answer");
    err_set(err, told.code, "%.*s", (int)sizeof told.msg, told.msg);
    return told.remedy[0] ? err_remedy(err, "%.*s", (int)sizeof told.remedy, told.remedy)
                          : -(int)told.code;
}

int signer_pkcs11_ask(const struct token_job *job, int64_t deadline_ms, struct buf *ret,
                      struct err *err)
{
    int64_t until_ms = clock_awake_ms(clock_system()) + deadline_ms;
    _cleanup_(buf_release)
    struct buf answered;
    int fds[2], r;
    pid_t pid;

    buf_init(&answered, ANSWER_MAX);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    pid = fork();
    if (pid == 0)
        child(job, fds[1]);
    r = pid < 0 ? err_errno(err, errno, "fork") : 0;
    close(fds[1]);
    if (r == 0) {
        setpgid(pid, pid); /* by both, so that it is done whoever comes first */
        r = signer_child_collect(pid, fds[0], until_ms, "the token's module", &answered, err);
    }
    close(fds[0]);
    if (r == -ERR_TIMEOUT)
        return err_remedy(err, "some tokens wait for a touch or a PIN of their own; try again");
    if (r == -ERR_REFUSED)
        return err_remedy(err, "ask the token's maker for another version of its module");
    return r < 0 ? r : take_answer(&answered, ret, err);
}

static int open_token(const char *rest, const char *passphrase, struct signer *s, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    struct token_job job = {.pin = passphrase};
    struct token_uri token;
    int r;

    buf_init(&text, ANSWER_MAX);
    s->where = strdup(rest);
    s->pin = passphrase ? strdup(passphrase) : NULL;
    if (!s->where || (passphrase && !s->pin))
        return err_set(err, ERR_NOMEM, "out of memory");
    r = token_uri_parse(rest, &token, err);
    if (r < 0)
        return r;
    job.token = &token;
    r = signer_pkcs11_ask(&job, SIGNER_DEADLINE_MS, &text, err);
    if (r == 0)
        r = signer_parse_key(&text, &s->key, err);
    return err_context(err, r, "'%.160s'", token.uri);
}

static int sign_with_token(const struct signer *s, const void *data, size_t len,
                           char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    struct token_uri token = {0};
    struct token_job job = {
        .token = &token, .pin = s->pin, .key = s->key, .data = data, .len = len};
    int r;

    buf_init(&text, KEY_SIG_MAX);
    r = token_uri_parse(s->where, &token, err);
    if (r == 0)
        r = signer_pkcs11_ask(&job, SIGNER_DEADLINE_MS, &text, err);
    if (r < 0)
        return err_context(err, r, "'%.160s'", token.uri);
    memcpy(ret_hex, text.data, text.len + 1);
    return 0;
}

const struct signer_kind signer_kind_pkcs11 = {"pkcs11:", open_token, sign_with_token};
