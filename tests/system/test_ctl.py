# SPDX-License-Identifier: GPL-2.0-or-later
"""memory_tracer ctl: the tracing of a running guest, switched by hand. The guest is a boot sector that does one thing."""
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import time
import unittest

from harness import BUILD, QEMU, SystemTest, boot_image

LOAD, STORE = 1 << 63 | 2, 1 << 63 | 2 | 32


class Ctl(SystemTest):
    def setUp(self):
        super().setUp()
        self.socket, self.out = self.path("socket"), self.path("trace")
        boot_image("boot_loop.S", self.path("boot.img"))
        self.qemu = None

    def tearDown(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.communicate()
        super().tearDown()

    def boot(self, arguments="", *more):
        booted = self.path("booted")
        if os.path.exists(booted):
            os.unlink(booted)
        self.qemu = subprocess.Popen(
            [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-m", "32",
             "-drive", f"file={self.path('boot.img')},format=raw,if=ide", "-debugcon", f"file:{booted}", "-plugin",
             os.path.join(BUILD, f"libgmbe.so,out={self.out},start=never,control={self.socket}{arguments}"), *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        deadline = time.time() + 60
        while not (os.path.exists(booted) and os.path.getsize(booted)) and time.time() < deadline:
            time.sleep(0.02)

    def ctl(self, *arguments):
        result = self.tracer("ctl", self.socket, *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return result

    def info(self):
        return json.loads(self.ctl("info", "--json").out)

    def records(self):
        """The number of records written, which are loads and stores of the one word in turn."""
        with open(self.out, "rb") as file:
            trace = file.read()
        pair = struct.pack("<QQQQ", LOAD, 0x9000, STORE, 0x9000)
        first = 0 if trace.startswith(pair[:16]) else 16
        self.assertEqual(len(trace) % 16, 0)
        self.assertTrue(trace == (pair * (len(trace) // 32 + 2))[first:first + len(trace)])
        return len(trace) // 16

    def test_trace_on_and_off(self):
        self.boot()
        self.assertFalse(self.info()["trace"])
        self.assertEqual(self.info()["events"], 0)
        self.ctl("trace", "on")
        self.assertTrue(self.info()["trace"])
        time.sleep(0.02)
        self.ctl("trace", "off")
        self.ctl("flush")
        info = self.info()
        records = self.records()
        self.assertEqual((info["trace"], info["events"], info["written"], info["waiting"]), (False, records, records, 0))
        self.assertGreater(records, 1000)
        time.sleep(0.2)
        self.assertEqual(self.info(), info)  # nothing is traced any more
        self.ctl("trace", "on")
        self.ctl("trace", "off")
        self.ctl("flush")
        self.assertEqual(self.info()["events"], self.records() - records)  # since it was switched on last

    def test_flush_in_mid_run(self):
        self.boot()
        self.ctl("trace", "on")
        size = 0
        for _ in range(5):  # the guest goes on tracing, so that there is always something that has not been written
            self.ctl("flush")
            size, before = os.path.getsize(self.out), size
            self.assertGreater(size, before)
        self.ctl("trace", "off")
        self.ctl("flush")
        self.assertGreater(os.path.getsize(self.out), size)
        self.assertGreater(self.records(), 1000)

    def test_sampling_is_changed_while_it_runs(self):
        self.boot()
        self.ctl("block-len", "4")
        self.ctl("tracing-ratio", "3")
        self.ctl("trace", "on")
        time.sleep(0.02)
        self.ctl("trace", "off")
        self.ctl("flush")
        info = self.info()
        self.assertEqual((info["log_block_len"], info["log_tracing_ratio"]), (4, 3))
        blocks, rest = divmod(info["events"], 128)
        self.assertEqual(info["written"], 16 * blocks + min(rest, 16))
        self.assertEqual(info["written"] + info["skipped"], info["events"])
        self.assertEqual(self.records(), info["written"])
        self.ctl("trace", "on")
        self.ctl("tracing-ratio", "0")
        time.sleep(0.02)
        self.ctl("trace", "off")
        self.ctl("flush")
        info = self.info()
        self.assertGreater(info["written"], info["events"] // 8 + 16)
        self.assertEqual(info["written"] + info["skipped"], info["events"])

    def test_a_long_skip_is_counted_exactly(self):
        self.boot()
        self.ctl("block-len", "10")
        self.ctl("tracing-ratio", "15")  # 2^25 - 2^10 accesses are skipped: they are counted inline
        self.ctl("trace", "on")
        deadline = time.time() + 60
        while self.info()["events"] < 3 << 25 and time.time() < deadline:
            time.sleep(0.02)
        self.ctl("trace", "off")
        self.ctl("flush")
        info = self.info()
        blocks, rest = divmod(info["events"], 1 << 25)
        self.assertGreaterEqual(blocks, 2)
        self.assertEqual(info["written"], 1024 * blocks + min(rest, 1024))
        self.assertEqual((info["written"] + info["skipped"], info["dropped"]), (info["events"], 0))
        records = self.records()
        self.assertEqual(records, info["written"])

    def test_cpl3_only(self):
        self.boot()
        self.ctl("cpl3-only", "on")
        self.ctl("trace", "on")
        time.sleep(0.1)
        self.assertEqual(self.info()["events"], 0)
        self.ctl("cpl3-only", "off")
        time.sleep(0.02)
        self.ctl("trace", "off")
        self.ctl("flush")
        self.assertGreater(self.records(), 1000)

    def test_info_is_readable(self):
        self.boot()
        self.ctl("trace", "on")
        self.assertRegex(self.ctl("info").out, r"\Atrace: on\ncpl3-only: off\nblock-len: 0\ntracing-ratio: 0\n"
                         r"(num_of_events_waiting_in_trace_buf: \d+\n)?num_of_GMBE_events_since_enabling_GMBEOO: \d+\n")

    def test_a_paused_guest_is_told_about_and_obeys_when_it_goes_on(self):
        self.boot("", "-monitor", "stdio")
        self.qemu.stdin.write("stop\n")
        self.qemu.stdin.flush()
        time.sleep(0.5)
        process = self.start("ctl", self.socket, "trace", "on")
        self.assertIn("is it paused?", process.stderr.readline())
        self.qemu.stdin.write("cont\n")
        self.qemu.stdin.flush()
        self.assertEqual(self.finish(process).status, 0)
        self.assertTrue(self.info()["trace"])

    def test_a_client_that_gives_up_does_no_harm(self):
        self.boot("", "-monitor", "stdio")
        self.qemu.stdin.write("stop\n")
        self.qemu.stdin.flush()
        time.sleep(0.5)
        process = self.start("ctl", self.socket, "trace", "on")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertFalse(self.info()["trace"])
        self.qemu.stdin.write("cont\n")
        self.qemu.stdin.flush()
        time.sleep(0.5)
        self.assertFalse(self.info()["trace"])  # its request is withdrawn
        self.ctl("trace", "on")
        self.assertTrue(self.info()["trace"])

    def test_qemu_dies(self):
        self.boot("", "-monitor", "stdio")
        self.qemu.stdin.write("stop\n")
        self.qemu.stdin.flush()
        time.sleep(0.5)
        process = self.start("ctl", self.socket, "trace", "on")
        time.sleep(0.3)
        self.qemu.kill()
        self.assert_fails(self.finish(process), "has ended before it answered")

    def test_qemu_quits_and_takes_its_socket_along(self):
        self.boot("", "-monitor", "stdio")
        self.ctl("trace", "on")
        self.qemu.stdin.write("quit\n")
        self.qemu.stdin.flush()
        _, err = self.qemu.communicate(timeout=20)
        self.assertRegex(err, rf"libgmbe: (\d+) accesses, \1 records written")
        self.assertFalse(os.path.exists(self.socket))

    def test_the_socket_of_a_qemu_that_is_gone_is_replaced(self):
        self.boot()
        self.qemu.kill()
        self.qemu.communicate()
        self.assertTrue(os.path.exists(self.socket))
        self.boot()
        self.info()

    def test_a_socket_in_use_is_not_taken_away(self):
        self.boot()
        second = subprocess.run([QEMU, "-nodefaults", "-display", "none", "-plugin",
                                 os.path.join(BUILD, f"libgmbe.so,out={self.path('o2')},control={self.socket}")],
                                capture_output=True, text=True, timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"can't listen at {self.socket}", second.stderr)
        self.info()

    def refused(self, control):
        """What QEMU says if it can't make its control socket there."""
        result = subprocess.run([QEMU, "-nodefaults", "-display", "none", "-plugin",
                                 os.path.join(BUILD, f"libgmbe.so,out={self.path('o2')},control={control}")],
                                capture_output=True, text=True, timeout=60, env=self.environment)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr

    def test_what_is_no_socket_is_kept(self):
        with open(self.path("file"), "w") as file:
            file.write("precious")
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("pipe"))
        os.symlink(self.path("file"), self.path("link"))
        os.symlink(self.path("nothing"), self.path("dangling"))
        for name in ("file", "folder", "pipe", "link", "dangling"):
            with self.subTest(name):
                self.assertIn(f"can't listen at {self.path(name)}: it is there, and is not a socket",
                              self.refused(self.path(name)))
                self.assertTrue(os.path.lexists(self.path(name)))
        with open(self.path("file")) as file:
            self.assertEqual(file.read(), "precious")

    def test_the_control_socket_and_the_output_cannot_be_one(self):
        self.assertIn("is not a socket", self.refused(self.path("o2")))

    def test_it_is_for_this_user_only(self):
        before = os.umask(0)
        try:
            self.boot()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)

    def test_what_has_taken_its_place_is_not_removed(self):
        self.boot("", "-monitor", "stdio")
        os.unlink(self.socket)
        with open(self.socket, "w") as file:
            file.write("precious")
        self.qemu.stdin.write("quit\n")
        self.qemu.stdin.flush()
        self.qemu.communicate(timeout=60)
        self.assertTrue(os.path.exists(self.socket))

    def connect(self, blocking=True):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(blocking)
        client.connect(self.socket)
        self.addCleanup(client.close)
        return client

    def test_silent_clients_keep_nobody_waiting(self):
        self.boot()
        clients = [self.connect() for _ in range(10)]
        clients[0].sendall(b"inf")
        self.ctl("info")  # it says so, and the test fails, if it has to wait
        self.ctl("trace", "on")

    def test_many_clients_at_once(self):
        self.boot()
        clients = [self.connect(blocking=False) for _ in range(32)]
        for number, client in enumerate(clients):
            client.setblocking(True)
            client.sendall(b"trace %s\n" % (b"off", b"on")[number % 2])
        for client in clients:
            self.assertIn("trace", json.loads(client.makefile().readline()))

    def test_a_client_that_will_send_no_more_is_answered(self):
        self.boot()
        client = self.connect()
        client.sendall(b"trace on\n")
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(json.loads(client.makefile().readline())["trace"])

    def test_others_may_look_while_a_request_waits(self):
        self.boot("", "-monitor", "stdio")
        self.qemu.stdin.write("stop\n")
        self.qemu.stdin.flush()
        time.sleep(0.5)
        waiting = self.start("ctl", self.socket, "trace", "on")
        second = self.start("ctl", self.socket, "cpl3-only", "on")
        time.sleep(0.3)
        self.assertFalse(self.info()["trace"])
        self.qemu.stdin.write("cont\n")
        self.qemu.stdin.flush()
        self.assertEqual((self.finish(waiting).status, self.finish(second).status), (0, 0))
        self.assertEqual((self.info()["trace"], self.info()["cpl3_only"]), (True, True))

    def boot_with_reader(self):
        os.mkfifo(self.out)
        reader = subprocess.Popen(["cat", self.out], stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.boot()
        return reader

    def stop_reader(self, reader):
        reader.kill()
        reader.wait()

    def test_flush_says_that_the_reader_has_gone(self):
        reader = self.boot_with_reader()
        self.ctl("trace", "on")
        self.ctl("flush")
        self.assertFalse(self.info()["output_lost"])
        self.stop_reader(reader)
        result, deadline = self.tracer("ctl", self.socket, "flush"), time.time() + 30
        while result.status == 0 and time.time() < deadline:  # the guest has recorded nothing in the meantime
            result = self.tracer("ctl", self.socket, "flush")
        self.assert_fails(result, "nobody takes the records any more")
        self.assertTrue(self.info()["output_lost"])
        self.assertIn("the trace's reader: gone\n", self.ctl("info").out)
        self.ctl("trace", "off")
        self.assert_fails(self.tracer("ctl", self.socket, "trace", "on"), "nobody takes the records any more")

    def test_tracing_is_not_begun_without_a_reader(self):
        """The reader has gone before there was a record whose write could have failed."""
        self.stop_reader(self.boot_with_reader())
        self.assert_fails(self.tracer("ctl", self.socket, "trace", "on"), "nobody takes the records any more")
        self.assertFalse(self.info()["trace"])

    def test_nobody_there(self):
        self.assert_fails(self.tracer("ctl", self.socket, "info"), f"can't reach a traced guest at {self.socket}")

    def test_usage(self):
        for arguments in ([], [self.socket], [self.socket, "dance"], [self.socket, "trace"], [self.socket, "trace", "maybe"],
                          [self.socket, "info", "x"], [self.socket, "block-len", "65"], [self.socket, "block-len", "x"]):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("ctl", *arguments), status=2)

    def test_the_sum_of_the_logs_is_checked(self):
        self.boot()
        self.ctl("block-len", "40")
        self.assert_fails(self.tracer("ctl", self.socket, "tracing-ratio", "25"), "in range [0, 64]")


if __name__ == "__main__":
    unittest.main()
