/* key and signer: published vectors, files, commands, and every refusal that names its cause. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "key_vectors.h"
#include "tuf/key.h"
#include "tuf/signer_child.h"

/* RFC 8032, section 7.1, test 3. */
#define RFC8032_PUBLIC "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
#define RFC8032_SIG                                                                                \
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"                             \
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
/* The same key's seed as PKCS#8. */
#define RFC8032_PEM                                                                                \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3\n"                           \
    "-----END PRIVATE KEY-----\n"

static char dir[] = "/tmp/fb-key-XXXXXX";

static char *in_dir(const char *name)
{
    char *p = path_join(dir, name);

    assert_non_null(p);
    return p;
}

static char *write_file(const char *name, const char *text, mode_t mode)
{
    struct err err = {0};
    char *p = in_dir(name);

    assert_int_equal(file_write_durable(p, text, strlen(text), mode, &err), 0);
    return p;
}

static struct key *key_of(const char *keytype, const char *scheme, const char *public_text)
{
    json_auto_t *o = json_pack("{s:s,s:s,s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval",
                               "public", public_text);
    struct err err = {0};
    struct key *k = NULL;

    assert_int_equal(key_from_json(o, &k, &err), 0);
    return k;
}

static void test_rfc8032(void **state)
{
    static const unsigned char msg[] = {0xaf, 0x82};
    _cleanup_(key_free_p)
    struct key *k = key_of("ed25519", "ed25519", RFC8032_PUBLIC);
    char bad[] = RFC8032_SIG;

    (void)state;
    assert_true(key_verify(k, msg, sizeof msg, RFC8032_SIG));
    assert_false(key_verify(k, msg, 1, RFC8032_SIG));
    bad[5] ^= 1;
    assert_false(key_verify(k, msg, sizeof msg, bad));
    assert_false(key_verify(k, msg, sizeof msg, ""));
    assert_false(key_verify(k, msg, sizeof msg, "6"));
    assert_false(key_verify(k, msg, sizeof msg, "zz"));
    assert_false(key_verify(k, msg, sizeof msg, RFC8032_SIG "00"));
}

static void test_signs_as_rfc8032(void **state)
{
    static const unsigned char msg[] = {0xaf, 0x82};
    _cleanup_(free_p)
    char *path = write_file("rfc8032.pem", RFC8032_PEM, 0600);
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    char hex[KEY_SIG_MAX + 1];
    struct err err = {0};

    (void)state;
    assert_int_equal(signer_open(path, NULL, &s, &err), 0);
    assert_int_equal(signer_sign(s, msg, sizeof msg, hex, &err), 0);
    assert_string_equal(hex, RFC8032_SIG);
}

static void test_key_id_is_hash_of_canonical_object(void **state)
{
    static const char canonical[] = "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":"
                                    "\"" RFC8032_PUBLIC "\"},\"scheme\":\"ed25519\"}";
    _cleanup_(key_free_p)
    struct key *k = key_of("ed25519", "ed25519", RFC8032_PUBLIC);
    _cleanup_(key_free_p)
    struct key *named = NULL;
    json_auto_t *o = key_to_json(k);
    char want[SHA256_HEX_LEN + 1];
    struct err err = {0};

    (void)state;
    sha256_hex(canonical, strlen(canonical), want);
    assert_string_equal(key_id(k), want);
    assert_int_equal(key_from_json_as(o, "given", &named, &err), 0);
    assert_string_equal(key_id(named), "given");
    assert_true(key_same(k, named));
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        _cleanup_(key_free_p)
        struct key *k = key_of(vectors[i].keytype, vectors[i].scheme, vectors[i].public_text);

        if (key_verify(k, VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), vectors[i].sig) !=
            vectors[i].valid)
            fail_msg("%s: valid should be %d", vectors[i].what, vectors[i].valid);
        assert_false(key_verify(k, VECTOR_MESSAGE, 1, vectors[i].sig));
        if (vectors[i].id)
            assert_string_equal(key_id(k), vectors[i].id);
    }
}

