# SPDX-License-Identifier: GPL-2.0-or-later
"""What the default guest is like: its network is itself."""
import unittest

from harness import SystemTest, workload


class Guest(SystemTest):
    def run_in_guest(self, *command):
        result = self.tracer("run", "--sink", "untraced", "--files", "image", "--", *command)
        self.assertEqual(result.status, 0, result.err)
        return result.out

    def test_localhost_resolves(self):
        out = self.run_in_guest("sh", "-c", "getent ahostsv4 localhost; getent ahostsv6 localhost; getent hosts guest; uname -n")
        self.assertRegex(out, r"^127\.0\.0\.1 [^@]*\n::1 [^@]*\n127\.0\.1\.1 +guest\nguest\n$")

    def test_loopback(self):
        self.assertEqual(self.run_in_guest(workload("loopback")), "".join(
            f"{name}: hello\n" for name in ("IPv4", "IPv6", "UNIX")) + "packet: a socket\n")


if __name__ == "__main__":
    unittest.main()
