//go:build conformance

package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"aws-provider-executor/pkg/internal/docblocks"
)

// told is what the run has to say at its end.
var told summary

type summary struct {
	mu sync.Mutex
	// runs counts, for each place, what was run there.
	runs map[string]int
	// scenarios counts what was run, wherever.
	scenarios int
	deviating int
	news      []string
	pending   []string
}

// scenario counts one, at the places it runs at.
func (s *summary) scenario(places ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs == nil {
		s.runs = map[string]int{}
	}
	s.scenarios++
	for _, p := range places {
		s.runs[p]++
	}
}

// deviates counts a case in which moto is not EC2, as is written.
func (s *summary) deviates() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deviating++
}

// hear keeps that moto does not do what is written that it does. It fails nothing.
func (s *summary) hear(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("moto has changed: "+format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = append(s.news, t.Name()+": "+fmt.Sprintf(format, args...))
}

// wait keeps that a case waits for operations that the stand-in has not.
func (s *summary) wait(t *testing.T, missing []string) {
	t.Helper()
	t.Logf("waits for the stand-in to have %s", strings.Join(missing, ", "))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, t.Name()+" ("+strings.Join(missing, ", ")+")")
}

// promised is an error where the page on proofs says more than a whole run did.
func (s *summary) promised() error {
	const page = ".github/docs/proofs.md"
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := docblocks.Figure("../../..", page, "at least", "scenarios")
	if err == nil && s.scenarios < n {
		err = fmt.Errorf("%s says at least %d scenarios, and there were %d", page, n, s.scenarios)
	}
	return err
}

func (s *summary) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "\nconformance: %d scenarios; %d on moto, %d on ec2sim", s.scenarios,
		s.runs["moto"], s.runs["ec2sim"])
	fmt.Fprintf(&b, "\npeers: %s", house.python.Versions)
	fmt.Fprintf(&b, "\nmoto deviates from EC2 as written in %d cases, otherwise in %d\n", s.deviating,
		len(s.news))
	for _, n := range s.news {
		fmt.Fprintf(&b, "  news: %s\n", n)
	}
	for _, p := range s.pending {
		fmt.Fprintf(&b, "  waiting: %s\n", p)
	}
	return b.String()
}
