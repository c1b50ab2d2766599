// The program lint checks what no other linter here does: that lines fit, that comments use the
// house's words, that no file is too large, that pages link to what is there, that the README is
// short, and that the subjects of new commits have their form.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("lint", flag.ContinueOnError)
	flags.SetOutput(stderr)
	subjects := flags.Bool("subjects", false, "check the subjects of new commits instead")
	base := flags.String("base", "", "what commits are new to; origin's head or main when empty")
	if flags.Parse(args) != nil {
		return 2
	}
	var faults []string
	var err error
	if *subjects {
		faults, err = newSubjects(".", *base)
	} else {
		faults, err = sources(flags.Args())
		if err == nil {
			for _, look := range []func() ([]string, error){sizes, links, readme} {
				found, wrong := look()
				faults, err = append(faults, found...), errors.Join(err, wrong)
			}
		}
	}
	for _, f := range faults {
		fmt.Fprintln(stdout, f)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "lint:", err)
		return 2
	case len(faults) > 0:
		return 1
	}
	return 0
}
