"""PostgreSQL databases of other people: what is read of them, and how nothing but reading is done.

    connection     transactions that can write nothing, bounded and rolled back
    catalogue      tables, columns, statistics and indexes
    functions      what running a statement could set off
    explained      plans for real values
    in_band        plans of what was run anyway, as auto_explain sends them
"""
