/* Lets each sync take SLOW_SYNC_US longer, as on a slower disk: loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int file) {
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    useconds_t longer_us = (useconds_t)atoi(getenv("SLOW_SYNC_US"));
    if (longer_us > 0) /* even a sleep of nothing lets another thread go first */
        usleep(longer_us);
    return sync(file);
}

int fsync(int file) { return slowly("fsync", file); }

int fdatasync(int file) { return slowly("fdatasync", file); }
