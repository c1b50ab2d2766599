//go:build !race

package scan_test

const raceFactor = 1
