// Package crash has a crash of the program that imports it end by SIGABRT, and not by exit code 2,
// which is off in an answer of a fence agent.
//
// That holds from before main. The SDK looks for a home directory as it is initialized, which opens
// files, and the runtime crashes where it may open none. Go initializes packages by their paths
// where their imports let it: this one imports next to nothing, and comes before the SDK. A test of
// the program holds that.
package crash

import (
	"runtime/debug"
	"syscall"
)

// No core file is left: it would have the credentials. Where that is refused, a core file is what
// the administrator wants.
func init() {
	debug.SetTraceback("crash")
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
