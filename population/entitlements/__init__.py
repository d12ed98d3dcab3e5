"""Which services a person or household can have now, and what is missing: rules in a file that the city edits."""
