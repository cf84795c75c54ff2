"""The loop and its measures."""
