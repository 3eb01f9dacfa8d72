# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest images that only tests need. They are kept beside the default image, and rebuilt when the program that builds them changes."""
import contextlib
import fcntl
import hashlib
import json
import os
import subprocess

from harness import BUILD, IMAGE, ROOT, TRACER

FOLDER = os.path.join(os.path.dirname(IMAGE), "tests")
BUILD_INSTALLED = os.path.join(ROOT, "tests", "system", "build_installed_debian")
PASSWORD = "secret pass"
VCPUS = 4


def suite():
    """The Debian to install: this machine's, or the stable one."""
    with open("/etc/os-release") as file:
        values = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    return values.get("VERSION_CODENAME", "trixie") if values.get("ID") == "debian" else "trixie"


@contextlib.contextmanager
def alone():
    """Modules run beside each other: one makes an image, and the others wait for it."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)} failed: {result.stderr[-2000:]}")


def several_vcpus():
    """An image like the default one, with VCPUS virtual CPUs."""
    path = os.path.join(FOLDER, f"{VCPUS}vcpus.qcow2")
    with alone():
        run(TRACER, "image", "build", "--if-needed", "--vcpus", str(VCPUS), "--output", path)
    return path


def installed():
    """A Debian with systemd, a boot loader and a login prompt, which knows nothing of memory_tracer."""
    path, stamp = os.path.join(FOLDER, "installed.qcow2"), os.path.join(FOLDER, "installed.stamp")
    with open(BUILD_INSTALLED, "rb") as file:
        wanted = hashlib.sha256(file.read() + suite().encode()).hexdigest()
    with alone():
        if os.path.exists(path) and os.path.exists(stamp):
            with open(stamp) as file:
                if file.read() == wanted:
                    return path
        run(BUILD_INSTALLED, suite(), PASSWORD, path)
        with open(stamp, "w") as file:
            file.write(wanted)
    return path


def kernel_release():
    """Of the default guest."""
    with open(IMAGE + ".json") as file:
        return json.load(file)["snapshots"]["ready_for_memory_tracer"]["kernel"]


def module(source, into):
    """Builds a kernel module for the default guest, in the folder `into`."""
    headers = f"/lib/modules/{kernel_release()}/build"
    for name in os.listdir(source):
        with open(os.path.join(source, name)) as file, open(os.path.join(into, name), "w") as copy:
            copy.write(file.read())
    run("make", "-C", headers, f"M={into}", "modules")
