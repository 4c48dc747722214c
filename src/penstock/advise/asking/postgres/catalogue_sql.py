"""What PostgreSQL is asked about tables. Each query answers for one database's own catalogue, and reads no table."""

NAMED = """
select wanted.number, c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples, c.relpages,
       has_schema_privilege(n.oid, 'USAGE') and (has_table_privilege(c.oid, 'SELECT')
                                                 or has_any_column_privilege(c.oid, 'SELECT')) as readable,
       s.seq_tup_read + coalesce(s.idx_tup_fetch, 0), s.n_tup_ins + s.n_tup_upd + s.n_tup_del,
       (select datcollate in ('C', 'POSIX') from pg_database where datname = current_database()),
       greatest(s.last_analyze, s.last_autoanalyze) is not null
from unnest(%(schemas)s::text[], %(names)s::text[]) with ordinality as wanted(schema, name, number)
left join lateral (
    select to_regclass(quote_ident(wanted.name))::oid as oid where wanted.schema is null
    union all
    select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = wanted.schema and c.relname = wanted.name and c.relkind in ('r', 'p', 'v', 'm', 'f')
) as found on true
left join pg_class c on c.oid = found.oid
left join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
order by wanted.number
"""
# What lies in a schema that the role may not use is not on its search path.
HIDDEN = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = %s and (%s::text is null or n.nspname = %s) and c.relkind in ('r', 'p', 'v', 'm', 'f') limit 1
"""

PARTITIONS = """
select sum(c.reltuples) filter (where c.reltuples >= 0), sum(c.relpages),
       array_agg(n.nspname || '.' || c.relname order by c.relname)
from pg_partition_tree(%s::oid::regclass) t join pg_class c on c.oid = t.relid
join pg_namespace n on n.oid = c.relnamespace where t.isleaf
"""

COLUMNS = """
select a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull,
       s.n_distinct, s.most_common_vals::text::text[], s.most_common_freqs, s.null_frac, s.avg_width, s.correlation,
       s.histogram_bounds::text::text[]
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select * from pg_stats where schemaname = n.nspname and tablename = c.relname and attname = a.attname
    order by inherited desc limit 1
) as s on true
where a.attrelid = any(%s) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum
"""

INDEXES = """
select i.indrelid, ic.relname, am.amname, i.indisunique, i.indisprimary,
       i.indisvalid and i.indisready and i.indislive, i.indnkeyatts,
       pg_get_expr(i.indpred, i.indrelid, true),
       pg_relation_size(i.indexrelid) + coalesce((
           select sum(pg_relation_size(t.relid)) from pg_partition_tree(i.indexrelid) t where t.isleaf
           and t.relid <> i.indexrelid), 0),
       s.idx_scan, columns.names, columns.definitions, columns.options, columns.opclasses
from pg_index i
join pg_class ic on ic.oid = i.indexrelid
join pg_am am on am.oid = ic.relam
left join pg_stat_all_indexes s on s.indexrelid = i.indexrelid
cross join lateral (
    select array_agg(a.attname::text order by k.n) as names,
           array_agg(pg_get_indexdef(i.indexrelid, k.n::int, true) order by k.n) as definitions,
           array_agg(coalesce(i.indoption[k.n - 1]::int, 0) order by k.n) as options,
           array_agg(case when o.opcdefault then null else o.opcname::text end order by k.n) as opclasses
    from generate_series(1, i.indnatts) as k(n)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k.n - 1] and a.attnum <> 0
    left join pg_opclass o on o.oid = i.indclass[k.n - 1]
) as columns
where i.indrelid = any(%s)
order by i.indrelid, ic.relname
"""

VIEW = "select pg_get_viewdef(%s::oid, true)"

READ_BY_VIEW = """
select distinct n.nspname, c.relname
from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
join pg_class c on c.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
join pg_namespace n on n.oid = c.relnamespace
where r.ev_class = %s and c.oid <> r.ev_class and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
