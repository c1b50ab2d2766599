//go:build race

package scan_test

// raceFactor is how much more memory the race detector may take.
const raceFactor = 3
