"""Every source at once on loopback, with faults, against a watching daemon: does the sum come out? `make zoo`."""
