/*
 * The calls that open files, for a library that is preloaded: each of them says
 * `opening` before and `opened` after it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

#define MOST_FILES 4096

/* The function that this library stands before. */
static void *next(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

/* What `opened` is to know; below 0, with errno, the call fails. */
static int opening(const char *path, int flags, const char *call);
static int opened(int fd, const char *path, int flags, int known);

#define MODE_OF(flags)                                                        \
  va_list rest;                                                               \
  va_start(rest, flags);                                                      \
  mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;                 \
  va_end(rest);

#define OPEN(name)                                                            \
  int name(const char *path, int flags, ...) {                                \
    int (*real)(const char *, int, ...) = next(#name);                        \
    MODE_OF(flags)                                                            \
    int known = opening(path, flags, #name);                                  \
    return known < 0 ? -1 : opened(real(path, flags, mode), path, flags, known); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                          \
  int name(int folder, const char *path, int flags, ...) {                    \
    int (*real)(int, const char *, int, ...) = next(#name);                   \
    MODE_OF(flags)                                                            \
    int known = opening(path, flags, #name);                                  \
    if (known < 0) return -1;                                                 \
    return opened(real(folder, path, flags, mode), path, flags, known);       \
  }
OPENAT(openat)
OPENAT(openat64)
