package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// sample is what one run of a program took, with all that it started.
type sample struct {
	cpu, wall time.Duration
	// peak is the largest resident set, in MiB.
	peak float64
}

// and is what two runs took together.
func (s sample) and(other sample) sample {
	return sample{
		cpu: s.cpu + other.cpu, wall: s.wall + other.wall, peak: max(s.peak, other.peak),
	}
}

// command is a program to measure.
type command struct {
	argv  []string
	env   []string
	stdin string
}

// measured runs a program to its end, and returns what it wrote. Any exit code but 0 is an error.
func (b *bench) measured(ctx context.Context, c command) (sample, []byte, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return sample{}, nil, err
	}
	defer read.Close()
	cmd := exec.CommandContext(ctx, b.measure, c.argv...)
	cmd.Env, cmd.Stdin = c.env, strings.NewReader(c.stdin)
	cmd.ExtraFiles = []*os.File{write}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	write.Close()
	if err != nil {
		return sample{}, nil, fmt.Errorf("%s: %w: %s%s", strings.Join(short(c.argv), " "), err,
			tail(stderr.Bytes()), tail(stdout.Bytes()))
	}
	var took struct{ CPU, Wall, Peak int64 }
	if err := json.NewDecoder(read).Decode(&took); err != nil {
		return sample{}, nil, fmt.Errorf("cannot measure %s: %w", c.argv[0], err)
	}
	return sample{
		cpu:  time.Duration(took.CPU) * time.Microsecond,
		wall: time.Duration(took.Wall) * time.Microsecond,
		peak: float64(took.Peak) / 1024,
	}, stdout.Bytes(), nil
}

// short is a command line for an error.
func short(argv []string) []string {
	all := append([]string{filepath.Base(argv[0])}, argv[1:]...)
	return all[:min(len(all), 8)]
}

// tail is the end of what a program said.
func tail(said []byte) []byte {
	const most = 2000
	return said[max(0, len(said)-most):]
}

// build builds a program that is measured or measures.
func build(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "nethttpomithttp2,lambda.norpc",
		"-ldflags", "-s -w -funcalign=8", "-o", path, "aws-provider-executor/pkg/internal/bench/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w: %s", name, err, text)
	}
	return path, nil
}

// series are the samples of one contender or size.
type series []sample

func (s series) of(get func(sample) float64) []float64 {
	all := make([]float64, len(s))
	for i, one := range s {
		all[i] = get(one)
	}
	return all
}

// millis are the processor times in milliseconds, peaks the largest resident sets in MiB.
func (s series) millis() []float64 {
	return s.of(func(s sample) float64 { return float64(s.cpu.Microseconds()) / 1000 })
}
func (s series) peaks() []float64 { return s.of(func(s sample) float64 { return s.peak }) }

// cpu is the median of the processor times in milliseconds.
func (s series) cpu() float64 { return median(s.millis()) }

// over are the ratios of processor times, turn by turn.
func (s series) over(other series) []float64 {
	all, base := s.millis(), other.millis()
	for i := range all {
		all[i] /= base[i]
	}
	return all
}
