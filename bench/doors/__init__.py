"""Case study K over HTTP: the HR database, the directory that is slow and strict, and the designs that serve it."""
