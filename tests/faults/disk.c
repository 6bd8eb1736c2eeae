/* A disk that is slow, or that takes nothing any more, for whoever loads this first (LD_PRELOAD).
 *
 * FAULT_DISK names a file. While it is there, its first word says what is wrong with every file
 * that is on the same folder: "slow N" (fsync takes N ms more), "read-only" (EROFS), "full"
 * (ENOSPC).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int said(char *word, int *number) {
  const char *name = getenv("FAULT_DISK");
  char text[64] = {0};
  if (name == NULL) return 0;
  int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  *number = 0;
  return length > 0 && sscanf(text, "%20s %d", word, number) >= 1;
}

/* Whether an open file is in the folder that FAULT_DISK is in. */
static int ours(int file) {
  char link[64], path[PATH_MAX], folder[PATH_MAX];
  const char *name = getenv("FAULT_DISK");
  if (name == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  snprintf(folder, sizeof folder, "%s", name);
  char *end = strrchr(folder, '/');
  if (end == NULL) return 0;
  end[1] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int refusal(int file) {
  char word[32];
  int number;
  if (!said(word, &number) || !ours(file)) return 0;
  if (strcmp(word, "read-only") == 0) return EROFS;
  if (strcmp(word, "full") == 0) return ENOSPC;
  return 0;
}

static void wait_if_slow(int file) {
  char word[32];
  int number;
  if (said(word, &number) && strcmp(word, "slow") == 0 && ours(file)) usleep(number * 1000u);
}

#define REFUSED(file) \
  int why = refusal(file); \
  if (why) { errno = why; return -1; }

ssize_t write(int file, const void *data, size_t length) {
  REFUSED(file)
  return syscall(SYS_write, file, data, length);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
  REFUSED(file)
  return syscall(SYS_pwrite64, file, data, length, at);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
  return pwrite64(file, data, length, at);
}

int ftruncate64(int file, off64_t length) {
  REFUSED(file)
  return (int)syscall(SYS_ftruncate, file, length);
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int fsync(int file) {
  wait_if_slow(file);
  REFUSED(file)
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  wait_if_slow(file);
  REFUSED(file)
  return (int)syscall(SYS_fdatasync, file);
}
