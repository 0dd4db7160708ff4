"""What checks found, printed for people, for programs, and for the services that review changes."""
