"""The verifier's pages: a random sample of members that anybody can draw again, and the evidence of each (E5d)."""
