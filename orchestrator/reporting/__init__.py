"""What people look at: figures, pages, tables and the lines a study prints."""
