"""Everything at once for as long as one likes, while things break; the ledger tells at the end what held."""
