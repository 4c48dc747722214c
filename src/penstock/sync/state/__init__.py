"""What is kept: the state of layers, intents, failures, what audits found, and runs."""
