package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is what the figures were measured on, and how much of it others used.
type machine struct {
	load  float64
	cores int
	// sync is the time that a small synced write takes, in milliseconds.
	sync []float64
	// ours and all are processor times at the start: of this program with what it ran, and of the
	// machine.
	ours, all time.Duration
	// part is how much of the processors others used: of all of them before the start, and of what
	// was used at all at the end.
	part float64
}

const (
	// tooBusy is the part of the processor time from which on the figures are not the project's own.
	tooBusy = 0.1
	// glance is how long the machine is looked at before anything begins. Its load average would
	// still tell of the build that ran just before.
	glance = 3 * time.Second
	// tick is how Linux counts processor time.
	tick = 10 * time.Millisecond
)

// look describes the machine before anything is measured.
func look(dir string) (*machine, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	m := &machine{cores: runtime.NumCPU()}
	if m.load, err = strconv.ParseFloat(strings.Fields(string(text))[0], 64); err != nil {
		return nil, err
	}
	for range 20 {
		begin := time.Now()
		if err := writeSynced(filepath.Join(dir, "synced")); err != nil {
			return nil, err
		}
		m.sync = append(m.sync, float64(time.Since(begin).Microseconds())/1000)
	}
	idle := busyTime()
	time.Sleep(glance)
	m.part = float64(busyTime()-idle) / float64(glance*time.Duration(m.cores))
	m.ours, m.all = used(), busyTime()
	return m, nil
}

func writeSynced(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return err
	}
	return f.Sync()
}

// end finds out what others used since the start.
func (m *machine) end() {
	ours, all := used()-m.ours, busyTime()-m.all
	if all > 0 {
		m.part = max(0, float64(all-ours)/float64(all))
	}
}

// busy reports whether others used so much that the figures are not the project's own.
func (m *machine) busy() bool { return m.part > tooBusy }

func (m *machine) describe() string {
	return fmt.Sprintf("The machine has %d cores, and a synced write of 4 KiB takes %.2f ms on its "+
		"disk. Its load average was %.2f at the start.", m.cores, median(m.sync), m.load)
}

func (m *machine) others() string {
	return fmt.Sprintf("Of the processor time, %.0f %% was used by others.", 100*m.part)
}

// used is the processor time of this program, and of the programs that it ran.
func used() time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return total
}

// busyTime is the processor time that the machine has used, 0 if it does not tell.
func busyTime() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var total time.Duration
	for i, field := range strings.Fields(line)[1:] {
		// The fourth and fifth are idle; those from the ninth on are in the first two.
		if n, err := strconv.ParseInt(field, 10, 64); err == nil && i != 3 && i != 4 && i < 8 {
			total += time.Duration(n) * tick
		}
	}
	return total
}
