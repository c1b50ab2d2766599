package main

import "syscall"

// cpuSeconds is the processor time of this program, in which the stand-in is, or of the programs
// that it ran.
func cpuSeconds(who int) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	total := 0.0
	for _, t := range []syscall.Timeval{u.Utime, u.Stime} {
		total += float64(t.Sec) + float64(t.Usec)/1e6
	}
	return total
}
