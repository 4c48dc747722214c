"""The parts of `bench case-e`: a mail server, the mail that all arms send, RQ's arms, and ours."""
