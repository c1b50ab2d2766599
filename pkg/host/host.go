// Package host tells processes apart: which one this is, and whether one that was written down
// still lives.
//
// It guarantees that a process is called ended only where the kernel of this machine says so, or
// where the machine was started anew since. Clocks that people set play no part.
package host

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/gate"
)

// Machine is the machine that this process runs on.
type Machine struct{}

var _ gate.Machine = Machine{}

// Self is this process.
func (Machine) Self() gate.Process { return self() }

var self = sync.OnceValue(func() gate.Process {
	p := here()
	p.PID = os.Getpid()
	p.Start, _ = started(p.PID)
	return p
})

// Life reports whether a process lives. It is unknown for one of another machine, or of a
// container that counts its processes by itself.
func (Machine) Life(p gate.Process) gate.Life {
	own := here()
	switch {
	case p.Boot == "" || own.Boot == "" || p.PID == 0 || p.Start == "":
		return gate.LifeUnknown
	case p.Boot != own.Boot && p.Host == own.Host && p.Machine != "" && p.Machine == own.Machine:
		// The machine was started anew since.
		return gate.Ended
	case p.Boot != own.Boot || p.Namespace != own.Namespace:
		return gate.LifeUnknown
	}
	start, err := started(p.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gate.Ended
	case err != nil:
		return gate.LifeUnknown
	case start != p.Start:
		// Another process has its number now.
		return gate.Ended
	}
	return gate.Lives
}

// Uptime is the time since the machine was started, the time that it slept included. No setting of
// the clock changes it.
func (Machine) Uptime() time.Duration { return uptime() }

// here is what all processes of this machine, or container, have in common.
func here() gate.Process {
	name, _ := os.Hostname()
	return gate.Process{
		Host: name, Machine: text("/etc/machine-id"), Boot: boot(), Namespace: namespace(),
	}
}

func text(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}
