"""Pages of volunteers: applying, the list of activities, answering requests, showing the certificate."""
