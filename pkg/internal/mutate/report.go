package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// report is what became of a package's mutants.
type report struct {
	where       string
	mutants     []mutant
	fates       map[int]fate
	equivalents map[string]string
	// names are the files of which all mutants were tried; entries about others are not judged.
	names   map[string]bool
	verbose bool
	// complaints are the entries of the list of equivalents that are wrong.
	complaints []string
}

// print writes the survivors and a closing line, and returns the percentage killed. One that timed
// out counts as killed: the tests did not pass. One that is equivalent does not count.
func (r *report) print(out io.Writer) float64 {
	count := map[fate]int{}
	known, seen := 0, map[string]bool{}
	for _, m := range r.mutants {
		f := r.fates[m.id]
		entry := entryFor(r.equivalents, m.key)
		seen[entry] = true
		switch {
		case entry == m.key && f != survived:
			r.complaints = append(r.complaints, fmt.Sprintf("%s: %s", f, m.key))
			count[f]++
		case entry != "" && f == survived:
			known++
		default:
			count[f]++
			if f == survived || r.verbose {
				file, change, _ := strings.Cut(m.key, " ")
				fmt.Fprintf(out, "%s: %s:%d: %s\n", f, file, m.line, change)
			}
		}
	}
	for _, key := range ofFiles(r.equivalents, r.names) {
		if !seen[key] {
			r.complaints = append(r.complaints, "no such mutant: "+key)
		}
	}
	slices.Sort(r.complaints)
	for _, c := range r.complaints {
		fmt.Fprintf(out, "the list of equivalent mutants is wrong: %s\n", c)
	}
	dead := count[killed] + count[timedOut]
	built := dead + count[survived]
	percent := 100.0
	if built > 0 {
		percent = 100 * float64(dead) / float64(built)
	}
	fmt.Fprintf(out, "%s: %d mutants; %d do not build, %d equivalent; of %d: %d killed, %d timed out,"+
		" %d survived: %.1f %%\n", r.where, len(r.mutants), count[rejected], known, built,
		count[killed], count[timedOut], count[survived], percent)
	return percent
}
