// SPDX-License-Identifier: GPL-2.0-or-later
// Functions that node compiles: doc/guide.md, "Code that is made while it runs".
function collatz(n) {
    let steps = 0;

    for (; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

function longest(limit) {
    let best = 0;

    for (let i = 1; i < limit; i++)
        best = Math.max(best, collatz(i));
    return best;
}

function fillTable(table, rounds) {
    for (let r = 0; r < rounds; r++)
        for (let i = 0; i < table.length; i++)
            table[i] += i * r;
    return table[table.length - 1];
}

console.log(longest(1500), fillTable(new Float64Array(4096), 20));
