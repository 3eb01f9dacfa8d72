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
        # "ahosts" sets AI_ADDRCONFIG.
        out = self.run_in_guest("sh", "-c", "getent ahostsv4 localhost; getent ahosts localhost; getent hosts localhost; "
                                "getent hosts guest; uname -n")
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual({line[0] for line in lines[:-3]}, {"127.0.0.1"})
        self.assertEqual(lines[-3:], [["::1", "localhost", "ip6-localhost"], ["127.0.1.1", "guest"], ["guest"]])

    def test_loopback(self):
        self.assertEqual(self.run_in_guest(workload("loopback")), "".join(
            f"{name}: hello\n" for name in ("IPv4", "IPv6", "UNIX")) + "packet: a socket\n")


if __name__ == "__main__":
    unittest.main()
