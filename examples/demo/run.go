package main

import (
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"

	"aws-provider-executor/pkg/ec2sim/simproc"
)

// run plays the whole demo.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	requests := flags.String("requests", "examples/requests", "where the requests are")
	whole := flags.Bool("v", false, "show requests and results whole, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	sim, err := simproc.Start(ctx, filepath.Join(*bin, "ec2sim"))
	if err != nil {
		return err
	}
	defer sim.Stop()
	state, err := os.MkdirTemp("", "demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	s := &stage{
		out: out, whole: *whole, sim: sim, requests: *requests,
		executor: filepath.Join(*bin, "aws-provider-executor"),
		env:      append(sim.Env, "PATH="+os.Getenv("PATH"), "EXECUTOR_STATE_DIR="+state),
	}
	acts := []func(*stage) error{address, takeover, twoAddresses, fence, route}
	for _, act := range acts {
		if err := act(s); err != nil {
			return err
		}
	}
	s.heading("Every step ended as it should.")
	return nil
}

func address(s *stage) error {
	s.heading("An address is captured, and given back")
	s.look(routerA)
	if err := s.send("assign-dry-run.json", "succeeded", "would assign"); err != nil {
		return err
	}
	if err := s.send("assign.json", "succeeded", "assigned"); err != nil {
		return err
	}
	s.look(routerA)
	s.step("The undo is the undo verb, the key with :undo, and the facts of the result.")
	if err := s.undo("unassign-secondary-ip", "succeeded", "unassigned"); err != nil {
		return err
	}
	return s.asBefore(routerA)
}

func takeover(s *stage) error {
	s.heading("An address moves between two routers, and back to the one that held it")
	if err := s.quietly("assign.json"); err != nil {
		return err
	}
	s.remember(routerA, routerB)
	s.step("router-a holds it. Without a word of consent nobody takes it away.")
	if err := s.sendWithout("allowReassignment", "assign-takeover.json", "failed",
		"is held by"); err != nil {
		return err
	}
	if err := s.send("assign-takeover.json", "succeeded", "taken from"); err != nil {
		return err
	}
	s.look(routerA, routerB)
	s.step("The undo does not just delete it.")
	if err := s.undo("unassign-secondary-ip", "succeeded", "gave"); err != nil {
		return err
	}
	return s.asBefore(routerA, routerB)
}

func twoAddresses(s *stage) error {
	s.heading("Two addresses need one forwarder, and are undone in whatever order")
	s.look(routerA)
	if err := s.send("forwarding.json", "succeeded", "enabled"); err != nil {
		return err
	}
	request, result := s.request, s.result
	s.step("The second finds it so, and counts on it from now on.")
	if err := s.send("forwarding-second.json", "succeeded", "nothing to do"); err != nil {
		return err
	}
	s.request, request = request, s.request
	s.result, result = result, s.result
	s.step("So the undo of the first changes nothing; that of the last brings back what was before.")
	if err := s.undo("ensure-forwarding-disabled", "succeeded", "nothing is changed"); err != nil {
		return err
	}
	s.request, s.result = request, result
	if err := s.undo("ensure-forwarding-disabled", "succeeded", "disabled"); err != nil {
		return err
	}
	return s.asBefore(routerA)
}

func fence(s *stage) error {
	s.heading("An instance is cut off by its security groups, with its risk told")
	s.look(database)
	if err := s.send("fence-dry-run.json", "succeeded", "would fence"); err != nil {
		return err
	}
	if err := s.send("fence.json", "succeeded", "may go on"); err != nil {
		return err
	}
	s.look(database)
	if err := s.undo("unfence-security-groups", "succeeded", "unfenced"); err != nil {
		return err
	}
	return s.asBefore(database)
}

func route(s *stage) error {
	s.heading("A route leads to one router, then to the other, and back")
	if err := s.send("route.json", "succeeded", "routed"); err != nil {
		return err
	}
	first, result := s.request, s.result
	if err := s.send("route-takeover.json", "succeeded", "routed"); err != nil {
		return err
	}
	if err := s.undo("unassign-route-table-route", "succeeded", "gave"); err != nil {
		return err
	}
	s.request, s.result = first, result
	return s.undo("unassign-route-table-route", "succeeded", "took the route")
}
