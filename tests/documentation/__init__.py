"""The documentation: pages that are made from the program itself, and that everything in them is true."""
