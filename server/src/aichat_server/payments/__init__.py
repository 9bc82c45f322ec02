"""The payment provider: customers, cards, invoices and events, as Stripe has them."""
