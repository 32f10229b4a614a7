"""The municipality's books: monitoring periods, rules and grants of points, credits and their sales (E5, E6)."""
