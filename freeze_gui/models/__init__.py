"""What can be loaded, and what is inside it."""
