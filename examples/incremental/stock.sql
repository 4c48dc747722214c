create table stock (
    sku      text primary key,
    pieces   integer not null,
    changed  integer not null default 0
);
create index stock_changed on stock (changed);
create table changes (last integer not null);
insert into changes values (0);

create trigger stock_new after insert on stock begin
    update changes set last = last + 1;
    update stock set changed = (select last from changes) where sku = new.sku;
end;
create trigger stock_other after update of pieces on stock begin
    update changes set last = last + 1;
    update stock set changed = (select last from changes) where sku = new.sku;
end;

with recursive n (i) as (select 1 union all select i + 1 from n where i < 300)
insert into stock (sku, pieces) select printf('sku-%03d', i), i % 7 from n;
