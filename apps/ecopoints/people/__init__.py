"""The member's and the municipality's pages: joining, devices, values, documents, quarantine, totals."""
