/* view: see view.h. */
#include "sandbox/view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "sandbox/alias.h"

#define VIEW_PATH_MAX   1024
#define VIEW_MOUNTS_MAX 256
#define VIEW_INODES     65536
#define VIEW_FLAGS      (MS_NOSUID | MS_NODEV)

struct view {
    int64_t disk_bytes;
    char hidden[PATH_MAX], shown[PATH_MAX], workspace[PATH_MAX]; /* without links in them */
    char root[VIEW_PATH_MAX];                                    /* the new root */
    int layers;
};

struct place {
    char s[VIEW_PATH_MAX + PATH_MAX];
};

static const char *at(struct place *p, const char *root, const char *path)
{
    snprintf(p->s, sizeof p->s, "%s%s", root, strcmp(path, "/") == 0 ? "" : path);
    return p->s;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* A path within overlayfs' options: its separators lose their meaning. */
static bool escape(const char *path, char *ret, size_t size)
{
    size_t n = 0;

    for (; *path; path++) {
        if (n + 3 > size)
            return false;
        if (strchr("\\:,", *path))
            ret[n++] = '\\';
        ret[n++] = *path;
    }
    ret[n] = '\0';
    return true;
}

/* The layer's own root shows through as the directory's: same owner, same mode. */
static int make_layer(struct view *v, const char *path, struct place *up, struct place *work)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -1;
    v->layers++;
    snprintf(up->s, sizeof up->s, "%s/up%d", v->workspace, v->layers);
    snprintf(work->s, sizeof work->s, "%s/work%d", v->workspace, v->layers);
    if (mkdir(up->s, 0700) < 0 || mkdir(work->s, 0700) < 0 || chmod(up->s, st.st_mode & 07777) < 0)
        return -1;
    return chown(up->s, st.st_uid, st.st_gid) < 0 && errno != EPERM && errno != EINVAL ? -1 : 0;
}

static int overlay(struct view *v, const char *path, const char *target)
{
    char lower[VIEW_PATH_MAX], options[3 * VIEW_PATH_MAX];
    struct place up, work;
    bool user = geteuid() != 0; /* in a user namespace: attributes of another prefix */
    int n;

    if (!escape(path, lower, sizeof lower) || make_layer(v, path, &up, &work) < 0)
        return -1;
    n = snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s%s", lower, up.s,
                 work.s, user ? ",userxattr" : "");
    if (n < 0 || (size_t)n >= sizeof options)
        return -1;
    return mount("firebreak", target, "overlay", VIEW_FLAGS, options);
}

static int bind_read_only(const char *path, const char *target)
{
    if (mount(path, target, NULL, MS_BIND, NULL) < 0)
        return -1;
    if (mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | VIEW_FLAGS, NULL) == 0 ||
        mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOEXEC | VIEW_FLAGS,
              NULL) == 0)
        return 0;
    umount2(target, MNT_DETACH); /* writable it must not be there */
    return -1;
}

/* --- devices, the kernel's switches ----------------------------------------------------------- */

static int make_devices(const struct view *v)
{
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"}};
    struct place dev, p, from;

    if (mount("firebreak", at(&dev, v->root, "/dev"), "tmpfs", MS_NOSUID | MS_NOEXEC,
              "size=16m,nr_inodes=1024,mode=0755") < 0)
        return -1;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        int fd;

        snprintf(from.s, sizeof from.s, "/dev/%s", nodes[i]);
        snprintf(p.s, sizeof p.s, "%s/dev/%s", v->root, nodes[i]);
        fd = open(p.s, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        close(fd);
        /* The host's own node. Read-only, what is written to it still goes through, but its mode
         * and owner stay. */
        if (mount(from.s, p.s, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, p.s, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) <
                0)
            return -1;
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        snprintf(p.s, sizeof p.s, "%s/dev/%s", v->root, links[i][1]);
        if (symlink(links[i][0], p.s) < 0)
            return -1;
    }
    snprintf(p.s, sizeof p.s, "%s/dev/shm", v->root);
    return mkdir(p.s, 01777) == 0 && chmod(p.s, 01777) == 0 ? 0 : -1;
}

