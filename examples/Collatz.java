// SPDX-License-Identifier: GPL-2.0-or-later
// Functions that java compiles: doc/guide.md, "Code that is made while it runs".
public class Collatz {
    static int collatz(int n) {
        int steps = 0;

        for (; n != 1; steps++)
            n = n % 2 != 0 ? 3 * n + 1 : n / 2;
        return steps;
    }

    static long fillTable(long[] table, int rounds) {
        for (int r = 0; r < rounds; r++)
            for (int i = 0; i < table.length; i++)
                table[i] += i * r;
        return table[table.length - 1];
    }

    public static void main(String[] arguments) {
        long[] table = new long[4096];
        long sum = 0;
        int longest = 0;

        for (int i = 1; i < 1500; i++)
            longest = Math.max(longest, collatz(i));
        for (int k = 0; k < 40; k++)
            sum += fillTable(table, 2);
        System.out.println(longest + " " + sum);
    }
}
