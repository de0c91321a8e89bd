"""Plans made ready for prices that have not come yet: made, kept, matched, and sent on the oracle's own event."""
