"""Tables of rows: small networks, and scikit-learn's models."""
