"""An organization's ledger as its readers see it: which openings, on which pages."""
