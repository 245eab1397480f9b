"""Wheels that are only looked at: fetched by pip, unpacked, never installed."""

import shutil
import subprocess
import sys

import pytest


def fetched(folder, *requirements):
    """Download wheels and unpack them, or skip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--retries=0"]
    command += ["--timeout=10", "--dest", str(folder), *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch {', '.join(requirements)} here")
    for wheel in folder.glob("*.whl"):
        shutil.unpack_archive(wheel, folder / "unpacked", "zip")
    return folder / "unpacked"
