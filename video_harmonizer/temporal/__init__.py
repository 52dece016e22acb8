"""What keeps a moving picture steady."""
