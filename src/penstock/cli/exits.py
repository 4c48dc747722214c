"""How commands end, for the programs that call them: docs/cli.md says the same."""

OK = 0
"""All is well."""
FAILED = 1
"""Something failed, or what was asked about is not in order; what is printed says what."""
WRONG = 2
"""The command or the configuration is wrong; nothing was done. Of `audit`: something is not there as it was sent."""
LEFT = 3
"""Of `sync --plan`: nothing failed, but some changes were left."""
AGAIN = 75
"""Of `worker`: it gave up on attempts that do not end, and is to be started again (EX_TEMPFAIL of sysexits.h)."""
INTERRUPTED = 130
"""It was broken off by Ctrl-C; `worker`, `web`, `dev` and `top` are ended by it, and end with 0."""
