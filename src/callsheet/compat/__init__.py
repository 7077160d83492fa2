"""Old names over our session: what lets scripts that were written for a vendor's client run on Callsheet."""
