/* the agent's configuration: what it takes and what it turns away. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define GOOD                                                                                       \
    "server=https://updates.example\n"                                                             \
    "root=root.json\n"                                                                             \
    "state_dir=state\n"

/* What reading this text says; 0: taken. */
static int read_text(const char *text, struct err *err)
{
    char path[] = "/tmp/fb-agent-config.XXXXXX";
    struct config c = {0};
    int fd = mkstemp(path), r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    r = config_read(path, &c, err);
    config_release(&c);
    unlink(path);
    return r;
}

static void test_table(void **state)
{
    static const struct {
        const char *text, *error; /* NULL: taken */
    } table[] = {
        {GOOD "[channel rules]\n", NULL},
        {GOOD "label=tills\nos_version=debian-12\n", NULL},
        {GOOD "label=<script>\n", "'label': '<script>' is not a word"},
        {GOOD "label=two words\n", "is not a word"},
        {GOOD "label=abcdefghijklmnopqrstuvwxyz\n", "'label' is longer than 23 bytes"},
        {GOOD "os=-linux\n", "'os': '-linux' is not a word"},
        {GOOD "ring=first\n", "'ring'"},
        {GOOD "boot_guard=maybe\n", "'boot_guard'"},
        {GOOD "[chanel rules]\n", ":4: unknown section"},
        {GOOD "[channel rules]\npin=-1\n", "[channel rules]: pin: version '-1'"},
        {GOOD "[channel rules]\npreflight_sandbox=some\n", "[channel rules]: 'preflight_sandbox'"},
        {GOOD "[channel rules]\npreflight_memory_mib=0\n", "preflight_memory_mib"},
        {GOOD "[channel rules]\npreflight_sandbox=require\npreflight_disk_mib=1\n", NULL},
        {"server=ftp://x\nroot=r\nstate_dir=s\n", "not an https:// address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err err = {0};
        int r = read_text(table[i].text, &err);

        if ((r == 0) != !table[i].error || (table[i].error && !strstr(err.msg, table[i].error)))
            fail_msg("row %zu: %d, '%s'", i, r, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