static void test_broken_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken_keys / sizeof broken_keys[0]; i++) {
        json_auto_t *o =
            json_pack("{s:s,s:s,s:{s:s}}", "keytype", broken_keys[i].keytype, "scheme",
                      broken_keys[i].scheme, "keyval", "public", broken_keys[i].public_text);
        struct err err = {0};
        struct key *k = NULL;

        if (key_from_json(o, &k, &err) != -ERR_INVALID || k)
            fail_msg("%s: should be refused", broken_keys[i].what);
        if (!strstr(err.msg, broken_keys[i].why))
            fail_msg("%s: refused as '%s'", broken_keys[i].what, err.msg);
    }
}

static void test_bad_keys(void **state)
{
    static const char *const rows[] = {
        "{}",
        "[]",
        "{\"keytype\":\"dsa\",\"scheme\":\"dsa\",\"keyval\":{\"public\":\"00\"}}",
        "{\"keytype\":\"ed25519\",\"scheme\":\"rsa\",\"keyval\":{\"public\":\"00\"}}",
        "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"00\"}}",
        "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{}}",
        "{\"keytype\":\"ecdsa\",\"scheme\":\"ecdsa-sha2-nistp256\",\"keyval\":{\"public\":\"x\"}}",
        /* an ed25519 key where P-256 is claimed */
        "{\"keytype\":\"ecdsa\",\"scheme\":\"ecdsa-sha2-nistp256\",\"keyval\":{\"public\":"
        "\"-----BEGIN PUBLIC KEY-----\\n"
        "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\\n"
        "-----END PUBLIC KEY-----\\n\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_auto_t *o = json_loads(rows[i], 0, NULL);
        struct err err = {0};
        struct key *k = NULL;

        assert_non_null(o);
        assert_int_equal(key_from_json(o, &k, &err), -ERR_INVALID);
        assert_null(k);
    }
}

