"""What must hold still, how it is made to, and whether it did."""
