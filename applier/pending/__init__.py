"""Changes on trial: kept when somebody confirms them in time, taken back when nobody does."""
