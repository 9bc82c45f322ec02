"""E-mails to members: warnings of quotas, unpaid invoices, and the links that end them."""
