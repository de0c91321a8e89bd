"""Pure values and arithmetic: no I/O, no clock, no logging, no floats for money."""
