"""A wall clock that can be set for the kiosk alone: a small library before libc, for rehearsals.

Only `CLOCK_REALTIME` is moved, and only for processes that are started with the environment given here; the
machine's clock stays as it is. Needs a C compiler; without one `works` is false.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile double *offset;

__attribute__((constructor)) static void open_offset(void) {
    const char *path = getenv("MIRROR_FALSE_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *memory = mmap(0, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED) offset = memory;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    if (!code && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += (time_t)*offset;
    return code;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class FalseClock:
    """The library and the number of seconds by which it lies."""

    def __init__(self, folder: Path) -> None:
        self._offset_file = folder / "clock.offset"
        self._library = folder / "clock.so"
        self.works = self._build(folder)

    @property
    def environment(self) -> dict[str, str]:
        """What the kiosk must be started with."""
        if not self.works:
            return {}
        return {"LD_PRELOAD": str(self._library), "MIRROR_FALSE_CLOCK": str(self._offset_file)}

    def set(self, seconds: float) -> None:
        """Let the wall clock be wrong by so many seconds."""
        with self._offset_file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as memory:
            memory[:8] = struct.pack("d", seconds)

    def _build(self, folder: Path) -> bool:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return False
        self._offset_file.write_bytes(struct.pack("d", 0.0))
        source = folder / "clock.c"
        source.write_text(_SOURCE)
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
