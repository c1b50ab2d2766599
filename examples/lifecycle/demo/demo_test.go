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

func TestNoRealAccountIsAsked(t *testing.T) { played.AsksNoAccount(t) }

func TestADemoWhoseHandlerEndsFails(t *testing.T) {
	played.Fails(t, "lifecycle/demo/lifecycle.yaml", "patience: 30s", "patience: soon",
		"lifecycled watch ended by itself (exit status 1)")
}

func TestADemoWithOtherInterfacesFails(t *testing.T) {
	second := `    - deviceIndex: 2
      name: inside
      subnets: {ap-northeast-1a: subnet-01088600000000000}
      securityGroups: [sg-01088000000000001]
      # It outlives its instance, unless it is taken away.
      deleteOnTermination: false
`
	played.Fails(t, "lifecycle/demo/lifecycle.yaml", second, "", "3 interfaces were made, want 6")
}
