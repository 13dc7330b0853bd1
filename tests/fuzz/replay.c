/*
 * replay: runs a target over files and the files of directories, as libFuzzer would, but built by
 * any compiler. Fails where nothing was run: a corpus that went missing must not pass.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX (16 * 1024 * 1024)

static int replay_file(const char *path, int *n_run, struct err *err)
{
    _cleanup_(close_p)
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf input;
    int r;

    if (fd < 0)
        return err_errno(err, errno, "open input '%s'", path);
    buf_init(&input, INPUT_MAX);
    r = err_context(err, buf_read_fd(&input, fd, err), "input '%s'", path);
    if (r == 0) {
        /* An exact copy on the heap, so that a sanitizer sees the first byte read past its end. */
        uint8_t *data = malloc(input.len ? input.len : 1);

        FUZZ_CHECK(data);
        memcpy(data, input.data, input.len);
        /* The last line of a log tells which input it was. */
        printf("%s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, input.len);
        free(data);
        ++*n_run;
    }
    buf_release(&input);
    return r;
}

static int replay_dir(const char *path, int *n_run, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int r = 0;

    if (!dir)
        return err_errno(err, errno, "open directory '%s'", path);
    while (r == 0 && (entry = readdir(dir))) {
        _cleanup_(free_p)
        char *file = NULL;

        if (entry->d_name[0] == '.')
            continue;
        file = path_join(path, entry->d_name);
        r = file ? replay_file(file, n_run, err) : err_set(err, ERR_NOMEM, "out of memory");
    }
    return r;
}

int main(int argc, char **argv)
{
    int n_run = 0;

    for (int i = 1; i < argc; i++) {
        struct err err = {0};
        struct stat st;
        int before = n_run, r;

        if (stat(argv[i], &st) < 0)
            r = err_errno(&err, errno, "find '%s'", argv[i]);
        else if (S_ISDIR(st.st_mode))
            r = replay_dir(argv[i], &n_run, &err);
        else
            r = replay_file(argv[i], &n_run, &err);
        if (r == 0 && n_run == before)
            r = err_set(&err, ERR_NOT_FOUND, "no inputs in '%s'", argv[i]);
        if (r < 0) {
            fprintf(stderr, "error: %s\n", err.msg);
            return 1;
        }
    }
    if (n_run == 0) {
        fprintf(stderr, "error: no inputs given\n  remedy: name files or directories\n");
        return 2;
    }
    printf("%d inputs replayed\n", n_run);
    return 0;
}
