package main

import (
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/simproc"
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo-gate", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	files := flags.String("files", "examples/gate", "where the policy and the plans are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	sim, err := simproc.Start(ctx, filepath.Join(*bin, "ec2sim"))
	if err != nil {
		return err
	}
	defer sim.Stop()
	dir, err := os.MkdirTemp("", "demo-gate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{
		out: out, sim: sim, dir: dir, actionctl: filepath.Join(*bin, "actionctl"),
		policy: filepath.Join(*files, "policy.yaml"),
		env: append(sim.Env, "PATH="+os.Getenv("PATH"), "USER=demo",
			"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
			"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db")),
	}
	plans := filepath.Join(*files, "plans.yaml")
	if err := s.road(plans); err != nil {
		return err
	}
	if err := s.denials(plans); err != nil {
		return err
	}
	request := filepath.Join(*files, "..", "requests", "assign.json")
	if err := s.pastTheJournal(filepath.Join(*files, "run.yaml"), request); err != nil {
		return err
	}
	s.heading("Every step ended as it should.")
	return nil
}

// road is the whole way of two plans.
func (s *stage) road(plans string) error {
	before, err := s.world()
	if err != nil {
		return err
	}
	policy := "--policy=" + s.policy
	s.heading("The whole road: plan, import, dry-run, approve, execute, journal, rollback, verified")
	return steps(
		func() error { return s.expect(0, "well-formed", "policy", "check", "-f", s.policy) },
		func() error { return s.expect(0, "imported", "import", "-f", plans) },
		func() error { s.step("A dry-run asks the provider, and consumes nothing."); return nil },
		func() error { return s.expect(0, "would assign", "execute", "1", "2", "--dry-run", policy) },
		func() error { return s.same(before) },
		func() error {
			s.step("An approval is bound to the digest of exactly what will run.")
			return s.expect(0, "approved", "approve", "1", "2", "--by", "ann", policy)
		},
		func() error { return s.expect(0, "enabled forwarding", "execute", "--all-approved", policy) },
		func() error { return s.expect(0, "priorAssigned=false", "show", "1") },
		func() error {
			s.step("The rollback goes backwards, by the facts of the actions.")
			return s.expect(0, "rolledBack", "rollback", "--all", "--yes", policy)
		},
		func() error { return s.same(before) },
		func() error { return s.expect(0, "rolled-back", "journal") },
		func() error { return s.expect(0, "as it was written", "journal", "--verify") },
	)
}

// denials meets each gate that can say no. Each ends with 3, and nothing is changed.
func (s *stage) denials(plans string) error {
	s.env = append(s.env, "ACTIONCTL_JOURNAL="+filepath.Join(s.dir, "denials.db"))
	before, err := s.world()
	if err != nil {
		return err
	}
	policy := "--policy=" + s.policy
	s.heading("The same road, with a denial at each gate")
	return steps(
		func() error { return s.refusedPlans() },
		func() error { return s.expect(0, "imported", "import", "-f", plans) },
		func() error {
			s.step("Without a policy nothing runs.")
			return s.expect(3, "policy: there is none", "execute", "1")
		},
		func() error {
			return s.with("A policy that does not mean one thing is refused, with the line.",
				"executionWindow: office hours\n", 3, "line ", "execute", "1")
		},
		func() error {
			s.step("Not tried yet, so not to be approved; not approved, so not to be executed.")
			return s.expect(3, "requireEvidence", "approve", "1", "--by", "ann", policy)
		},
		func() error { return s.expect(3, "0 of 1 approvals", "execute", "1", policy) },
		func() error { return s.expect(0, "would", "execute", "1", "2", "--dry-run", policy) },
		func() error {
			s.step("Another plan than the one that was looked at; the same person twice.")
			return s.expect(3, "the plan has changed", "approve", "1", "--by", "ann", "--digest", "sha256:0",
				policy)
		},
		func() error { return s.expect(0, "approved", "approve", "1", "2", "--by", "ann", policy) },
		func() error {
			return s.expect(3, "has approved it already", "approve", "1", "--by", "Ann", policy)
		},
		func() error {
			tomorrow := time.Now().UTC().Add(36 * time.Hour).Format("Mon")
			return s.with("Out of hours.", "executionWindow: "+tomorrow+" 00:00-24:00 UTC\n", 3,
				"executionWindow: it is", "execute", "1")
		},
		func() error {
			return s.with("More than a run may do.", "maxActionsPerRun: 0\n", 3, "maxActionsPerRun",
				"execute", "1")
		},
		func() error {
			return s.with("A tag on the target, which the executor reads at the provider.",
				"deniedTags: {Name: router-*}\n", 3, "deniedTags", "execute", "1")
		},
		func() error { return s.same(before) },
		func() error {
			s.step("What has run does not run again; and what may not be undone stays.")
			return s.expect(0, "succeeded", "execute", "1", policy)
		},
		func() error { return s.expect(3, "nothing runs twice", "execute", "1", policy) },
		func() error {
			return s.with("", "allowUndo: false\n", 3, "undoing is not allowed", "rollback", "1")
		},
		func() error { return s.expect(0, "rolledBack", "rollback", "1", policy) },
		func() error { return s.same(before) },
		func() error {
			s.step("Every denial is in the journal.")
			return s.expect(0, "denied", "journal")
		},
		func() error { return s.expect(0, "as it was written", "journal", "--verify") },
	)
}

