"""Full resolution, touched once: a lookup table per channel and one blend."""
