package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// childPlace, in the environment, makes the test's binary write to the store there, as childWork
// says, and tell each write that was answered.
const childPlace, childWork = "NODES_CHILD_PLACE", "NODES_CHILD_WORK"

// work is what a child does: once more each time it is called.
var work = map[string]func(s *store.Store, manager string, n int) error{
	// scans has a region of so many nodes be of one generation after the other.
	"scans": func(s *store.Store, manager string, n int) error {
		scan := scanOf(manager, n)
		for i := range 300 {
			name := fmt.Sprint("g", n)
			scan.Seen = append(scan.Seen, nodes.Sighting{ID: fmt.Sprint("i-", i), Name: name,
				State: nodes.StateRunning, Tags: map[string]string{"generation": name}})
		}
		_, err := s.ApplyScan(context.Background(), scan)
		return err
	},
	// tags has reports add one tag after the other to one node, and a node of their own each.
	"tags": func(s *store.Store, _ string, n int) error {
		r := report(uuidA, n, nodes.Source{})
		r.Tags = map[string]string{fmt.Sprintf("%d-%d", os.Getpid(), n): "there"}
		if _, err := s.ApplyReport(context.Background(), r); err != nil {
			return err
		}
		_, err := s.ApplyReport(context.Background(),
			report(fmt.Sprintf("%d-%d", os.Getpid(), n), n, nodes.Source{}))
		return err
	},
}

func runChild(place string) int {
	s, err := store.Open(context.Background(), place, store.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	name, rest, _ := strings.Cut(os.Getenv(childWork), " ")
	manager, text, _ := strings.Cut(rest, " ")
	most, _ := strconv.Atoi(text)
	for n := 1; n <= most; n++ {
		if err := work[name](s, manager, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(n)
	}
	return 0
}

// child starts a process that does some work so many times.
func (b *bed) child(what, manager string, most int) (*exec.Cmd, *bufio.Scanner) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPlace+"="+b.place,
		fmt.Sprintf("%s=%s %s %d", childWork, what, manager, most))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilledInAScan: whenever the process is killed, the region is as one scan left it, and not
// older than the last one that was answered.
func TestKilledInAScan(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		last := 0
		for round := range 6 {
			cmd, lines := b.child("scans", m.ID, 1000)
			for range 1 + round {
				if !lines.Scan() {
					b.Fatal("the child ended by itself")
				}
				n, _ := strconv.Atoi(lines.Text())
				last = max(last, n)
			}
			_ = cmd.Process.Kill()
			for lines.Scan() {
				n, _ := strconv.Atoi(lines.Text())
				last = max(last, n)
			}
			_ = cmd.Wait()
			names, err := b.Values(b.Context(), "name", nil)
			if err != nil || len(names) != 1 || names[0].Nodes != 300 {
				b.Fatalf("a part of a region was taken over: %v (%v)", names, err)
			}
			tags, err := b.Values(b.Context(), "tags:generation", nil)
			if err != nil || len(tags) != 1 || tags[0] != names[0] {
				b.Fatalf("tags %v of names %v (%v)", tags, names, err)
			}
			n, _ := strconv.Atoi(strings.TrimPrefix(names[0].Value, "g"))
			if n < last {
				b.Fatalf("generation %d was answered, %d is there", last, n)
			}
			regions, err := b.Regions(b.Context(), m.ID)
			if err != nil || len(regions) != 1 || !regions[0].Begun.Equal(at(n)) {
				b.Fatalf("the verdict is of %v, the nodes of %v (%v)", regions, at(n), err)
			}
		}
	})
}

// TestTwoProcesses: of what two processes write at once, to one node too, nothing is lost.
func TestTwoProcesses(t *testing.T) {
	onEach(t, func(b *bed) {
		const each = 40
		var children []*exec.Cmd
		for range 2 {
			cmd, lines := b.child("tags", "-", each)
			children = append(children, cmd)
			go func() {
				for lines.Scan() {
				}
			}()
		}
		for _, c := range children {
			if err := c.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		if n := len(b.find(uuidA).Tags()); n != 2*each {
			b.Errorf("%d tags are there, want %d", n, 2*each)
		}
		b.equal("nodes", b.count(""), 2*each+1)
	})
}
