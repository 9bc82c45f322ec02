"""Monthly invoices: made from the ledger, checked, collected and proven."""
