package main

import (
	"os"
	"testing"

	"aws-provider-executor/examples/internal/steps/stepstest"
)

var played = stepstest.Demo{Run: run, Root: "../../..",
	Programs: []string{"lifecycled", "aws-provider-executor", "actionctl"}}

func TestMain(m *testing.M) { os.Exit(stepstest.Main(m)) }

func TestMakeBuildsWhatItRuns(t *testing.T) { played.IsMade(t, "demo-lifecycle") }

func TestTheDemoIsShortAndAsRecorded(t *testing.T) {
	played.IsShort(t, "examples/lifecycle/README.md")
}

func TestOutputsAreShownWholeByAFlag(t *testing.T) {
	played.ShowsWhole(t, `"outcome":`, "head ")
}

func TestADemoWhoseHandlerEndsFails(t *testing.T) {
	played.Fails(t, "lifecycle/demo/lifecycle.yaml", "patience: 30s", "patience: soon",
		"lifecycled watch ended by itself (exit status 1)")
}
