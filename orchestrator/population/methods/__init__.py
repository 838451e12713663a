"""Methods of population studies, one file for each (``population=<name>``)."""
