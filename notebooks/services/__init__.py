"""Example services for `09_diagnose_your_own_service`: three that misuse a library, and one that does not."""
