// Writes down what a process does to the files below a folder, in order, so that a power cut can be replayed later.
//
//   cc -shared -fPIC -O2 -o shim.so shim.c -lpthread
//   LD_PRELOAD=shim.so POWERCUT_ROOT=/folder POWERCUT_LOG=/log PROGRAM
//
// Each call is made and logged under one lock, so the log's order is the order in which it took effect. Nothing else is
// changed, except that sync_file_range only says that it synced: it writes data back, but neither the file's size nor the
// disk's cache, so after a power cut it counts for nothing. A call that changes files in a way this does not log ends up
// in the log as 'X', and whoever reads the log refuses it. System calls are made directly: no dlsym, no recursion.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
#define PATHS 4096

static char root[PATHS];
static size_t root_len;
static int log_fd = -1;
static char tracked[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// SIGUSR2 ends the process at once after the next call that is logged. SIGKILL could come between a call and its record.
static volatile sig_atomic_t dying;
static void die_soon(int signal) { (void)signal, dying = 1; }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERCUT_LOG"), *below = getenv("POWERCUT_ROOT");
    if (!path || !below || strlen(below) >= PATHS) return;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) _exit(99);
    log_fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, fd);
    strcpy(root, below);
    root_len = strlen(root);
    struct sigaction action = {.sa_handler = die_soon, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &action, NULL);
}

// One record: length, kind, pid, fd, two numbers, two strings and bytes. Keeps errno. The caller holds the lock.
static void put(char kind, int fd, int64_t a, int64_t b, const char *one, const char *two, const void *bytes, size_t len) {
    int saved = errno;
    uint16_t len1 = one ? strlen(one) : 0, len2 = two ? strlen(two) : 0;
    unsigned char head[33];
    uint32_t total = sizeof head + len1 + len2 + len, pid = getpid();
    memcpy(head, &total, 4), head[4] = kind, memcpy(head + 5, &pid, 4), memcpy(head + 9, &fd, 4);
    memcpy(head + 13, &a, 8), memcpy(head + 21, &b, 8), memcpy(head + 29, &len1, 2), memcpy(head + 31, &len2, 2);
    struct iovec parts[] = {{head, sizeof head}, {(void *)one, len1}, {(void *)two, len2}, {(void *)bytes, len}};
    if (syscall(SYS_writev, log_fd, parts, 4) != (long)total) _exit(98);
    if (dying) _exit(137);
    errno = saved;
}

// The path that a call means; 1 where it is below the root.
static int below(int dirfd, const char *path, char *out) {
    if (!root_len || !path) return 0;
    size_t at = 0;
    if (path[0] != '/' && dirfd != AT_FDCWD) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t got = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATHS - 2);
        if (got < 0) return 0;
        at = got;
        if (path[0]) out[at++] = '/';
    }
    if (at + strlen(path) >= PATHS) return 0;
    strcpy(out + at, path);
    size_t len = strlen(out);
    while (len > 1 && out[len - 1] == '/') out[--len] = 0;
    return !strncmp(out, root, root_len) && (out[root_len] == '/' || !out[root_len]);
}

static int is_tracked(int fd) { return fd >= 0 && fd < FDS && tracked[fd]; }
static void track(int fd, int is) { if (fd >= 0 && fd < FDS) tracked[fd] = is; }

static void alien(const char *what, int fd) { put('X', fd, 0, 0, what, NULL, NULL, 0); }

#define LOCKED pthread_mutex_lock(&lock)
#define DONE(result) do { pthread_mutex_unlock(&lock); return result; } while (0)

