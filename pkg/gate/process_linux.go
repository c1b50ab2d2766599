package gate

import (
	"runtime"
	"syscall"
)

// dieTogether makes the kernel kill an executor when the gate is killed. The kernel goes by the thread that
// starts it, so that thread stays this goroutine's until the executor has ended and release is called.
func dieTogether(attributes *syscall.SysProcAttr) (release func()) {
	runtime.LockOSThread()
	attributes.Pdeathsig = syscall.SIGKILL
	return runtime.UnlockOSThread
}
