//go:build !linux

package ledger

// writeUnnamed needs a kernel that knows files without a name.
func writeUnnamed(string) error { return ErrNotTried }
