# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload sees of this machine (files, user, environment, folder), and where its changes of files go."""
import hashlib
import json
import os
import pwd
import re
import resource
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from harness import IMAGE, TIMEOUT_S, TRACER, OrdinaryUserTest, SystemTest

UNTRACED = ["run", "--sink", "untraced"]
DROPPED = "files that the workload has changed, made or removed, which stay as they were here: "


def listing(folder):
    """All that is in a folder: names, types, modes, owners, contents."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            entry = os.path.join(path, name)
            status = os.lstat(entry)
            content = ""
            if os.path.islink(entry):
                content = os.readlink(entry)
            elif os.path.isfile(entry):
                with open(entry, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(entry, folder)] = (status.st_mode, status.st_uid, status.st_gid, content)
    return found


class FilesTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.scratch = self.path("scratch")
        os.mkdir(self.scratch)

    def run_here(self, *arguments, options=(), **popen):
        """Runs a command in the scratch folder, untraced."""
        return self.finish(self.start(*UNTRACED, *options, "--", *arguments, cwd=self.scratch, **popen))

    def shell(self, command, options=(), **popen):
        return self.run_here("sh", "-c", command, options=options, **popen)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.scratch, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def compile(self, name, source, *options):
        path = self.write(name + ".c", source)
        subprocess.run(["gcc", "-o", os.path.join(self.scratch, name), path, *options], check=True, cwd=self.scratch)


class Files(FilesTest):
    def test_programs_find_their_files(self):
        self.write("data/numbers", "\n".join(map(str, range(1000))))
        self.write("total.py", "import json, os\n"
                               "with open('data/numbers') as file: print(json.dumps({'total': sum(map(int, file))}))\n"
                               "print(os.path.realpath(__file__))\n")
        result = self.run_here("python3", "total.py")
        self.assertEqual(result.out, '{"total": 499500}\n' + os.path.join(self.scratch, "total.py") + "\n", result.err)

    def test_a_program_for_32_bit_x86_runs_as_it_would_here(self):
        code = bytes.fromhex("b801000000bb07000000cd80")  # exit(7)
        head = b"\x7fELF\1\1\1".ljust(16, b"\0") + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        size = 84 + len(code)
        with open(os.path.join(self.scratch, "small"), "wb") as file:
            file.write(head + struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, size, size, 5, 0x1000) + code)
        os.chmod(file.name, 0o755)
        self.assertEqual(self.run_here("./small").status, 7)
        self.assert_fails(self.run_here("./small", options=["--files", "image"]), "it is not an x86-64 program", status=126)

    def test_a_compiler_runs_and_what_it_writes_is_dropped(self):
        self.write("main.c", "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n")
        before = listing(self.scratch)
        result = self.shell("gcc -c main.c -o main.o && gcc main.o -o main && ./main")
        self.assertEqual((result.status, result.out), (0, "hello\n"), result.err)
        self.assertEqual(listing(self.scratch), before)
        self.assertRegex(result.err, re.escape(DROPPED) + "2 ")

    def test_what_is_named_in_odd_ways_is_found(self):
        os.makedirs(os.path.join(self.scratch, "a folder/größer/lib"))
        self.write("a folder/größer/real name", "inside\n")
        os.symlink("größer/real name", os.path.join(self.scratch, "a folder", "link"))
        os.symlink(os.path.join(self.scratch, "a folder"), os.path.join(self.scratch, "absolute"))
        self.write("plugin.c", "int plugin(void) { return 5; }\n")
        self.compile("a folder/größer/main", "#include <dlfcn.h>\n#include <stdio.h>\nint loaded(void);\n"
                     "int main(int c, char **v) { void *p = dlopen(\"libplugin.so\", RTLD_NOW);\n"
                     "printf(\"%s %d\\n\", v[0], p ? ((int (*)(void))dlsym(p, \"plugin\"))() : -1); return !p; }\n",
                     "-Wl,-rpath,$ORIGIN/lib", "-ldl")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", "a folder/größer/lib/libplugin.so", "plugin.c"], check=True,
                       cwd=self.scratch)
        result = self.shell("cat 'a folder/link' 'absolute/größer/real name'; './a folder/größer/main'; cd absolute && "
                            "mv größer/lib . && LD_LIBRARY_PATH=lib größer/main")
        self.assertEqual(result.out, "inside\ninside\n./a folder/größer/main 5\ngrößer/main 5\n", result.err)

    def test_nothing_that_is_written_stays(self):
        """A workload that tries to write wherever it can."""
        for name in ("kept", "changed", "removed", "moved", "folder/inside", "modes"):
            self.write(name, f"{name}\n")
        os.symlink("kept", os.path.join(self.scratch, "link"))
        before, etc = listing(self.scratch), listing("/etc/apt")
        result = self.shell("echo more >> changed; rm removed; mv moved elsewhere; rm -r folder; chmod 777 modes; ln kept hard; "
                            "echo x > link; mkdir new; truncate -s 1000000 changed; touch /etc/apt/new /usr/new /new ~/new /tmp/new; "
                            "rm -rf /etc/apt /usr/share/doc/apt; dd if=/dev/zero of=/bin/sh count=1 2>/dev/null; mknod dev c 1 3; "
                            "cat changed | head -c 8; ls")
        self.assertEqual(result.out, "changed\nchanged\ndev\nelsewhere\nhard\nkept\nlink\nmodes\nnew\n", result.err)
        self.assertIn(DROPPED, result.err)
        self.assertEqual(listing(self.scratch), before)
        self.assertEqual(listing("/etc/apt"), etc)
        self.assertFalse(any(os.path.exists(path) for path in ("/etc/apt/new", "/usr/new", "/new", "/tmp/new")))

    def test_folders_of_this_machine_can_be_renamed(self):
        self.write("before/below/file", "x")
        renamed = self.run_here("python3", "-c", "import os; os.rename('before', 'after'); print(os.listdir('after/below'))")
        self.assertEqual(renamed.out, "['file']\n", renamed.err)
        self.assertEqual(os.listdir(self.scratch), ["before"])

    def test_nothing_is_said_where_nothing_was_written(self):
        result = self.tracer("run", "--json", "true")
        self.assertEqual(json.loads(result.err)["files_dropped"], 0)
        self.assertEqual(json.loads(result.err)["warnings"], [])
        summary = json.loads(self.tracer("run", "--json", "--", "sh", "-c", "echo > /tmp/a; rm /etc/passwd").err)
        self.assertEqual(summary["files_dropped"], 2)
        self.assertEqual(len(summary["warnings"]), 1)

    def test_the_guest_has_its_own_proc_sys_dev_and_run(self):
        marker = tempfile.NamedTemporaryFile(dir="/dev/shm")
        self.addCleanup(marker.close)
        result = self.shell(f"ls {marker.name}; cat /proc/1/comm; ls /proc/{os.getpid()}; echo > /dev/null; "
                            "ls -d /run/* | wc -l; echo written > /dev/stdout; hostname")
        self.assertEqual(result.out, f"memory_tracer_a\n0\nwritten\n{socket.gethostname()}\n", result.err)

    def test_localhost_and_loopback(self):
        self.write("echo.py", "import socket\n"
                              "a = socket.create_server(('localhost', 0))\n"
                              "b = socket.create_connection(('localhost', a.getsockname()[1]))\n"
                              "c = a.accept()[0]; c.sendall(b'there'); print(b.recv(9), socket.gethostbyname('localhost'))\n")
        self.assertEqual(self.run_here("python3", "echo.py").out, "b'there' 127.0.0.1\n")

    def test_a_file_that_changes_meanwhile_gives_old_or_new_contents(self):
        path, stop = self.write("changing", "old\n" * 100000), threading.Event()

        def change():
            while not stop.is_set():
                for text in ("new\n" * 200000, "old\n" * 100000, ""):
                    self.write("changing", text)
                os.unlink(path)
        thread = threading.Thread(target=change)
        thread.start()
        try:
            result = self.shell("for i in 1 2 3 4 5 6 7 8 9; do cat changing 2>/dev/null | sort -u; done")
        finally:
            stop.set()
            thread.join()
        self.assertEqual(result.status, 0, result.err)
        # Where it gets shorter while it is read there are zeros, as in a mapped file.
        self.assertLessEqual(set(result.out.replace("\0", "").splitlines()), {"old", "new", "", "o", "ol", "n", "ne"}, result.out[:100])

    def test_a_full_disk_is_told_with_the_way_out(self):
        result = self.shell("fallocate -l 1T big; df --output=size . | tail -n 1 | { read kib; fallocate -l $((kib - 99999))K big; }; "
                            "cat /dev/zero > rest")
        self.assertIn("No space left on device", result.err)
        self.assertRegex(result.err, "ATTENTION: the guest's disk is full.*--rw DIR")

    def test_a_disk_that_was_full_is_told_of_too(self):
        result = self.shell("fallocate -l 1T big; status=$?; rm -f big; exit $status")
        self.assertNotEqual(result.status, 0)
        self.assertIn("says that a disk was full", result.err)
        self.assertIn("--rw", result.err)

    def test_only_guests_that_were_made_here_see_them(self):
        self.write("secret", "secret\n")
        copy = self.path("copy.qcow2")
        for suffix in ("", ".json"):
            shutil.copyfile(IMAGE + suffix, copy + suffix)
        result = self.run_here("cat", "secret", options=["--image", copy])
        self.assertRegex(result.err, "is not a guest that was made here: .* runs as the guest's root")
        self.assertEqual((result.status, result.out), (1, ""), result.err)
        result = self.run_here("cat", "secret", options=["--image", copy, "--files", "host"])
        self.assertEqual((result.status, result.out), (0, "secret\n"), result.err)

    def test_files_image_is_a_guest_of_its_own(self):
        self.write("secret", "secret\n")
        result = self.shell("cat secret; id -u; env | grep -c .; cat ~/qemu_mem_tracer_workload/secret",
                            options=["--files", "image", "--workload-dir-path", self.scratch, "--env", "MORE=1"])
        self.assertEqual(result.out, "0\n9\nsecret\n", result.err)

    def test_runs_beside_one_another(self):
        processes = [self.start(*UNTRACED, "--", "sh", "-c", f"echo {i} > mine; cat mine", cwd=self.scratch)
                     for i in range(3)]
        self.assertEqual([self.finish(process).out for process in processes], ["0\n", "1\n", "2\n"])

    def test_a_recording_knows_its_libraries(self):
        trace = self.record("trace", "--", "sort", "/etc/passwd")
        self.assertEqual(self.info(trace)["metadata"]["files"], "host")
        self.assertIn("  libc.so.6+0x", self.tracer("dump", "--cpl", "3", trace).out)


class Writable(FilesTest):
    def test_what_is_written_there_stays(self):
        self.write("shared/old", "old\n")
        self.write("other/old", "old\n")
        self.write("map.py", "import mmap\n"
                             "with open('shared/mapped', 'wb+') as file:\n"
                             "    file.truncate(10000)\n"
                             "    with mmap.mmap(file.fileno(), 0) as memory: memory[5000:5006] = b'mapped'\n")
        result = self.shell("cat shared/old; echo new > shared/new; echo more >> shared/old; mkdir -p shared/a/b; mv shared/new "
                            "shared/a/b; ln -s old shared/link; python3 map.py; echo x > other/x; chmod 600 shared/old",
                            options=["--rw", "shared"])
        self.assertEqual((result.status, result.out), (0, "old\n"), result.err)
        self.assertIn(DROPPED + "1 ", result.err)
        shared = os.path.join(self.scratch, "shared")
        self.assertEqual(sorted(listing(shared)), ["a", "a/b", "a/b/new", "link", "mapped", "old"])
        with open(os.path.join(shared, "old")) as file:
            self.assertEqual(file.read(), "old\nmore\n")
        with open(os.path.join(shared, "mapped"), "rb") as file:
            self.assertEqual(file.read()[4999:5007], b"\0mapped\0")
        self.assertEqual(os.stat(os.path.join(shared, "old")).st_mode & 0o777, 0o600)
        self.assertEqual(sorted(os.listdir(os.path.join(self.scratch, "other"))), ["old"])

    def test_both_sides_see_what_the_other_writes(self):
        os.mkdir(os.path.join(self.scratch, "shared"))
        process = self.start(*UNTRACED, "--rw", "shared", "--", "sh", "-c",
                             "echo ready > shared/there; until [ -s shared/here ]; do sleep 0.1; done; cat shared/here",
                             cwd=self.scratch)
        there = os.path.join(self.scratch, "shared", "there")
        deadline = time.time() + TIMEOUT_S
        while not (os.path.exists(there) and os.path.getsize(there)) and time.time() < deadline:
            time.sleep(0.05)
        self.write("shared/here", "from the host\n")
        self.assertEqual(self.finish(process).out, "from the host\n")

    def test_several_folders(self):
        folders = [f"folder {i}" for i in range(8)]
        options = []
        for folder in folders:
            os.mkdir(os.path.join(self.scratch, folder))
            options += ["--rw", folder]
        os.symlink("folder 7", os.path.join(self.scratch, "link"))
        result = self.shell("for i in 0 1 2 3 4 5 6; do echo $i > \"folder $i/file\"; done; echo 7 > link/file",
                            options=options[:-1] + ["link"])
        self.assertEqual(result.status, 0, result.err)
        for i, folder in enumerate(folders):
            with open(os.path.join(self.scratch, folder, "file")) as file:
                self.assertEqual(file.read(), f"{i}\n")

    @unittest.skipIf(os.geteuid(), "mounting a small file system takes root")
    def test_in_what_is_else_the_guests_own(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            with open(os.path.join(folder, "program"), "w") as file:
                file.write("pwd; cat $1 >copy\n")
            os.chmod(file.name, 0o755)
            arguments = [*UNTRACED, "--rw", folder, "--", file.name, file.name]
            result = self.finish(self.start(*arguments, cwd=folder))
            self.assertEqual(result.out, folder + "\n", result.err)
            self.assertNotIn("the guest doesn't have it", result.err)
            with open(os.path.join(folder, "copy")) as file:
                self.assertEqual(file.read(), "pwd; cat $1 >copy\n")
            self.assertIn("in this machine's /dev: the guest doesn't have it", self.run_here("true", file.name).err)

    def test_what_could_not_be_written_back_is_an_error(self):
        small = os.path.join(self.scratch, "small")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
        self.write("map.py", "import mmap, os\n"
                             "with open('small/file', 'wb+') as file:\n"
                             "    file.truncate(1 << 20)\n"
                             "    memory = mmap.mmap(file.fileno(), 0)\n"
                             "    for at in range(0, 1 << 20, 4096): memory[at] = 1\n"
                             "    os._exit(0)\n")
        try:
            result = self.run_here("python3", "map.py", options=["--rw", "small"])
        finally:
            subprocess.run(["umount", small], check=True)
        self.assertEqual(result.status, 1, result.err)
        self.assertEqual(result.err.splitlines()[-1], f"memory_tracer: not all that was written to {small} could be written back: "
                         "No space left on device")

    def test_a_summary_goes_nowhere_else(self):
        shared, victim = os.path.join(self.scratch, "shared"), self.write("victim", "precious")
        os.mkdir(shared)
        options = ["--rw", shared, "--summary", os.path.join(shared, "summary")]
        result = self.shell("ln -s ../victim shared/summary", options=options)
        self.assertEqual(result.status, 0, result.err)
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")
        with open(os.path.join(shared, "summary")) as file:
            self.assertIn("traced_ns", file.read())

    def test_nor_does_a_trace(self):
        trace = os.path.join(self.scratch, "trace")
        result = self.tracer("record", "-o", trace, "--rw", self.scratch, "--warm-up", "1", "--", "true")
        self.assert_fails(result, f"can't write {trace}: with --warm-up, the trace can't be in a folder of --rw")

    def test_ctrl_c_keeps_what_was_written(self):
        os.mkdir(os.path.join(self.scratch, "shared"))
        process = self.start("run", "--rw", "shared", "--", "sh", "-c", "echo written > shared/file; echo; sleep 1000",
                             cwd=self.scratch)
        process.stdout.readline()
        process.send_signal(2)
        self.assert_stopped(self.finish(process))
        with open(os.path.join(self.scratch, "shared", "file")) as file:
            self.assertEqual(file.read(), "written\n")

    def test_what_can_not_be_shared_is_an_error(self):
        self.write("file", "")
        for folder in ("a", "a/b", *(f"f{i}" for i in range(9))):
            os.mkdir(os.path.join(self.scratch, folder))
        nine = [word for i in range(9) for word in ("--rw", f"f{i}")]
        for options, text, status in ((["--rw", "gone"], "No such file", 1), (["--rw", "file"], "Not a directory", 1),
                                      (["--rw", "/"], "can't be shared for writing", 2),
                                      (["--rw", "/proc"], "can't be shared for writing", 2),
                                      (["--rw", "a", "--rw", "a/b"], "lie in one another", 2),
                                      (["--rw", "a/b", "--rw", "a/b"], "lie in one another", 2),
                                      (nine, "at most 8 folders", 2),
                                      (["--files", "image", "--rw", "a"], "--rw needs --files host", 2)):
            with self.subTest(options=options):
                self.assert_fails(self.run_here("true", options=options), text, status=status)


class Caller(FilesTest):
    """The workload is run as its caller would run it."""

    def test_environment(self):
        data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        self.environment.update(MEMORY_TRACER_IMAGE=IMAGE, XDG_DATA_HOME=data, MINE="a=b c\n", DISPLAY=":0", HOME="/tmp", BIG="x" * 100000, BIGGER="y" * 120000)
        names = "print(sorted(n for n in ('MINE', 'DISPLAY', 'HOME', 'BIG', 'MORE', 'TMPDIR', 'PATH') if n in os.environ))"
        show = ["/usr/bin/python3", "-c", f"import os; {names}; print(repr(os.environ.get('MINE')), len(os.environ.get('BIGGER', '')))"]
        for options, wanted in (
                ([], "['BIG', 'HOME', 'MINE', 'PATH', 'TMPDIR']\n'a=b c\\n' 120000\n"),
                (["--env", "MORE=1=2", "--env", "MINE=", "--unset-env", "BIG"],
                 "['HOME', 'MINE', 'MORE', 'PATH', 'TMPDIR']\n'' 120000\n"),
                (["--clean-env", "--env", "MINE", "--env", "PATH=/usr/bin"], "['MINE', 'PATH']\n'a=b c\\n' 0\n"),
                (["--env", "DISPLAY"], "['BIG', 'DISPLAY', 'HOME', 'MINE', 'PATH', 'TMPDIR']\n'a=b c\\n' 120000\n")):
            with self.subTest(options=options):
                self.assertEqual(self.run_here(*show, options=options).out, wanted)
        for option in ("--env", "--unset-env"):
            self.assert_fails(self.run_here("true", options=[option, "=x"]), "is not a variable's name", status=2)

    def test_folder_umask_limits_and_name(self):
        os.mkdir(os.path.join(self.scratch, "sub"))
        self.compile("name", "#include <stdio.h>\nint main(int c, char **v) { puts(v[0]); }\n")

        def prepare():
            os.umask(0o27)
            resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456))
            resource.setrlimit(resource.RLIMIT_STACK, (5 << 20, 50 << 20))
        result = self.shell("pwd; umask; ulimit -S -n; ulimit -H -n; ulimit -S -s; ./name", preexec_fn=prepare)
        self.assertEqual(result.out, f"{self.scratch}\n0027\n123\n456\n5120\n./name\n", result.err)
        self.assertEqual(self.run_here("../name", options=["--chdir", "sub"]).out, "../name\n")
        self.assertEqual(self.run_here("pwd", options=["--chdir", "sub"]).out, f"{self.scratch}/sub\n")
        self.assert_fails(self.run_here("pwd", options=["--chdir", "gone"]), "gone: No such file")
        self.assert_fails(self.run_here("pwd", preexec_fn=lambda: (os.mkdir("gone"), os.chdir("gone"), os.rmdir("../gone"))),
                          "the current folder has been removed", "--chdir")
        self.assert_fails(self.run_here("pwd", options=["--chdir", "/dev/shm"]), "the guest has its own there", "--chdir")

    def test_each_process_has_as_many_files_as_the_limit_says(self):
        # 600 files in three processes, each of which may have 256.
        for number in range(600):
            self.write(f"many/{number}", "x")
        command = "for i in 0 1 2; do " \
                  "bash -c 'for n in {0..199}; do exec {f}<many/$(($0 * 200 + n)) || exit; done; echo fine; sleep 2' $i & " \
                  "done; wait"
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        result = self.shell(command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1])))
        self.assertEqual(result.out, "fine\n" * 3, result.err)

    def test_output_and_errors_are_in_order_where_they_are_one(self):
        with open(self.path("log"), "w") as log:
            command = [TRACER, *UNTRACED, "--", "sh", "-c", "echo a; echo b >&2; echo c; echo d >&2; echo e"]
            subprocess.run(command, stdout=log, stderr=log, timeout=TIMEOUT_S, check=True)
        with open(self.path("log")) as log:
            self.assertTrue(log.read().startswith("a\nb\nc\nd\ne\n"))

    def test_arguments_that_the_guest_can_not_have_are_told(self):
        fifo, socket_path = self.path("fifo"), self.path("socket")
        os.mkfifo(fifo)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(socket_path)
            reader, writer = os.pipe()
            os.close(writer)
            result = self.run_here("true", fifo, f"--in={socket_path}", f"/dev/fd/{reader}", "/dev/null", "/dev/stdin", "x", "/",
                                   pass_fds=[reader])
            os.close(reader)
        told = [line for line in result.err.splitlines() if line.endswith("the guest doesn't have it")]
        self.assertEqual(len(told), 3, result.err)
        for line, text in zip(told, (f"{fifo} is a FIFO", f"{socket_path} is a socket", "is a file that is open here")):
            self.assertIn(text, line)
        self.assertEqual(result.status, 0, result.err)

    def test_the_other_user(self):
        os.chmod(self.folder, 0o755)
        result = self.shell("id -un; echo $HOME $USER", options=["--user", "nobody"])
        self.assertEqual(result.out, f"nobody\n{pwd.getpwnam('nobody').pw_dir} nobody\n", result.err)
        for entry in pwd.getpwall()[-3:]:  # the guest's own image may have none of these
            result = self.shell("id -u", options=["--user", entry.pw_name])
            self.assertEqual(result.out, f"{entry.pw_uid}\n", result.err)
        self.assert_fails(self.run_here("true", options=["--user", "no_such_user"]), "this machine has no user no_such_user")


@unittest.skipIf(os.geteuid(), "as an ordinary user, all of the tests are these")
class OrdinaryUser(OrdinaryUserTest, FilesTest):
    def setUp(self):
        super().setUp()
        self.give(self.scratch)

    def run_as_user(self, command, *options):
        tracer = os.path.join(self.installed, os.path.basename(TRACER))
        process = subprocess.Popen([tracer, *UNTRACED, *options, "--", "sh", "-c", command], cwd=self.scratch,
                                   env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **self.ids)
        return self.finish(process)

    def test_he_is_himself_there(self):
        self.write("secret", "secret\n", 0o600)
        self.write("open", "open\n", 0o644)
        self.write("group", "group\n", 0o640)
        os.chown(os.path.join(self.scratch, "group"), 0, 3)
        result = self.run_as_user("id -u; id -G; cat open group; cat secret /etc/shadow; echo mine > mine; cat mine; echo > /etc/mine")
        self.assertEqual(result.out, "65534\n65534 3\nopen\ngroup\nmine\n", result.err)
        self.assertEqual(result.err.count("Permission denied") + result.err.count("can't create"), 3, result.err)
        self.assertFalse(os.path.exists(os.path.join(self.scratch, "mine")))

    def test_his_folder_is_written_to_as_him(self):
        result = self.run_as_user("echo mine > mine; mkdir f; chmod 4755 mine", "--rw", ".")
        self.assertEqual(result.status, 0, result.err)
        status = os.stat(os.path.join(self.scratch, "mine"))
        self.assertEqual((status.st_uid, status.st_mode & 0o7777), (65534, 0o4755))
        self.assert_fails(self.run_as_user("true", "--rw", "/etc"), "/etc: Permission denied")

    def test_root_in_the_guest_reads_no_more_than_he_may(self):
        self.write("secret", "secret\n", 0o600)
        result = self.run_as_user("id -u; cat secret /etc/shadow; dmesg | head -c 1", "--user", "root")
        self.assertEqual(result.out[:2], "0\n", result.err)
        self.assertNotIn("secret\n", result.out)
        self.assertEqual(result.err.count("Permission denied"), 2, result.err)


if __name__ == "__main__":
    unittest.main()
