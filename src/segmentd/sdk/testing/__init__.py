"""For tests of connectors, shipped so that third parties run the same suites."""
