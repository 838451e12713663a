"""What is shown of population studies."""
