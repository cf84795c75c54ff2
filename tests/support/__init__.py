"""Small models, data and plain PyTorch loops that the tests compare the program with."""
