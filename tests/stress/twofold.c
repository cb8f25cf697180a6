/*
 * Gives `localhost` two addresses, the one of IPv6 first, whatever the machine
 * says. Preloaded into the real program by tests/it/network.rs; no part of it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (!node || strcmp(node, "localhost") != 0) return real(node, service, hints, found);
  struct addrinfo *second = NULL;
  int failed = real("127.0.0.1", service, hints, &second);
  if (failed) return failed;
  failed = real("::1", service, hints, found);
  if (failed) {
    freeaddrinfo(second);
    return failed;
  }
  struct addrinfo *last = *found;
  while (last->ai_next) last = last->ai_next;
  last->ai_next = second;
  return 0;
}