/* Where services listen and pid files lie: nothing of the host's to talk to. */
static int hide(const struct view *v, const char *path)
{
    struct place p;
    struct stat st;

    if (stat(at(&p, v->root, path), &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    return mount("firebreak", p.s, "tmpfs", VIEW_FLAGS, "size=16m,nr_inodes=4096,mode=0755");
}

/* --- file systems ----------------------------------------------------------------------------- */

/* What is made by hand, or must not be there at all. */
static bool is_special(const struct view *v, const char *path)
{
    return is_below(path, "/proc") || is_below(path, "/sys") || is_below(path, "/dev") ||
           is_below(path, "/run") || is_below(path, v->workspace) || is_below(path, v->hidden);
}

static int scratch_over(const struct view *v, const char *path)
{
    struct place p;
    char options[64];
    struct stat st;

    if (stat(at(&p, v->root, path), &st) < 0)
        return 0;
    snprintf(options, sizeof options, "size=%lld,nr_inodes=%d,mode=1777",
             (long long)v->disk_bytes / 2, VIEW_INODES);
    return mount("firebreak", p.s, "tmpfs", VIEW_FLAGS, options);
}

/* All at once as it is mounted, read-only, with memory over the usual places for temporary files:
 * in an ordinary user's namespaces the kernel does not let the host's mounts be taken apart. */
static int show_read_only(struct view *v)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

    if (mount("/", v->root, NULL, MS_BIND | MS_REC, NULL) < 0 ||
        mount_setattr(AT_FDCWD, v->root, AT_RECURSIVE, &attr, sizeof attr) < 0)
        return -1;
    return scratch_over(v, "/tmp") == 0 && scratch_over(v, "/var/tmp") == 0 ? 0 : -1;
}

/* What cannot be shown safely is not shown: the empty directory below it is. */
static void show_mount(struct view *v, const char *path)
{
    struct place target;
    struct stat st;

    if (is_special(v, path) || stat(path, &st) < 0)
        return;
    at(&target, v->root, path);
    if (!S_ISDIR(st.st_mode) || overlay(v, path, target.s) < 0)
        (void)bind_read_only(path, target.s);
}

static int show_mounts(struct view *v, struct err *err)
{
    char line[4096], seen[VIEW_MOUNTS_MAX][VIEW_PATH_MAX];
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct mntent m;
    int n = 0;

    if (!f)
        return err_errno(err, errno, "read the list of mounts");
    if (overlay(v, "/", v->root) < 0) {
        endmntent(f);
        return show_read_only(v) < 0 ? err_errno(err, errno, "show '/' read-only") : 0;
    }
    strcpy(seen[n++], "/");
    while (getmntent_r(f, &m, line, sizeof line)) {
        bool known = strlen(m.mnt_dir) >= VIEW_PATH_MAX;

        for (int i = 0; i < n && !known; i++)
            known = strcmp(seen[i], m.mnt_dir) == 0;
        if (known || n == VIEW_MOUNTS_MAX)
            continue;
        strcpy(seen[n++], m.mnt_dir);
        show_mount(v, m.mnt_dir);
    }
    endmntent(f);
    return 0;
}

/* No other way to what is hidden. */
static int hide_aliases(const struct view *v, struct err *err)
{
    struct alias aliases[ALIAS_MAX];
    int n = alias_find(v->hidden, aliases, err);
    struct place p;

    for (int i = 0; i < n; i++) {
        const struct alias alias = aliases[i];

        if (access(at(&p, v->root, alias.path), F_OK) == 0 &&
            mount("firebreak", p.s, "tmpfs", VIEW_FLAGS, "size=1m,mode=0755") < 0)
            return err_errno(err, errno, "hide '%s'", alias.path);
    }
    return n < 0 ? n : 0;
}

/* An empty directory instead of the agent's own, and in it the one that is to be seen. */
static int show_release(const struct view *v, struct err *err)
{
    struct place p;

    at(&p, v->root, v->hidden);
    if (file_mkdir_p(p.s, 0755, err) < 0)
        return -ERR_IO;
    if (mount("firebreak", p.s, "tmpfs", VIEW_FLAGS, "size=1m,mode=0755") < 0)
        return err_errno(err, errno, "hide '%s'", v->hidden);
    at(&p, v->root, v->shown);
    if (file_mkdir_p(p.s, 0755, err) < 0)
        return -ERR_IO;
    if (bind_read_only(v->shown, p.s) < 0)
        return err_errno(err, errno, "show '%s'", v->shown);
    return 0;
}

/* Below another root an absolute link would lead out of it again. */
static int resolve(const char *path, char ret[PATH_MAX], struct err *err)
{
    return realpath(path, ret) ? 0 : err_errno(err, errno, "find '%s'", path);
}

int view_build(const struct sandbox *s, char *ret_root, unsigned long size, struct err *err)
{
    struct view v = {.disk_bytes = s->disk_bytes};
    struct place p;
    char options[96];

    if (resolve(s->hidden, v.hidden, err) < 0 || resolve(s->shown, v.shown, err) < 0 ||
        resolve(s->workspace, v.workspace, err) < 0)
        return -ERR_IO;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, errno, "part the mounts from the host's");
    snprintf(options, sizeof options, "size=%lld,nr_inodes=%d,mode=0755", (long long)s->disk_bytes,
             VIEW_INODES);
    if (mount("firebreak", v.workspace, "tmpfs", VIEW_FLAGS, options) < 0)
        return err_errno(err, errno, "mount memory on '%s'", v.workspace);
    if (snprintf(v.root, sizeof v.root, "%s/root", v.workspace) >= (int)sizeof v.root ||
        strlen(v.root) >= size || mkdir(v.root, 0755) < 0)
        return err_errno(err, errno, "make '%s/root'", v.workspace);
    if (show_mounts(&v, err) < 0 || hide_aliases(&v, err) < 0 || show_release(&v, err) < 0)
        return -ERR_IO;
    if (make_devices(&v) < 0 || hide(&v, "/run") < 0)
        return err_errno(err, errno, "make devices");
    (void)bind_read_only("/sys", at(&p, v.root, "/sys"));
    memcpy(ret_root, v.root, strlen(v.root) + 1);
    return 0;
}

int view_enter(const char *root, struct err *err)
{
    static const char *const switches[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq",
                                           "/proc/bus"};
    struct place p;

    /* Where the host's own is covered in part the kernel lets nobody see it whole. */
    if (mount("proc", at(&p, root, "/proc"), "proc", VIEW_FLAGS | MS_NOEXEC, NULL) == 0) {
        for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
            at(&p, root, switches[i]);
            if (bind_read_only(p.s, p.s) < 0 && errno != ENOENT)
                return err_errno(err, errno, "lock '%s'", switches[i]);
        }
    }
    if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_errno(err, errno, "make '%s' the root", root);
    return 0;
}

int view_lock(struct err *err)
{
    struct statfs fs;

    if (statfs("/proc", &fs) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "look at '/proc'");
    if (fs.f_type != PROC_SUPER_MAGIC || fs.f_flags & ST_RDONLY)
        return 0; /* there is none, or the host's own as the view shows it */
    if (mount(NULL, "/proc", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOEXEC | VIEW_FLAGS,
              NULL) < 0)
        return err_errno(err, errno, "lock '/proc'");
    return 0;
}
