"""What `train.py` is made of: synthetic composites, data sets and losses."""
