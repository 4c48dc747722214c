"""A small world to look at: a shop and its directory, with a day behind them in which not everything went well."""
