"""How good a harmonizer is: metrics on iHarmony4, tables, and a page of its worst and best cases."""
