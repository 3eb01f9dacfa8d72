// SPDX-License-Identifier: GPL-2.0-or-later
// A workload: as many objects with two members as the argument says (default 200,000), added up.
const count = Number(process.argv[2] ?? 200000);
const objects = [];
for (let i = 0; i < count; i++) objects.push({ number: i, name: `object ${i}` });
console.log(objects.reduce((total, object) => total + object.number, 0));
