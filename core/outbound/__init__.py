"""The one door out: nothing in the console opens a connection except through here."""
