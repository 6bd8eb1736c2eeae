"""The record of who was let in, who was refused, and who changed tokens or saw personal data."""
