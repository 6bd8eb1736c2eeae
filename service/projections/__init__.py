"""The questions that the ledger answers: one file each, with its tables, handlers and queries."""