static void round_trip(const char *keytype, const char *name, const char *passphrase)
{
    _cleanup_(free_p)
    char *path = in_dir(name);
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    _cleanup_(key_free_p)
    struct key *again = NULL;
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    char hex[KEY_SIG_MAX + 1];
    struct err err = {0};
    struct stat st;

    assert_int_equal(key_generate(keytype, path, passphrase, &pub, &err), 0);
    assert_int_equal(key_generate(keytype, path, passphrase, NULL, &err), -ERR_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(signer_open(path, passphrase, &s, &err), 0);
    assert_string_equal(key_id(signer_key(s)), key_id(pub));
    json_auto_t *o = key_to_json(pub);
    assert_int_equal(key_from_json(o, &again, &err), 0);
    assert_int_equal(signer_sign(s, "data", 4, hex, &err), 0);
    assert_true(key_verify(again, "data", 4, hex));
    assert_false(key_verify(again, "dat", 3, hex));
}

/* A PEM that claims to be encrypted: OpenSSL would ask a terminal for the passphrase, or where
 * there is none, standard input. */
#define ENCRYPTED_PUBLIC                                                                           \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "Proc-Type: 4,ENCRYPTED\n"                                                                     \
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"                                     \
    "\n"                                                                                           \
    "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n"                               \
    "-----END PUBLIC KEY-----\n"

/* In a session without a terminal; how many bytes of standard input were left. */
static int left_of_stdin(const char *public_text)
{
    json_auto_t *o = json_pack("{s:s,s:s,s:{s:s}}", "keytype", "ecdsa", "scheme",
                               "ecdsa-sha2-nistp256", "keyval", "public", public_text);
    struct err err = {0};
    struct key *k = NULL;
    char rest[16];

    setsid();
    if (key_from_json(o, &k, &err) != -ERR_INVALID || k)
        return -1;
    return (int)read(STDIN_FILENO, rest, sizeof rest);
}

static void test_keys_never_ask_for_a_passphrase(void **state)
{
    int in[2], status = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(write(in[1], "secret\n", 7), 7);
    close(in[1]);
    pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        _exit(left_of_stdin(ENCRYPTED_PUBLIC) == 7 ? 0 : 1);
    }
    close(in[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip("ed25519", "ed.pem", NULL);
    round_trip("ed25519", "ed-enc.pem", "correct horse");
    round_trip("ecdsa", "ec.pem", NULL);
    round_trip("ecdsa", "ec-enc.pem", "correct horse");
    round_trip("ecdsa-p384", "ec384.pem", "correct horse");
    round_trip("rsa", "rsa.pem", "correct horse");
}

static void test_file_refusals(void **state)
{
    _cleanup_(free_p)
    char *enc = in_dir("refused-enc.pem");
    _cleanup_(free_p)
    char *open_to_all = write_file("open.pem", RFC8032_PEM, 0644);
    _cleanup_(free_p)
    char *junk = write_file("junk.pem", "not a key\n", 0600);
    _cleanup_(free_p)
    char *none = in_dir("none.pem");
    struct signer *s = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(key_generate("dsa", none, NULL, NULL, &err), -ERR_INVALID);
    assert_int_equal(key_generate("ed25519", none, "", NULL, &err), -ERR_INVALID);
    assert_int_equal(key_generate("ed25519", enc, "right", NULL, &err), 0);
    assert_int_equal(signer_open(enc, NULL, &s, &err), -ERR_REFUSED);
    assert_non_null(strstr(err.msg, "encrypted"));
    assert_non_null(strstr(err.remedy, "--passphrase-file"));
    assert_int_equal(signer_open(enc, "wrong", &s, &err), -ERR_REFUSED);
    assert_non_null(strstr(err.msg, "wrong passphrase"));
    assert_int_equal(signer_open(open_to_all, NULL, &s, &err), -ERR_REFUSED);
    assert_int_equal(signer_open(junk, NULL, &s, &err), -ERR_INVALID);
    assert_int_equal(signer_open(none, NULL, &s, &err), -ERR_NOT_FOUND);
    assert_int_equal(signer_open("pkcs11:token=x", NULL, &s, &err), -ERR_USAGE);
    assert_null(s);
}

static void must_open(const char *path, const char *passphrase, const char *want_id)
{
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    struct err err = {0};

    if (signer_open(path, passphrase, &s, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(key_id(signer_key(s)), want_id);
}

static void test_change_passphrase(void **state)
{
    _cleanup_(free_p)
    char *path = in_dir("changing.pem");
    _cleanup_(free_p)
    char *link_path = in_dir("changing-link.pem");
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    struct signer *s = NULL;
    struct err err = {0};
    struct stat st;
    char text[4096];
    ssize_t n;
    int old_fd;

    (void)state;
    assert_int_equal(key_generate("ecdsa", path, "old one", &pub, &err), 0);
    assert_int_equal(key_change_passphrase(path, "wrong", "new one", NULL, &err), -ERR_REFUSED);
    assert_int_equal(key_change_passphrase(path, NULL, "new one", NULL, &err), -ERR_REFUSED);
    assert_int_equal(key_change_passphrase(path, "old one", "", NULL, &err), -ERR_INVALID);
    must_open(path, "old one", key_id(pub));

    old_fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(key_change_passphrase(link_path, "old one", "new one", NULL, &err), 0);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    must_open(path, "new one", key_id(pub));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(signer_open(path, "old one", &s, &err), -ERR_REFUSED);

    /* the old content is zeros now */
    n = read(old_fd, text, sizeof text);
    assert_true(n > 0);
    while (n > 0)
        assert_int_equal(text[--n], 0);
    close(old_fd);

    assert_int_equal(key_change_passphrase(path, "new one", NULL, NULL, &err), 0);
    must_open(path, NULL, key_id(pub));
    assert_int_equal(key_change_passphrase(path, NULL, "third", NULL, &err), 0);
    must_open(path, "third", key_id(pub));
}

/* Another name of the file is somebody's backup: it is left as it is. */
static void test_change_leaves_other_names(void **state)
{
    _cleanup_(free_p)
    char *path = in_dir("linked.pem");
    _cleanup_(free_p)
    char *other = in_dir("linked-other.pem");
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(key_generate("ed25519", path, "old one", &pub, &err), 0);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(key_change_passphrase(path, "old one", "new one", NULL, &err), 0);
    must_open(path, "new one", key_id(pub));
    must_open(other, "old one", key_id(pub));
}

/* A signer program: openssl(1) is not needed, it prints what it was made with. */
static char *write_command(const char *name, const char *on_sign)
{
    char text[2048];

    snprintf(text, sizeof text,
             "#!/bin/sh\n"
             "if [ \"$1\" = public ]; then\n"
             "  echo '{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":"
             "\"" RFC8032_PUBLIC "\"}}'\n"
             "else\n  %s\nfi\n",
             on_sign);
    return write_file(name, text, 0700);
}

static void test_command_signer(void **state)
{
    static const unsigned char msg[] = {0xaf, 0x82};
    /* answers only if it got exactly the two bytes */
    _cleanup_(free_p)
    char *good =
        write_command("good", "[ \"$(od -An -tx1 | tr -d ' \\n')\" = af82 ] && echo " RFC8032_SIG);
    _cleanup_(free_p)
    char *wrong = write_command("wrong", "cat >/dev/null; echo 00ff");
    _cleanup_(free_p)
    char *fails = write_command("fails", "exit 3");
    _cleanup_(free_p)
    char *base64 = write_command("base64", "echo 'YpHWV97sJAJIJ+acOr4BowzlSKKEdDo='");
    _cleanup_(free_p)
    char *talks = write_command("talks", "echo " RFC8032_SIG "; echo done");
    _cleanup_(free_p)
    char *silent = write_command("silent", "cat >/dev/null");
    _cleanup_(free_p)
    char *floods = write_command("floods", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxx; done");
    static const struct {
        const char *name;
        int want;
    } rows[] = {{"good", 0},
                {"wrong", -ERR_UNTRUSTED},
                {"fails", -ERR_REFUSED},
                {"base64", -ERR_INVALID},
                {"talks", -ERR_INVALID},
                {"silent", -ERR_INVALID},
                {"floods", -ERR_TOO_LARGE}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(signer_free_p)
        struct signer *s = NULL;
        char hex[KEY_SIG_MAX + 1], ref[128];
        struct err err = {0};

        snprintf(ref, sizeof ref, "cmd:%s/%s", dir, rows[i].name);
        assert_int_equal(signer_open(ref, NULL, &s, &err), 0);
        assert_int_equal(signer_sign(s, msg, sizeof msg, hex, &err), rows[i].want);
        if (rows[i].want == 0)
            assert_string_equal(hex, RFC8032_SIG);
    }
}

static void test_command_deadline(void **state)
{
    _cleanup_(free_p)
    char *hangs = write_file("hangs", "#!/bin/sh\nexec sleep 600\n", 0700);
    /* closes its output, then stays */
    _cleanup_(free_p)
    char *lingers = write_file("lingers", "#!/bin/sh\nexec sleep 600 >/dev/null\n", 0700);
    struct err err = {0};
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    assert_int_equal(signer_cmd_run(hangs, NULL, "", 0, 50, &out, &err), -ERR_TIMEOUT);
    assert_int_equal(signer_cmd_run(lingers, NULL, "", 0, 50, &out, &err), -ERR_TIMEOUT);
    assert_int_equal(signer_cmd_run("/nonexistent/signer", NULL, "", 0, 50, &out, &err),
                     -ERR_NOT_FOUND);
    buf_release(&out);
}

/* As it is under a parent that ignores SIGCHLD: how the command ended cannot be known. */
static void test_command_whose_end_is_lost(void **state)
{
    _cleanup_(free_p)
    char *fails = write_file("fails-unseen", "#!/bin/sh\nexit 3\n", 0700);
    struct err err = {0};
    struct buf out;
    int r;

    (void)state;
    buf_init(&out, 64);
    signal(SIGCHLD, SIG_IGN);
    r = signer_cmd_run(fails, NULL, "", 0, SIGNER_DEADLINE_MS, &out, &err);
    signal(SIGCHLD, SIG_DFL);
    buf_release(&out);
    assert_true(r < 0);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_signs_as_rfc8032),
        cmocka_unit_test(test_key_id_is_hash_of_canonical_object),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_broken_keys),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_keys_never_ask_for_a_passphrase),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_change_passphrase),
        cmocka_unit_test(test_change_leaves_other_names),
        cmocka_unit_test(test_command_signer),
        cmocka_unit_test(test_command_deadline),
        cmocka_unit_test(test_command_whose_end_is_lost),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
