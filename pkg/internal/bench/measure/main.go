// Command measure runs a program, and tells on file descriptor 3 what it took: a JSON object with
// the microseconds of its processor time and of the clock, and its largest resident set in KiB.
// What the program started and waited for is in it.
//
// It is a program of its own because Linux counts the peak of a child from that of the process that
// started it. So who starts it has to be small.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	if len(args) == 0 {
		return 2, errors.New("name a program")
	}
	out := os.NewFile(3, "measurement")
	syscall.CloseOnExec(3)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// The program ends with this one. Linux has it end with the thread that started it.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	err = cmd.Run()
	wall := time.Since(begin)
	if cmd.ProcessState == nil {
		return 2, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 2, errors.New("this system does not tell what a process used")
	}
	err = json.NewEncoder(out).Encode(map[string]int64{
		"cpu":  (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds(),
		"wall": wall.Microseconds(), "peak": usage.Maxrss,
	})
	if err != nil {
		return 2, err
	}
	return cmd.ProcessState.ExitCode(), nil
}
