//go:build unix && !linux

package subprocess

import "syscall"

// dieTogether has no kernel to ask: a program whose starter was killed goes by its own deadline.
func dieTogether(*syscall.SysProcAttr) (release func()) { return func() {} }
