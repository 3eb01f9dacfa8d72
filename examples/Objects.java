// SPDX-License-Identifier: GPL-2.0-or-later
// A workload: a million small objects in a linked list, or as many numbers in an array.
// usage: java Objects.java list|array
class Objects {
    static class Node {
        int value;
        Node next;
    }

    public static void main(String[] arguments) {
        int count = 1_000_000;
        long total = 0;

        if (arguments[0].equals("list")) {
            Node first = null;
            for (int i = 0; i < count; i++) {
                Node node = new Node();
                node.value = i;
                node.next = first;
                first = node;
            }
            for (Node node = first; node != null; node = node.next)
                total += node.value;
        } else {
            int[] values = new int[count];
            for (int i = 0; i < count; i++)
                values[i] = i;
            for (int value : values)
                total += value;
        }
        System.out.println(total);
    }
}
