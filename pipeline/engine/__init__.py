"""What runs steps on this machine and keeps runs apart: the launcher, the metadata store, locks, faults."""
