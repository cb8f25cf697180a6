/*
 * Writes down what a program does to the files below one directory, in order:
 * what it writes where, and what is durable since its syncs. From that the test
 * (tests/it/stress_power.rs) builds what a disk may hold after a power cut.
 * Preloaded into the real program; no part of it.
 *
 * POWER_DIR   the directory; without it nothing is written down
 * POWER_LOG   the file of records, elsewhere: "<kind> <offset> <length> <name>\n"
 *             and then the bytes, where there are any. Kinds: w (write), t
 *             (offset: the new length), s (sync done, also of the directory), c
 *             (created), u (unlinked), m (renamed; the bytes are the new name).
 *             Names are full paths.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "opens.h"

static const char *directory;
static int records = -1;
static char *names[MOST_FILES];
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  int (*real_open)(const char *, int, ...) = next("open");
  const char *log = getenv("POWER_LOG");
  if (!log) return;
  records = real_open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (records < 0) abort();
  directory = getenv("POWER_DIR");
}

static int below(const char *path) {
  return directory && path && strncmp(path, directory, strlen(directory)) == 0;
}

/* Whether the file comes into being. */
static int opening(const char *path, int flags, const char *call) {
  (void)call;
  return below(path) && (flags & O_CREAT) && access(path, F_OK) != 0;
}

static const char *name_of(int fd) {
  return fd >= 0 && fd < MOST_FILES ? names[fd] : NULL;
}

/* A process that ends here has done what it wrote down, or one thing more. */
static void note(char kind, long offset, size_t length, const char *name, const void *bytes) {
  ssize_t (*real_writev)(int, const struct iovec *, int) = next("writev");
  char head[4352];
  int size = snprintf(head, sizeof head, "%c %ld %zu %s\n", kind, offset, length, name);
  if (size < 0 || (size_t)size >= sizeof head) abort();
  struct iovec parts[2] = {{head, (size_t)size}, {(void *)bytes, bytes ? length : 0}};
  if (real_writev(records, parts, 2) != (ssize_t)((size_t)size + parts[1].iov_len)) abort();
}

static int opened(int fd, const char *path, int flags, int new) {
  if (fd < 0 || fd >= MOST_FILES) return fd;
  pthread_mutex_lock(&order);
  free(names[fd]);
  names[fd] = below(path) ? strdup(path) : NULL;
  if (names[fd] && new) note('c', 0, 0, names[fd], NULL);
  if (names[fd] && (flags & O_TRUNC)) note('t', 0, 0, names[fd], NULL);
  pthread_mutex_unlock(&order);
  return fd;
}

int close(int fd) {
  int (*real)(int) = next("close");
  if (name_of(fd)) {
    pthread_mutex_lock(&order);
    free(names[fd]);
    names[fd] = NULL;
    pthread_mutex_unlock(&order);
  }
  return real(fd);
}

static ssize_t wrote(ssize_t done, int fd, const void *bytes, long offset) {
  if (done > 0) note('w', offset, (size_t)done, name_of(fd), bytes);
  return done;
}

ssize_t write(int fd, const void *buffer, size_t length) {
  ssize_t (*real)(int, const void *, size_t) = next("write");
  if (!name_of(fd)) return real(fd, buffer, length);
  pthread_mutex_lock(&order);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t done = wrote(real(fd, buffer, length), fd, buffer, (long)at);
  pthread_mutex_unlock(&order);
  return done;
}

#define PWRITE(name, offset_type)                                             \
  ssize_t name(int fd, const void *buffer, size_t length, offset_type at) {   \
    ssize_t (*real)(int, const void *, size_t, offset_type) = next(#name);    \
    if (!name_of(fd)) return real(fd, buffer, length, at);                    \
    pthread_mutex_lock(&order);                                               \
    ssize_t done = wrote(real(fd, buffer, length, at), fd, buffer, (long)at); \
    pthread_mutex_unlock(&order);                                             \
    return done;                                                              \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Only what was written before the sync began is durable after it: no write of
 * another thread may come in between. */
#define SYNC(name)                                                            \
  int name(int fd) {                                                          \
    int (*real)(int) = next(#name);                                           \
    if (!name_of(fd)) return real(fd);                                        \
    pthread_mutex_lock(&order);                                               \
    int done = real(fd);                                                      \
    if (done == 0) note('s', 0, 0, name_of(fd), NULL);                        \
    pthread_mutex_unlock(&order);                                             \
    return done;                                                              \
  }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset_type)                                           \
  int name(int fd, offset_type length) {                                      \
    int (*real)(int, offset_type) = next(#name);                              \
    if (!name_of(fd)) return real(fd, length);                                \
    pthread_mutex_lock(&order);                                               \
    int done = real(fd, length);                                              \
    if (done == 0) note('t', (long)length, 0, name_of(fd), NULL);             \
    pthread_mutex_unlock(&order);                                             \
    return done;                                                              \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
  int (*real)(const char *) = next("unlink");
  if (!below(path)) return real(path);
  pthread_mutex_lock(&order);
  int done = real(path);
  if (done == 0) note('u', 0, 0, path, NULL);
  pthread_mutex_unlock(&order);
  return done;
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = next("rename");
  if (!below(to)) return real(from, to);
  pthread_mutex_lock(&order);
  int done = real(from, to);
  if (done == 0) note('m', 0, strlen(to), from, to);
  pthread_mutex_unlock(&order);
  return done;
}