// pastTheJournal runs a request as a core would, which is not past the policy.
func (s *stage) pastTheJournal(free, request string) error {
	before, err := s.world()
	if err != nil {
		return err
	}
	s.heading("A request, past the journal and not past the policy")
	return steps(
		func() error { return s.expect(0, "would assign", "run", "-f", request, "--mode", "dry-run") },
		func() error { return s.expect(3, "policy: there is none", "run", "-f", request) },
		func() error {
			s.step("What needs an approval can't be run; a policy for run asks for none.")
			return s.expect(3, "import it, approve it, execute it", "run", "-f", request,
				"--policy="+s.policy)
		},
		func() error { return s.same(before) },
		func() error {
			return s.expect(0, "assigned 10.88.60.9", "run", "-f", request, "--policy="+free)
		},
	)
}

// refusedPlans are plans that no journal takes.
func (s *stage) refusedPlans() error {
	const nic = "target: {nicRef: eni-01088600000000011, address: 10.88.60.9, region: " +
		"ap-northeast-1}, "
	mixed, err := s.file("mixed.yaml",
		"{provider: aws, action: assign-secondary-ip, "+nic+
			"idempotencyKey: a}\n---\n{provider: gcp, action: assign-secondary-ip, "+nic+
			"idempotencyKey: b}\n")
	if err != nil {
		return err
	}
	final, err := s.file("final.yaml",
		"{provider: aws, action: unassign-secondary-ip, "+nic+"idempotencyKey: c}\n")
	if err != nil {
		return err
	}
	s.step("Plans of two providers, and one that nothing could undo.")
	return steps(
		func() error { return s.expect(3, "several providers", "import", "-f", mixed) },
		func() error { return s.expect(3, "can't be undone", "import", "-f", final) },
	)
}

// with plays a step by the policy, one line of it replaced.
func (s *stage) with(what, line string, code int, says string, args ...string) error {
	text, err := os.ReadFile(s.policy)
	if err != nil {
		return err
	}
	field, _, _ := strings.Cut(line, ":")
	var kept strings.Builder
	skip := false
	for l := range strings.Lines(string(text)) {
		inner := strings.HasPrefix(l, "    ")
		skip = strings.HasPrefix(l, "  "+field+":") || skip && inner
		if !skip {
			kept.WriteString(l)
		}
	}
	path, err := s.file("policy.yaml", kept.String()+"  "+line)
	if err != nil {
		return err
	}
	if what != "" {
		s.step(what)
	}
	return s.expect(code, says, append(args, "--policy="+path)...)
}
