create table product (number bigint primary key, title text not null, sheet jsonb);
create table offer (
    id              bigint generated always as identity primary key,
    product_number  bigint not null references product (number),
    code            text not null unique,
    cents           integer not null check (cents > 0),
    is_live         boolean not null,
    version         integer not null default 1,
    clicks          integer not null default 0
);
create table tag (product_number bigint references product (number), word text, primary key (product_number, word));
