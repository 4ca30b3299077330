/* A disk that accepts writes and fails to flush them: fsync and fdatasync return EIO while the file named by
 * DUET_TORTURE_EIO exists, otherwise they make the real system call. Preloaded (LD_PRELOAD) into the server. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *file;

__attribute__((constructor)) static void begin(void) { file = getenv("DUET_TORTURE_EIO"); }

static int fails(void) {
  int before = errno;
  int exists = file && access(file, F_OK) == 0;
  errno = before;
  return exists;
}

int fsync(int fd) {
  if (fails()) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  if (fails()) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fdatasync, fd);
}
