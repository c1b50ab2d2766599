package main

import (
	"os"
	"testing"

	"aws-provider-executor/examples/internal/steps/stepstest"
)

var demo = stepstest.Demo{Run: run, Programs: []string{"ec2sim", "aws-provider-executor"},
	Root: "../.."}

func TestMain(m *testing.M) { os.Exit(stepstest.Main(m)) }

func TestMakeBuildsWhatItRuns(t *testing.T) { demo.IsMade(t, "demo") }

func TestTheDemoIsShortAndAsRecorded(t *testing.T)   { demo.IsShort(t, "README.md") }
func TestDocumentsAreShownWholeByAFlag(t *testing.T) { demo.ShowsWhole(t, `"observed": {`) }

func TestADemoWithAnotherResultFails(t *testing.T) {
	demo.Fails(t, "requests/assign.json", "10.88.60.9", "10.99.9.9",
		"execute mobility-7/assign: want succeeded")
}
