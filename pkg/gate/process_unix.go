//go:build unix && !linux

package gate

import "syscall"

// dieTogether has no kernel to ask: an executor whose gate was killed goes by its deadline.
func dieTogether(*syscall.SysProcAttr) (release func()) { return func() {} }
