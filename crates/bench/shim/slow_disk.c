/* Makes a disk as slow as an ordinary server's: each fsync and fdatasync takes DUET_BENCH_FSYNC_US more
 * microseconds and still flushes. Preloaded (LD_PRELOAD) into the measured servers. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec extra;

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("DUET_BENCH_FSYNC_US");
  long us = text ? strtol(text, NULL, 10) : 0;
  extra.tv_sec = us / 1000000;
  extra.tv_nsec = us % 1000000 * 1000;
}

int fsync(int fd) {
  nanosleep(&extra, NULL);
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  nanosleep(&extra, NULL);
  return (int)syscall(SYS_fdatasync, fd);
}
