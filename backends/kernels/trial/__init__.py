"""A kernel beside the portable pair on hard inputs, before its first use on a card."""
