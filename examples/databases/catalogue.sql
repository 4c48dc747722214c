create table product (number integer primary key, title text, sheet text);
create table offer (number integer primary key, product integer, code text, cents integer);
create table tag (id integer primary key, product integer, word text);
insert into product values (1, 'Gate', '{"material": "oak"}'), (2, 'Wheel', null);
insert into offer values (10, 1, 'GATE-SPRING', 4900), (11, 2, 'WHEEL-SPRING', 9900);
insert into tag values (1, 1, 'new'), (2, 1, 'wood'), (3, 2, 'wood');
