"""Exports: tables as XLSX and CSV files, and what a saved export may hold."""
