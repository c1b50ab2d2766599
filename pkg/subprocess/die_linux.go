package subprocess

import (
	"runtime"
	"syscall"
)

// dieTogether makes the kernel kill a program when ours is killed. The kernel goes by the thread
// that starts it, so that thread stays this goroutine's until the program has ended and release
// is called.
func dieTogether(attributes *syscall.SysProcAttr) (release func()) {
	runtime.LockOSThread()
	attributes.Pdeathsig = syscall.SIGKILL
	return runtime.UnlockOSThread
}
