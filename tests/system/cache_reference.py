# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches as memory_tracer-cache(1) defines them, written to be clear: the tests of `cache` compare its results with these.
A set is a list of its lines. Only the definitions are shared with the program."""


def lru_misses(lines, sets, ways):
    """Of an LRU cache that is accessed by lines."""
    stacks, misses = [[] for _ in range(sets)], 0
    for line in lines:
        stack = stacks[line % sets]
        if line in stack:
            stack.remove(line)
        else:
            misses += 1
        stack.append(line)
        del stack[:-ways]
    return misses


class Line:
    def __init__(self, number, dirty):
        self.number, self.dirty, self.shared, self.prefetched, self.age = number, dirty, False, False, 2


class Array:
    """One cache. A way that is free holds None."""

    def __init__(self, size, ways, line, policy):
        self.sets = [[None] * ways for _ in range(size // ways // line)]
        self.ways, self.policy = ways, policy
        self.order = [[] for _ in self.sets]  # of use (LRU) or of arrival (FIFO): the next victim first
        self.half = [{} for _ in self.sets]  # PLRU: (first way, ways) of a node -> whether the victim is in its right half
        self.state = 88172645463325252

    def number(self, line):
        return line % len(self.sets)

    def find(self, line):
        for way in self.sets[self.number(line)]:
            if way and way.number == line:
                return way
        return None

    def mark(self, line):
        """PLRU: each node points away from the line."""
        at = self.number(line)
        way = [entry.number if entry else None for entry in self.sets[at]].index(line)
        first, count = 0, self.ways
        while count > 1:
            right = way >= first + count // 2
            self.half[at][first, count] = not right
            first += count // 2 if right else 0
            count //= 2

    def touch(self, line):
        at = self.number(line)
        if self.policy == "lru":
            self.order[at].remove(line)
            self.order[at].append(line)
        elif self.policy == "plru":
            self.mark(line)
        elif self.policy == "srrip":
            self.find(line).age = 0

    def choose(self, at):
        entries = self.sets[at]
        if None in entries:
            return entries.index(None)
        if self.policy in ("lru", "fifo"):
            return [entry.number for entry in entries].index(self.order[at][0])
        if self.policy == "plru":
            first, count = 0, self.ways
            while count > 1:
                first += count // 2 if self.half[at].get((first, count), False) else 0
                count //= 2
            return first
        if self.policy == "random":
            mask = (1 << 64) - 1
            self.state ^= self.state << 13 & mask
            self.state ^= self.state >> 7
            self.state ^= self.state << 17 & mask
            return self.state % self.ways
        while True:
            for way, entry in enumerate(entries):
                if entry.age == 3:
                    return way
            for entry in entries:
                entry.age += 1

    def insert(self, line, dirty):
        """Returns the line that was replaced, and the new one."""
        at = self.number(line)
        way = self.choose(at)
        victim = self.sets[at][way]
        if victim:
            self.order[at].remove(victim.number)
        self.sets[at][way] = Line(line, dirty)
        self.order[at].append(line)
        if self.policy == "plru":
            self.mark(line)
        return victim, self.sets[at][way]

    def remove(self, line):
        at = self.number(line)
        entry = self.find(line)
        self.sets[at][self.sets[at].index(entry)] = None
        self.order[at].remove(line)


class Hierarchy:
    """levels: dictionaries of size, ways, policy, shared, inclusion."""

    def __init__(self, levels, line=64, vcpus=1, through=False, no_allocate=False, prefetch="none"):
        self.levels, self.line, self.through, self.no_allocate, self.prefetch = levels, line, through, no_allocate, prefetch
        self.arrays = []
        for level in levels:
            make = lambda: Array(level["size"], level["ways"], line, level.get("policy", "lru"))
            self.arrays.append([make()] * vcpus if level.get("shared") else [make() for _ in range(vcpus)])
        self.counts = [dict.fromkeys(("accesses", "hits", "misses", "evictions", "writebacks", "invalidations"), 0) for _ in levels]
        self.vcpus, self.seen, self.memory, self.prefetches, self.useful = vcpus, [], [], 0, 0
        self.strides = {}

    def inclusion(self, level):
        return self.levels[level].get("inclusion", "non-inclusive") if 0 < level < len(self.levels) else None

    def count(self, level, hit):
        self.counts[level]["accesses"] += 1
        self.counts[level]["hits" if hit else "misses"] += 1

    def drop(self, vcpu, level, line):
        entry = self.arrays[level][vcpu].find(line)
        if entry:
            self.arrays[level][vcpu].remove(line)
            self.counts[level]["invalidations"] += 1
        return bool(entry) and entry.dirty

    def put(self, vcpu, level, line, dirty):
        """Takes a line that the level above has replaced."""
        if level == len(self.levels):
            self.memory.append((line, True))
            return
        entry = self.arrays[level][vcpu].find(line)
        if entry:
            entry.dirty |= dirty
        else:
            self.fill(vcpu, level, line, dirty)

    def fill(self, vcpu, level, line, dirty):
        victim, entry = self.arrays[level][vcpu].insert(line, dirty)
        if not victim:
            return entry
        self.counts[level]["evictions"] += 1
        dirty = victim.dirty
        if self.inclusion(level) == "inclusive":
            above = {}  # each array once
            for upper in range(level):
                for other in range(self.vcpus) if self.levels[level].get("shared") else [vcpu]:
                    above.setdefault(id(self.arrays[upper][other]), (other, upper))
            for other, upper in above.values():
                dirty |= self.drop(other, upper, victim.number)
        self.counts[level]["writebacks"] += dirty
        if dirty or self.inclusion(level + 1) == "exclusive":
            self.put(vcpu, level + 1, victim.number, dirty)
        return entry

    def read(self, vcpu, level, line, demand):
        """Returns whether the line that it gets is dirty."""
        if level == len(self.levels):
            self.memory.append((line, False))
            return False
        array = self.arrays[level][vcpu]
        entry = array.find(line)
        if demand:
            self.count(level, entry)
        if entry and self.inclusion(level) == "exclusive":
            array.remove(line)
            return entry.dirty
        if entry:
            array.touch(line)
            return False
        dirty = self.read(vcpu, level + 1, line, demand)
        if self.inclusion(level) == "exclusive":
            return dirty
        self.fill(vcpu, level, line, dirty)
        return False

    def store(self, vcpu, level, line):
        if level == len(self.levels):
            self.memory.append((line, True))
            return
        array = self.arrays[level][vcpu]
        entry = array.find(line)
        self.count(level, entry)
        if entry:
            array.touch(line)
            entry.dirty = True
            return
        self.read(vcpu, level + 1, line, True)
        self.fill(vcpu, level, line, True)

    def snoop(self, vcpu, line, store):
        shared = False
        private = [level for level in range(len(self.levels)) if not self.levels[level].get("shared")]
        for other in self.seen:  # in the order in which they began
            for level in private if other != vcpu else []:
                entry = self.arrays[level][other].find(line)
                if not entry:
                    continue
                dirty, entry.dirty = entry.dirty, False
                if store:
                    self.drop(other, level, line)
                else:
                    entry.shared = shared = True
                if dirty:
                    self.counts[level]["writebacks"] += 1
                    self.put(vcpu, len(private), line, True)
        return shared

    def fetch(self, vcpu, line):
        if self.arrays[0][vcpu].find(line):
            return
        shared = self.snoop(vcpu, line, False)
        dirty = self.read(vcpu, 1, line, False)
        self.prefetches += 1
        entry = self.fill(vcpu, 0, line, dirty)
        entry.prefetched, entry.shared = True, shared

    def access_line(self, vcpu, line, store):
        if vcpu not in self.seen:
            self.seen.append(vcpu)
        array = self.arrays[0][vcpu]
        entry = array.find(line)
        trigger = not entry or entry.prefetched
        self.count(0, entry)
        if entry:
            array.touch(line)
            self.useful += entry.prefetched
            entry.prefetched = False
            if store and entry.shared:
                self.snoop(vcpu, line, True)
                entry.shared = False
        else:
            shared = self.snoop(vcpu, line, store)
            if store and self.no_allocate:
                self.store(vcpu, 1, line)
            else:
                dirty = self.read(vcpu, 1, line, True)
                entry = self.fill(vcpu, 0, line, dirty)
                entry.shared = shared
        if store and entry:
            if self.through:
                self.store(vcpu, 1, line)
            else:
                entry.dirty = True
        if trigger and self.prefetch == "next-line" and (line + 1) * self.line % 4096:
            self.fetch(vcpu, line + 1)

    def access(self, vcpu, address, size, store, instruction=0):
        for line in range(address // self.line, (address + size - 1) // self.line + 1):
            self.access_line(vcpu, line, store)
        if self.prefetch == "stride":
            last, stride = self.strides.get((vcpu, instruction), (None, None))
            now = None if last is None else address - last
            self.strides[vcpu, instruction] = address, now
            following = address + (now or 0)
            if now and now == stride and following // 4096 == address // 4096 and following // self.line != address // self.line:
                self.fetch(vcpu, following // self.line)
