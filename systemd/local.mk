# Units for the system's manager and for a user's own.
