package main

import (
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"
)

// code runs actionctl and holds its exit code:
//
//	code WANT ARGS...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: code WANT ARGS...")
	}
	got := "0"
	if err := ts.Exec("actionctl", args[1:]...); err != nil {
		got = err.Error()
	}
	if want := args[0]; got != want && got != fmt.Sprintf("exit status %s", want) {
		ts.Fatalf("actionctl %v: %s, want exit status %s", args[1:], got, want)
	}
}
