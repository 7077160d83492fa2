"""Who a session is: tokens and their renewal, profiles on disk, and passwords that are looked up or typed."""
