"""Studies in which somebody says which of two results is better, where no metric can."""
