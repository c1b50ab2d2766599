package host

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func boot() string { return text("/proc/sys/kernel/random/boot_id") }

func namespace() string {
	name, _ := os.Readlink("/proc/self/ns/pid")
	return name
}

// started is when a process was started, in ticks since the machine was. The error is
// fs.ErrNotExist where there is no such process.
func started(pid int) (string, error) { return startedBy("/proc", pid) }

// startedBy is started by what is mounted as /proc.
func startedBy(proc string, pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", proc, pid))
	switch {
	case errors.Is(err, syscall.ESRCH):
		return "", os.ErrNotExist
	case errors.Is(err, os.ErrNotExist) && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		// /proc may hide the processes of other users.
		return "", fmt.Errorf("%s does not show the process %d", proc, pid)
	case err != nil:
		return "", err
	}
	// The program's name may hold anything; what follows it is numbers.
	rest := string(data[strings.LastIndexByte(string(data), ')')+1:])
	const state, startTime = 0, 19
	fields := strings.Fields(rest)
	switch {
	case len(fields) <= startTime:
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	case fields[state] == "Z" || fields[state] == "X":
		// It has ended, and its parent has not looked yet.
		return "", os.ErrNotExist
	}
	return fields[startTime], nil
}

func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(begin)
	}
	return time.Duration(t.Nano())
}

// begin has a monotonic reading, for kernels without the clock that counts sleep.
var begin = time.Now()
