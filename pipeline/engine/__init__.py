"""What runs steps on this machine and keeps runs apart: launcher, metadata store, locks, faults."""
