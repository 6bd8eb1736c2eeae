"""Backups: made while the ledger is written, and put back where there is none."""
