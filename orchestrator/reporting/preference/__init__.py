"""Tables, pictures and page of a preference study."""
