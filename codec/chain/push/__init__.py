"""A feed's payloads into transactions: by rules for each asset, within a budget."""
