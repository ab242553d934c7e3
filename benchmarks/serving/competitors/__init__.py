"""The servers of the comparison, programs of an environment of their own (requirements.txt of the folder above)."""
