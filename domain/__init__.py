"""What may happen to a lead: rules and events, free of databases and the web."""
