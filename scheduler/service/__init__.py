"""The service: what runs beside what, when, and what it tells."""
