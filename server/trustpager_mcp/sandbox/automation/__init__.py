"""What automations do when something happens: conditions, templates, actions, runs."""
