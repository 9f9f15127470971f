"""Tables outside the warehouse that other tools read. docs/decisions/0033-published-tables.md"""
