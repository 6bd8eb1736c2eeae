"""Every command of the ledger, by what it is about, and how all of them are carried out."""
