/*
 * Fails the n-th call to the operating system that touches a file below one
 * directory: once, or from then on. Preloaded into the real program by
 * tests/it/stress_io.rs; no part of the program.
 *
 * ANOMALY_DIR     the directory; without it nothing is counted
 * ANOMALY_AT      which call fails, from 1; 0 fails none
 * ANOMALY_ERROR   EIO (any call), ENOSPC (calls that need room), SHORT (half of
 *                 a write is done)
 * ANOMALY_LASTING 1: all further calls fail too
 * ANOMALY_WHEN    a file elsewhere: nothing is counted before it is there
 * ANOMALY_SLOW_MS each sync takes so much longer
 * ANOMALY_REPORT  a file elsewhere: one line per failed call, and at the end
 *                 how many calls were counted
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opens.h"

static const char *directory;
static const char *report;
static const char *when;
static long at;
static int error_number = EIO;
static int shortened;
static int lasting;
static useconds_t slow;
static atomic_long calls;
static atomic_char watched[MOST_FILES];

/* Whether a call needs room on the disk. */
enum kind { READS, MAKES, WRITES };

static void tell(const char *what, long number) {
  ssize_t (*real_write)(int, const void *, size_t) = next("write");
  int (*real_open)(const char *, int, ...) = next("open");
  int (*real_close)(int) = next("close");
  if (!report) return;
  int fd = real_open(report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  char line[128];
  int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
  if (length > 0 && real_write(fd, line, (size_t)length) < 0) { /* nobody to tell */ }
  real_close(fd);
}

__attribute__((constructor)) static void begin(void) {
  directory = getenv("ANOMALY_DIR");
  report = getenv("ANOMALY_REPORT");
  when = getenv("ANOMALY_WHEN");
  const char *text = getenv("ANOMALY_AT");
  at = text ? atol(text) : 0;
  text = getenv("ANOMALY_ERROR");
  if (text && strcmp(text, "ENOSPC") == 0) error_number = ENOSPC;
  if (text && strcmp(text, "SHORT") == 0) shortened = 1;
  text = getenv("ANOMALY_LASTING");
  lasting = text && *text == '1';
  text = getenv("ANOMALY_SLOW_MS");
  slow = text ? (useconds_t)atol(text) * 1000 : 0;
}

__attribute__((destructor)) static void end(void) {
  if (directory) tell("calls", atomic_load(&calls));
}

static int below(const char *path) {
  return directory && path && strncmp(path, directory, strlen(directory)) == 0;
}

static int is_watched(int fd) {
  return fd >= 0 && fd < MOST_FILES && atomic_load(&watched[fd]);
}

/* Whether this call is to fail. */
static int fails(enum kind kind, const char *name) {
  if (error_number == ENOSPC && kind == READS) return 0;
  if (shortened && kind != WRITES) return 0;
  if (when && access(when, F_OK) != 0) return 0;
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (at == 0 || number < at || (number > at && !lasting)) return 0;
  if (number == at) tell(name, number);
  return 1;
}

static int opening(const char *path, int flags, const char *call) {
  if (!below(path) || !fails((flags & O_CREAT) ? MAKES : READS, call)) return 0;
  errno = error_number;
  return -1;
}

static int opened(int fd, const char *path, int flags, int known) {
  (void)flags;
  (void)known;
  if (fd >= 0 && fd < MOST_FILES) atomic_store(&watched[fd], below(path));
  return fd;
}

int close(int fd) {
  int (*real)(int) = next("close");
  if (fd >= 0 && fd < MOST_FILES) atomic_store(&watched[fd], 0);
  return real(fd);
}

ssize_t read(int fd, void *buffer, size_t length) {
  ssize_t (*real)(int, void *, size_t) = next("read");
  if (is_watched(fd) && fails(READS, "read")) {
    errno = error_number;
    return -1;
  }
  return real(fd, buffer, length);
}

#define PREAD(name, offset_type)                                              \
  ssize_t name(int fd, void *buffer, size_t length, offset_type offset) {     \
    ssize_t (*real)(int, void *, size_t, offset_type) = next(#name);          \
    if (is_watched(fd) && fails(READS, #name)) {                              \
      errno = error_number;                                                   \
      return -1;                                                              \
    }                                                                         \
    return real(fd, buffer, length, offset);                                  \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t write(int fd, const void *buffer, size_t length) {
  ssize_t (*real)(int, const void *, size_t) = next("write");
  if (is_watched(fd) && fails(WRITES, "write")) {
    if (shortened) return real(fd, buffer, length / 2);
    errno = error_number;
    return -1;
  }
  return real(fd, buffer, length);
}

#define PWRITE(name, offset_type)                                             \
  ssize_t name(int fd, const void *buffer, size_t length, offset_type offset) { \
    ssize_t (*real)(int, const void *, size_t, offset_type) = next(#name);    \
    if (is_watched(fd) && fails(WRITES, #name)) {                             \
      if (shortened) return real(fd, buffer, length / 2, offset);             \
      errno = error_number;                                                   \
      return -1;                                                              \
    }                                                                         \
    return real(fd, buffer, length, offset);                                  \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FILE(name, kind)                                                   \
  int name(int fd) {                                                          \
    int (*real)(int) = next(#name);                                           \
    if (slow && is_watched(fd)) usleep(slow);                                 \
    if (is_watched(fd) && fails(kind, #name)) {                               \
      errno = error_number;                                                   \
      return -1;                                                              \
    }                                                                         \
    return real(fd);                                                          \
  }
ON_FILE(fsync, MAKES)
ON_FILE(fdatasync, MAKES)

#define TRUNCATE(name, offset_type)                                           \
  int name(int fd, offset_type length) {                                      \
    int (*real)(int, offset_type) = next(#name);                              \
    if (is_watched(fd) && fails(MAKES, #name)) {                              \
      errno = error_number;                                                   \
      return -1;                                                              \
    }                                                                         \
    return real(fd, length);                                                  \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
  int (*real)(const char *) = next("unlink");
  if (below(path) && fails(READS, "unlink")) {
    errno = error_number;
    return -1;
  }
  return real(path);
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = next("rename");
  if (below(to) && fails(MAKES, "rename")) {
    errno = error_number;
    return -1;
  }
  return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  int (*real)(const char *, mode_t) = next("mkdir");
  if (below(path) && fails(MAKES, "mkdir")) {
    errno = error_number;
    return -1;
  }
  return real(path, mode);
}

int fchmod(int fd, mode_t mode) {
  int (*real)(int, mode_t) = next("fchmod");
  if (is_watched(fd) && fails(READS, "fchmod")) {
    errno = error_number;
    return -1;
  }
  return real(fd, mode);
}
