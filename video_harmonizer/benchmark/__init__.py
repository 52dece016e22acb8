"""What the application costs, against the textbook pipeline and against memory's own speed."""
