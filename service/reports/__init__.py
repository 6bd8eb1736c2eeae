"""What the office publishes: the year's sentence, sealed reports, and how they drifted since."""
