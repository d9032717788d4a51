"""Appointments: free slots, bookings, and the notices that go with them."""
