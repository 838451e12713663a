"""What a search is given from outside: results of other studies, configurations of people."""
