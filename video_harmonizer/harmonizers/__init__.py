"""Networks and formulas that say how a foreground's colours should change to suit its background."""
