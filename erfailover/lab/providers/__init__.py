"""Resource types: shapes, defaults, rules, presentation."""
