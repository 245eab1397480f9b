"""One process in care, with real processes that die, hang and refuse; and what every one of them is bound by."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from installation.errors import EngineError
from installation.kiosk.ward import NOT_STARTED, Launch, Pulse, Ward
from installation.runtime.board import Heartbeat
from installation.runtime.supervisor import Policy

CONTEXT = multiprocessing.get_context("spawn")
QUICK = Policy(backoff_s=0.05, backoff_max_s=0.2)
HERE = "installation.runtime.lazy:call"  # a body that is in the package: it calls what the test names
LIMIT_S = 60.0


def until(ward, happened, wanted=True):
    """Tend a ward until something is true; returns the failures on the way."""
    failures, deadline = [], time.monotonic() + LIMIT_S
    while not happened():
        failure = ward.tend(time.monotonic(), wanted)
        if failure is not None:
            failures.append(failure)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return failures


def sleeper(seconds=1000.0):
    return Launch(HERE, ("time:sleep", seconds))


def test_a_process_that_dies_is_told_once_and_comes_back():
    ward = Ward(CONTEXT, "eye", sleeper, backoff=QUICK)
    until(ward, lambda: ward.pid)
    first = ward.pid
    os.kill(first, signal.SIGKILL)
    failures = until(ward, lambda: ward.pid not in (None, first))
    assert [failure.code for failure in failures] == [-signal.SIGKILL]
    assert "eye" in failures[0].text
    assert ward.restarts == 1
    ward.kill()
    assert ward.pid is None


def test_one_that_makes_no_progress_is_ended_even_if_it_is_stopped():
    beat = Heartbeat(CONTEXT)
    ward = Ward(CONTEXT, "show", sleeper, [Pulse(beat, 1000.0, 0.2, "picture")], QUICK)
    until(ward, lambda: ward.pid)
    first = ward.pid
    os.kill(first, signal.SIGSTOP)
    beat.beat(1)
    failures = until(ward, lambda: ward.pid not in (None, first))
    assert "gave no picture for 0.2 s" in failures[0].text
    assert not psutil.pid_exists(first)
    ward.kill()


def test_progress_counts_only_from_the_first_that_matters():
    beat = Heartbeat(CONTEXT)
    ward = Ward(CONTEXT, "show", sleeper, [Pulse(beat, 1000.0, 0.1, "picture", counts_from=2)], QUICK)
    until(ward, lambda: ward.pid)
    first, began = ward.pid, time.monotonic()
    beat.beat(1)
    until(ward, lambda: time.monotonic() - began > 0.5)
    assert ward.pid == first
    ward.kill()


def test_nobody_is_blamed_for_a_machine_that_stood_still():
    beat = Heartbeat(CONTEXT)
    ward = Ward(CONTEXT, "show", sleeper, [Pulse(beat, 1000.0, 3.0, "picture")], QUICK)
    until(ward, lambda: ward.pid)
    first = ward.pid
    beat.beat(1)
    later = time.monotonic() + 60.0  # the machine slept for a minute
    ward.forgive(later)
    assert ward.tend(later, True) is None
    assert ward.tend(later + 2.9, True) is None
    assert psutil.Process(first).status() != psutil.STATUS_ZOMBIE
    assert ward.pid == first
    assert ward.tend(later + 3.1, True) is None  # now it is asked to end
    assert "gave no picture" in until(ward, lambda: ward.pid != first)[0].text
    ward.kill()


def test_an_end_that_was_asked_for_is_no_failure_and_no_restart():
    ward = Ward(CONTEXT, "eye", sleeper, backoff=QUICK)
    until(ward, lambda: ward.pid)
    assert until(ward, lambda: ward.pid is None, wanted=False) == []
    assert ward.restarts == 0
    until(ward, lambda: ward.pid)
    ward.kill()


def test_what_cannot_be_started_is_a_failure_with_its_sentence():
    def refuse():
        raise EngineError("there is no model pack 'x'")

    ward = Ward(CONTEXT, "show", refuse, backoff=QUICK)
    failure = ward.tend(0.0, True)
    assert failure is not None
    assert (failure.code, "no model pack" in failure.text) == (NOT_STARTED, True)
    assert ward.tend(0.01, True) is None, "it waits before it tries again"
    assert ward.tend(0.1, True) is not None


def test_the_last_words_of_a_process_are_told():
    missing = "/nowhere/model-pack"
    launches = iter(
        [Launch("engines.runtime.manifest:read_manifest", (Path(missing),)), Launch(HERE, ("time:nothing",))]
    )
    ward = Ward(CONTEXT, "show", lambda: next(launches), backoff=QUICK)
    (failure,) = until(ward, lambda: ward.restarts == 1)
    assert failure.code == EngineError.exit_code
    assert missing in failure.text
    assert missing in ward.last_failure
    until(ward, lambda: ward.restarts == 2)
    assert ward.last_failure == "a fault of the program, AttributeError", "what a bug says may hold anything"


def test_a_process_may_have_said_why_in_a_way_of_its_own():
    ward = Ward(CONTEXT, "show", lambda: Launch("os:_exit", (4,)), backoff=QUICK, told=lambda: "the pack is damaged")
    (failure,) = until(ward, lambda: ward.restarts == 1)
    assert failure.text == "show ended with code 4 (the pack is damaged); starting it again"
    assert ward.last_failure == "the pack is damaged"
    ward.kill()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_processes_end_with_their_supervisor_and_leave_no_core_dump(tmp_path):
    script, body = tmp_path / "supervisor.py", tmp_path / "body.py"
    body.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n")
    script.write_text(
        "import multiprocessing, sys, time\n"
        "from installation.kiosk.ward import Launch, Ward\n"
        "if __name__ == '__main__':\n"
        "    launch = Launch('runpy:run_path', (sys.argv[1],))\n"
        "    ward = Ward(multiprocessing.get_context('spawn'), 'eye', lambda: launch)\n"
        "    ward.tend(time.monotonic(), True)\n"
        "    time.sleep(1000)\n"
    )
    command = [sys.executable, str(script), str(body)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        child = psutil.Process(int(supervisor.stdout.readline()))  # it is bound before its body runs
        assert child.rlimit(resource.RLIMIT_CORE) == (0, 0)
        filter_file = Path(f"/proc/{child.pid}/coredump_filter")
        assert not filter_file.exists() or int(filter_file.read_text(), 16) == 0
        supervisor.kill()
    child.wait(LIMIT_S)


ARENAS = """
import ctypes, threading
from installation.kiosk.body import hold_memory_together
hold_memory_together()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
meeting = threading.Barrier(12)
def allocate():
    meeting.wait()
    libc.malloc(1000)
    meeting.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)  # XML, an element for each arena
libc.fflush(out)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about glibc")
def test_threads_share_two_arenas():
    done = subprocess.run([sys.executable, "-c", ARENAS], capture_output=True, text=True, check=True)
    assert 1 <= done.stdout.count("<heap ") <= 2
