"""Plans for prices that have not come: which, how far they hold, and what interest does meanwhile."""
