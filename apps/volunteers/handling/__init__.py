"""Pages of those who ask for help and of officers: postings, volunteers to ask, work and its reports, rules."""
