"""Alerts: looks for what is wrong with work as a whole, and tells of each change once (at least once, with its id).

    conditions  what is wrong now, by bounded questions to the store
    ends        how many jobs have ended since the last look: failing tasks, and queues in which nothing moves
    watch       raises and ends alerts: one worker at a time, in one transaction with what is to be told
    telling     tells it to whoever wants to know, from a loop of its own
    webhook     as a signed POST
"""
