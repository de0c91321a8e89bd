"""Several positions judged as one: delta, unhedged time, carry."""
