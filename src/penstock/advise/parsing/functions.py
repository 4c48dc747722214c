"""Names of functions that read nothing but their arguments and the snapshot, and of those that are never called.

What is on neither list the database has to be asked about (`pg_proc.provolatile`) before a statement that calls it is
run. A name counts only without a schema, or with `pg_catalog`: a user's own function may have the same name.
"""

HARMLESS = frozenset("""
    abs acos age any_value array_agg array_append array_cat array_length array_lower array_position array_positions
    array_prepend array_remove array_replace array_to_string array_upper ascii asin atan atan2 avg bit_and bit_length
    bit_or bool_and bool_or btrim cardinality cbrt ceil ceiling char_length character_length chr coalesce concat
    concat_ws corr cos count cume_dist date date_bin date_part date_trunc decode degrees dense_rank div encode every exp
    extract first_value floor format generate_series generate_subscripts greatest grouping height hex ifnull iif initcap
    instr int4range int8range isfinite json_agg json_array json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text json_extract json_extract_path
    json_extract_path_text json_group_array json_group_object json_object json_object_agg json_object_keys json_typeof
    json_valid jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_each jsonb_each_text jsonb_exists jsonb_extract_path jsonb_extract_path_text jsonb_object
    jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_set jsonb_strip_nulls jsonb_typeof
    julianday justify_days justify_hours justify_interval lag last_value lead least left length ln log log10 lower
    lower_inc lower_inf lpad ltrim make_date make_interval make_time make_timestamp max md5 min mod mode now nth_value
    ntile nullif numeric numrange octet_length overlay percent_rank percentile_cont percentile_disc phraseto_tsquery pi
    plainto_tsquery position power quote_ident quote_literal quote_nullable radians range_agg range_merge rank
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr repeat replace reverse right round row row_number row_to_json rpad rtrim
    scale sign sin split_part sqrt starts_with stddev stddev_pop stddev_samp strftime string_agg string_to_array
    string_to_table strpos substr substring sum tan to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery
    to_tsvector transaction_timestamp translate trim trim_array trunc ts_headline ts_rank ts_rank_cd tsrange tstzrange
    typeof unicode unistr unnest upper upper_inc upper_inf var_pop var_samp variance websearch_to_tsquery width_bucket
""".split())
"""Stable or immutable in PostgreSQL, deterministic in SQLite, and without any effect."""

FORBIDDEN = frozenset("""
    currval dblink dblink_connect dblink_exec dblink_send_query edit eval_sql fts3_tokenizer lastval load_extension
    loadable lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek lo_open lo_put lo_truncate
    lo_unlink loread lowrite nextval notify pg_advisory_lock pg_backup_start pg_backup_stop pg_cancel_backend
    pg_create_logical_replication_slot pg_create_physical_replication_slot pg_create_restore_point
    pg_drop_replication_slot pg_export_snapshot pg_file_rename pg_file_sync pg_file_unlink pg_file_write
    pg_log_backend_memory_contexts pg_logical_emit_message pg_ls_dir pg_ls_logdir pg_ls_waldir pg_notify pg_promote
    pg_read_binary_file pg_read_file pg_reload_conf pg_replication_origin_create pg_replication_slot_advance
    pg_rotate_logfile pg_sleep pg_sleep_for pg_sleep_until pg_stat_clear_snapshot pg_stat_file pg_stat_reset
    pg_stat_statements_reset pg_switch_wal pg_terminate_backend pg_wal_replay_pause pg_wal_replay_resume
    query_to_xml query_to_xml_and_xmlschema query_to_xmlschema readfile set_config setseed setval table_to_xml
    ts_stat txid_current writefile zeroblob
""".split())
"""What writes, waits, reaches out of the database, or runs text as SQL."""

FORBIDDEN_BEGINNINGS = (
    "pg_advisory_", "pg_try_advisory_", "lo_", "dblink", "pg_read_", "pg_ls_", "pg_file_", "pg_stat_reset",
    "pg_replication_", "pg_logical_", "pg_sleep", "pg_wal_", "pg_backup_", "pg_create_", "pg_drop_", "binary_upgrade_",
    "query_to_xml", "cursor_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "pg_terminate_", "pg_cancel_",
)

LIKE_CALLS = frozenset("""
    all and any array as between by case cast char character check collate cube decimal distinct else end except exists
    false fetch filter float following for from group grouping having ilike in interval intersect is join key lateral
    like limit materialized not null numeric offset on only or order over partition preceding range recursive
    returning rollup rows select sets similar some table then time timestamp timestamptz to true union unique using
    values varchar varying when where window with within without zone bit int integer
""".split())
"""Words that an opening bracket may follow without a call."""


def forbidden(name: str) -> bool:
    """Whether a function is never called, by its name in lower case, with its schema if one was said."""
    plain = name.rpartition(".")[2]
    return plain in FORBIDDEN or plain.startswith(FORBIDDEN_BEGINNINGS)


def harmless(name: str) -> bool:
    """Whether a function is known to have no effect."""
    return name.removeprefix("pg_catalog.") in HARMLESS
