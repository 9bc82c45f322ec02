DROP TABLE aichat.invoice_lines, aichat.refunds, aichat.adjustments, aichat.blocked_invoices, aichat.invoices;
DROP FUNCTION aichat.refuse_line, aichat.list_blocked_invoice;
