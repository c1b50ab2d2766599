package main

import (
	"os"
	"testing"

	"aws-provider-executor/examples/internal/steps/stepstest"
)

var demo = stepstest.Demo{Run: run, Root: "../..",
	Programs: []string{"ec2sim", "aws-provider-executor", "actionctl"}}

func TestMain(m *testing.M) { os.Exit(stepstest.Main(m)) }

func TestMakeBuildsWhatItRuns(t *testing.T) { demo.IsMade(t, "demo-gate") }

func TestTheDemoIsShortAndAsRecorded(t *testing.T) { demo.IsShort(t, "examples/gate/README.md") }

func TestOutputsAreShownWholeByAFlag(t *testing.T) {
	demo.ShowsWhole(t, "rolled-back", "once that is mended", `"undoAvailable": true`)
}

func TestNoRealAccountIsAsked(t *testing.T) { demo.AsksNoAccount(t) }

func TestADemoWithAnotherExitCodeFails(t *testing.T) {
	demo.Fails(t, "gate/policy.yaml", "allowUndo: true", "allowUndo: false",
		"actionctl rollback --all --yes: the exit code is 3, want 0")
}

func TestADemoWithAnotherAnswerFails(t *testing.T) {
	demo.Fails(t, "gate/plans.yaml", "Key: mobility-7/assign", "Key: mobility-9/assign",
		`plans.yaml: it did not say ["1 mobility-7/assign"]`)
}
