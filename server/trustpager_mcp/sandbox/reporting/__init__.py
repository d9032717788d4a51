"""The reporting engine: what can be measured, how a query is answered, ready-made dashboards, and the emailed digest."""
