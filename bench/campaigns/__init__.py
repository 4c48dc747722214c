"""Case study A: a product catalogue in PostgreSQL, and the arms that bring an ads account in step with it."""
