DROP TABLE aichat.invoice_lines, aichat.refunds, aichat.adjustments, aichat.invoices;
DROP FUNCTION aichat.refuse_line;
