-- SPDX-License-Identifier: GPL-2.0-or-later
-- A workload for sqlite3: a table of 20,000 rows with an index, and what an index is good for.
create table item (id integer primary key, name text, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
    insert into item select i, 'item ' || i, i % 997 from n;
create index item_price on item (price);
select count(*) from item where price = 500;
select count(*) from item where name = 'item 500';
