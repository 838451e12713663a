"""Pictures of a benchmark study, and the page that shows them."""
