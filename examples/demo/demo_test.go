package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"aws-provider-executor/pkg/testprograms"
)

// most is how many lines a newcomer reads at once.
const most = 100

// TestTheRecordingIsOfThisDemo: the README shows how it begins.
func TestTheRecordingIsOfThisDemo(t *testing.T) {
	bin, err := testprograms.Build("ec2sim", "aws-provider-executor")
	if err != nil {
		t.Fatal(err)
	}
	defer testprograms.Remove()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-bin", bin, "-requests", "../requests"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), "\n"); n >= most {
		t.Errorf("%d lines, fewer than %d are meant to be", n, most)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, recording, found := strings.Cut(string(readme), "```text\n")
	recording, _, ended := strings.Cut(recording, "```\n")
	if !found || !ended || len(recording) < 200 {
		t.Fatal("the README has no recording")
	}
	if got := strings.TrimPrefix(out.String(), "\n"); !strings.HasPrefix(got, recording) {
		t.Errorf("the README has\n%s\nand the demo says\n%s", recording, got)
	}
}
