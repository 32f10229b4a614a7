"""The pages of the points ledger, shared by the applications whose contracts grant points."""
