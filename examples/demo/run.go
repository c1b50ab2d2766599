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
		out: out, sim: sim, requests: *requests, executor: filepath.Join(*bin, "aws-provider-executor"),
		env: append(sim.Env, "PATH="+os.Getenv("PATH"), "EXECUTOR_STATE_DIR="+state),
	}
	acts := []func(*stage) error{address, takeover, forwarding, twoAddresses, alreadyForwards}
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
	s.step("First the dry-run: it only reads, and says what execute would do.")
	if err := s.send("assign-dry-run.json", "succeeded", "would assign"); err != nil {
		return err
	}
	s.step("Then the change, read back before it is called done.")
	if err := s.send("assign.json", "succeeded", "assigned"); err != nil {
		return err
	}
	s.look(routerA)
	s.step("The undo: the undo verb, the key with :undo, and the facts that the action reported.")
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
	s.look(routerA, routerB)
	s.step("router-b takes the address, and the result names who held it.")
	if err := s.send("assign-takeover.json", "succeeded", "taken from"); err != nil {
		return err
	}
	s.look(routerA, routerB)
	s.step("The undo gives it back to priorHolder; it does not just delete it.")
	if err := s.undo("unassign-secondary-ip", "succeeded", "gave"); err != nil {
		return err
	}
	return s.asBefore(routerA, routerB)
}

func forwarding(s *stage) error {
	s.heading("An interface is made to forward, and gets its check back")
	s.look(routerA)
	s.step("The dry-run.")
	if err := s.send("forwarding-dry-run.json", "succeeded", "would enable"); err != nil {
		return err
	}
	s.step("The change: the check that was there before is in priorSourceDestCheck.")
	if err := s.send("forwarding.json", "succeeded", "enabled"); err != nil {
		return err
	}
	s.look(routerA)
	s.step("The undo restores exactly that.")
	if err := s.undo("ensure-forwarding-disabled", "succeeded", "disabled"); err != nil {
		return err
	}
	return s.asBefore(routerA)
}

func twoAddresses(s *stage) error {
	s.heading("Two addresses need one forwarder, and are undone in whatever order")
	s.look(routerA)
	s.step("The action for the first address switches the check off.")
	if err := s.send("forwarding.json", "succeeded", "enabled"); err != nil {
		return err
	}
	request, result := s.request, s.result
	s.step("The one for the second finds it off, and counts on it from now on.")
	if err := s.send("forwarding-second.json", "succeeded", "nothing to do"); err != nil {
		return err
	}
	s.request, request = request, s.request
	s.result, result = result, s.result
	s.step("The undo of the first changes nothing: heldBy says who counts on it. It is done with.")
	if err := s.undo("ensure-forwarding-disabled", "succeeded", "nothing is changed"); err != nil {
		return err
	}
	s.request, s.result = request, result
	s.step("The undo of the last one brings back what was there before both.")
	if err := s.undo("ensure-forwarding-disabled", "succeeded", "disabled"); err != nil {
		return err
	}
	return s.asBefore(routerA)
}

func alreadyForwards(s *stage) error {
	s.heading("An interface that forwarded before is left alone by the undo")
	s.look(routerC)
	s.step("It forwards already: nothing is changed, and the prior fact says so.")
	if err := s.send("forwarding-already.json", "succeeded", "nothing to do"); err != nil {
		return err
	}
	s.step("So its undo finds nothing it may restore.")
	if err := s.undo("ensure-forwarding-disabled", "skipped", "forwarded before"); err != nil {
		return err
	}
	return s.asBefore(routerC)
}
