"""What would make a statement faster: plans, candidates, trials and their verdicts, migrations.

Two invariants. The explained database is only read, in transactions that are rolled back; whatever is built is built on
a database that was named for it, and is gone afterwards. And nothing is proposed, tried or rejected without a reason.

    session        the front door: statements and databases in, advice out
    examining      one statement in its database: tables, safety, plans for real values, traps
    trying         proposals of it, tried, each with a verdict
    following      what was shipped, watched; `watch` compares, `unneeded` names indexes that only cost
    at_once        plans of slow statements, asked for when their trace ends

    database       the contract of a database that may be explained; `opening` finds the one that a URL means
    postgres, sqlite     the two of them
    binding, parameters  statements with values; where those come from
    trial          means of trying; `verdict` decides by what they found
    keeping        plans that were seen, by fingerprint

    parse          a statement as values: lexis, reading, placeholders, scope, blocks, conditions, keys, values
    safety         what may be done with it, by its text; `functions` are lists of names
    propose        candidates, weighed (candidates, weigh, estimate, naming); rewrites (rewrites, rewriting)
    migration      text for people to run; `writing` puts several together
"""
