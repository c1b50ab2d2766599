//go:build race

package testprograms

const hasDetector = true
