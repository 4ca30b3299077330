/* A machine whose wall clock is wrong by DUET_TORTURE_CLOCK seconds. The monotonic clocks are not changed.
 * Preloaded (LD_PRELOAD) into the server. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t off;

__attribute__((constructor)) static void begin(void) {
  const char *seconds = getenv("DUET_TORTURE_CLOCK");
  off = seconds ? (time_t)strtol(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += off;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int result = (int)syscall(SYS_gettimeofday, now, zone);
  if (result == 0 && now) now->tv_sec += off;
  return result;
}

time_t time(time_t *now) {
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  if (now) *now = wall.tv_sec;
  return wall.tv_sec;
}
