"""E-mails to members: quota warnings, unpaid invoices, and the links to unsubscribe."""
