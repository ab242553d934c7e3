"""What a person sees of a run: the live display while it goes on, and the report that stays."""
