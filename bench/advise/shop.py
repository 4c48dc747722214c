"""A shop: 25 lines for each 10 orders, 8 orders for each customer; categories are few."""

from bench.advise.case import Case, Domain

TABLES = """
create table customers (id bigint primary key, email text not null unique, country text not null, name text not null);
create table categories (id integer primary key, parent_id integer, name text not null);
create table orders (id bigint primary key, customer_id bigint not null references customers, status text not null,
    total_cents integer not null, placed_at timestamptz not null, note text not null);
create table order_lines (id bigint primary key, order_id bigint not null references orders,
    product_id integer not null, quantity integer not null);
insert into customers select i, 'customer' || i || '@example.com', (array['IS', 'NO', 'SE', 'DE'])[1 + i % 4],
    'Customer ' || i from generate_series(1, {rows} / 8) i;
insert into categories select i, nullif(i / 8, 0), 'Category ' || i from generate_series(1, 60) i;
insert into orders select i, 1 + (i * 7919::bigint) % ({rows} / 8),
    case when hashint8(i) % 100 = 0 then 'awaiting_payment' when hashint8(i) % 7 = 0 then 'returned' else 'paid' end,
    100 + abs(hashint8(i)) % 90000, now() - interval '1 minute' * abs(hashint8(i + 1) % 500000), repeat('n', 90)
    from generate_series(1, {rows}) i;
insert into order_lines select i, 1 + (i * 104729::bigint) % {rows}, 1 + abs(hashint8(i)) % 20000, 1 + i % 5
    from generate_series(1, {rows} * 5 / 2) i;
"""

CASES = (
    Case("recent orders of a customer",
         "select id, status, total_cents from orders where customer_id = %s order by placed_at desc limit 5", (17,),
         ("orders (customer_id, placed_at)", "orders (customer_id)"),
         "A customer has 8 orders: finding them is all that matters, and the order comes with it or is sorted."),
    Case("lines of an order", "select product_id, quantity from order_lines where order_id = %s", (4711,),
         ("order_lines (order_id)",),
         "A foreign key that nobody indexed; two or three rows of a million."),
    Case("orders of who has this address",
         "select o.id, o.total_cents from customers c join orders o on o.customer_id = c.id where c.email = %s",
         ("customer99@example.com",), ("orders (customer_id)",),
         "The address is unique and indexed; from one customer to the orders there is no way but the whole table."),
    Case("unpaid for long",
         "select id, customer_id from orders where status = 'awaiting_payment'"
         " and placed_at < now() - interval '340 days'",
         (), ("orders (placed_at) where status = 'awaiting_payment'", "orders (status, placed_at)"),
         "One order of a hundred waits for its money. The status finds those, the time a few of them."),
    Case("children of a category", "select id, name from categories where parent_id = %s", (3,), (),
         "Sixty rows lie on one page: no index is quicker than reading it."),
)

SHOP = Domain("shop", TABLES, CASES)