static int do_open(int dirfd, const char *path, int flags, mode_t mode) {
    char full[PATHS];
    int ours = below(dirfd, path, full);
    LOCKED;
    int fd = syscall(SYS_openat, dirfd, path, flags, mode);
    if (fd >= 0) {
        track(fd, ours);
        if (ours) put('O', fd, flags & (O_CREAT | O_TRUNC | O_ACCMODE), 0, full, NULL, NULL, 0);
        if (ours && (flags & O_TMPFILE) == O_TMPFILE) alien("O_TMPFILE", fd);
    }
    DONE(fd);
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list args; va_start(args, flags); mode = va_arg(args, int); va_end(args); }
int open(const char *path, int flags, ...) { MODE return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return do_open(AT_FDCWD, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE return do_open(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE return do_open(dirfd, path, flags, mode); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    LOCKED;
    track(fd, 0);
    int result = syscall(SYS_close, fd);
    DONE(result);
}

static int duplicated(int from, int to) {
    if (to >= 0) {
        track(to, is_tracked(from));
        if (is_tracked(from)) put('D', from, to, 0, NULL, NULL, NULL, 0);
    }
    return to;
}

int dup(int fd) { LOCKED; int to = duplicated(fd, syscall(SYS_dup, fd)); DONE(to); }
int dup3(int fd, int want, int flags) { LOCKED; int to = duplicated(fd, syscall(SYS_dup3, fd, want, flags)); DONE(to); }
int dup2(int fd, int want) { return fd == want ? fd : dup3(fd, want, 0); }

static int do_fcntl(int fd, int command, long argument) {
    LOCKED;
    int result = syscall(SYS_fcntl, fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) duplicated(fd, result);
    DONE(result);
}

int fcntl(int fd, int command, ...) { va_list args; va_start(args, command); long it = va_arg(args, long); va_end(args); return do_fcntl(fd, command, it); }
int fcntl64(int fd, int command, ...) { va_list args; va_start(args, command); long it = va_arg(args, long); va_end(args); return do_fcntl(fd, command, it); }

static int64_t position(int fd) {
    int flags = syscall(SYS_fcntl, fd, F_GETFL);
    return syscall(SYS_lseek, fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    if (!is_tracked(fd)) return syscall(SYS_write, fd, bytes, len);
    LOCKED;
    int64_t at = position(fd);
    ssize_t done = syscall(SYS_write, fd, bytes, len);
    if (done > 0) put('W', fd, at, 0, NULL, NULL, bytes, done);
    DONE(done);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    if (!is_tracked(fd)) return syscall(SYS_pwrite64, fd, bytes, len, at);
    LOCKED;
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, len, at);
    if (done > 0) put('W', fd, at, 0, NULL, NULL, bytes, done);
    DONE(done);
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (is_tracked(fd)) {
        // One part at a time: a short write is allowed, and the caller goes on from there.
        for (int at = 0; at < count; at++) if (parts[at].iov_len) return write(fd, parts[at].iov_base, parts[at].iov_len);
        return 0;
    }
    return syscall(SYS_writev, fd, parts, count);
}

int ftruncate64(int fd, off64_t len) {
    LOCKED;
    int result = syscall(SYS_ftruncate, fd, len);
    if (!result && is_tracked(fd)) put('T', fd, len, 0, NULL, NULL, NULL, 0);
    DONE(result);
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

static int synced(int number, char kind, int fd) {
    LOCKED;
    int result = syscall(number, fd);
    if (!result && is_tracked(fd)) put(kind, fd, 0, 0, NULL, NULL, NULL, 0);
    DONE(result);
}
int fsync(int fd) { return synced(SYS_fsync, 'S', fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, 'S', fd); }

int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags) {
    if (!is_tracked(fd)) return syscall(SYS_sync_file_range, fd, at, len, flags);
    LOCKED;
    put('G', fd, at, len, NULL, NULL, NULL, 0);
    DONE(0);
}

static int moved(char kind, int number, int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char one[PATHS], two[PATHS];
    int ours = below(from_dir, from, one), theirs = below(to_dir, to, two);
    LOCKED;
    int result = syscall(number, from_dir, from, to_dir, to, flags);
    if (!result && ours && theirs) put(kind, -1, flags, 0, one, two, NULL, 0);
    if (!result && ours != theirs) alien("moved over the border", -1);
    DONE(result);
}
int rename(const char *from, const char *to) { return moved('R', SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int d, const char *from, int e, const char *to) { return moved('R', SYS_renameat2, d, from, e, to, 0); }
int renameat2(int d, const char *from, int e, const char *to, unsigned flags) { return moved(flags ? 'X' : 'R', SYS_renameat2, d, from, e, to, flags); }
int link(const char *from, const char *to) { return moved('L', SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int d, const char *from, int e, const char *to, int flags) { return moved('L', SYS_linkat, d, from, e, to, flags); }

static int gone(int dirfd, const char *path, int flags) {
    char full[PATHS];
    int ours = below(dirfd, path, full);
    LOCKED;
    int result = syscall(SYS_unlinkat, dirfd, path, flags);
    if (!result && ours) put('U', -1, flags, 0, full, NULL, NULL, 0);
    DONE(result);
}
int unlink(const char *path) { return gone(AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return gone(dirfd, path, flags); }
int rmdir(const char *path) { return gone(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int dirfd, const char *path, mode_t mode) {
    char full[PATHS];
    int ours = below(dirfd, path, full);
    LOCKED;
    int result = syscall(SYS_mkdirat, dirfd, path, mode);
    if (!result && ours) put('M', -1, 0, 0, full, NULL, NULL, 0);
    DONE(result);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

// What is not expected. It is done, and the log says that it was.

#define ALIEN(type, name, signature, test, ...) \
    type name signature { if (test) { LOCKED; alien(#name, -1); pthread_mutex_unlock(&lock); } return syscall(__VA_ARGS__); }
ALIEN(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), is_tracked(fd), SYS_pwritev, fd, v, n, at, 0)
ALIEN(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), is_tracked(fd), SYS_pwritev, fd, v, n, at, 0)
ALIEN(int, fallocate, (int fd, int mode, off_t at, off_t len), is_tracked(fd), SYS_fallocate, fd, mode, at, len)
ALIEN(int, fallocate64, (int fd, int mode, off64_t at, off64_t len), is_tracked(fd), SYS_fallocate, fd, mode, at, len)
ALIEN(ssize_t, copy_file_range, (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f), is_tracked(b), SYS_copy_file_range, a, x, b, y, n, f)
ALIEN(ssize_t, sendfile, (int to, int from, off_t *at, size_t n), is_tracked(to), SYS_sendfile, to, from, at, n)
ALIEN(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t n), is_tracked(to), SYS_sendfile, to, from, at, n)
ALIEN(int, truncate, (const char *path, off_t len), root_len && !strncmp(path, root, root_len), SYS_truncate, path, len)
ALIEN(int, truncate64, (const char *path, off64_t len), root_len && !strncmp(path, root, root_len), SYS_truncate, path, len)
ALIEN(int, symlink, (const char *to, const char *path), root_len && !strncmp(path, root, root_len), SYS_symlinkat, to, AT_FDCWD, path)

static void *do_mmap(void *at, size_t len, int access, int flags, int fd, off64_t from) {
    if (is_tracked(fd) && (flags & MAP_SHARED) && (access & PROT_WRITE)) { LOCKED; alien("mmap", fd); pthread_mutex_unlock(&lock); }
    return (void *)syscall(SYS_mmap, at, len, access, flags, fd, from);
}
void *mmap(void *at, size_t len, int access, int flags, int fd, off_t from) { return do_mmap(at, len, access, flags, fd, from); }
void *mmap64(void *at, size_t len, int access, int flags, int fd, off64_t from) { return do_mmap(at, len, access, flags, fd, from); }
