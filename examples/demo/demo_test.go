package main

import (
	"context"
	"io"
	"os"
	"testing"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/examples/internal/steps/stepstest"
	"aws-provider-executor/pkg/protocol"
)

var demo = stepstest.Demo{Run: run, Programs: []string{"ec2sim", "aws-provider-executor"},
	Root: "../.."}

func TestMain(m *testing.M) { os.Exit(stepstest.Main(m)) }

func TestMakeBuildsWhatItRuns(t *testing.T) { demo.IsMade(t, "demo") }

func TestTheDemoIsShortAndAsRecorded(t *testing.T)   { demo.IsShort(t, "README.md") }
func TestDocumentsAreShownWholeByAFlag(t *testing.T) { demo.ShowsWhole(t, `"observed": {`) }

func TestNoRealAccountIsAsked(t *testing.T) { demo.AsksNoAccount(t) }

func TestADemoWithAnotherResultFails(t *testing.T) {
	demo.Fails(t, "requests/assign.json", "10.88.60.9", "10.99.9.9",
		"execute mobility-7/assign: want succeeded")
}

// TestAStepIsHeldToItsEnd: to the state, to the message, and to what EC2 held before.
func TestAStepIsHeldToItsEnd(t *testing.T) {
	for reason, play := range map[string]func(*core){
		"want failed and": func(c *core) {
			c.send("assign.json", outcome{protocol.Failed, "assigned"})
		},
		`a message with "moved"`: func(c *core) { c.send("assign.json", succeeded("moved")) },
		"EC2 does not hold what it held before": func(c *core) {
			c.ec2.Before(routerA)
			c.send("assign.json", succeeded("assigned"))
			c.ec2.AsBefore(routerA)
		},
		"EC2 has no eni-0": func(c *core) { c.ec2.Look("eni-0") },
	} {
		t.Run(reason, func(t *testing.T) {
			broken := demo
			broken.Run = func(args []string, stdout, stderr io.Writer) int {
				return steps.Main("demo", args, stdout, stderr, func(ctx context.Context, s *steps.Stage) {
					play(&core{Stage: s, ec2: s.StandIn(ctx)})
				})
			}
			broken.Stops(t, reason)
		})
	}
}
