"""Monthly invoices: created from the ledger, checked, collected and verified."""
