package fenceagent

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// input is what a call of the agent says.
type input struct {
	table []option
	// given are values by the names of options, and older those that a deprecated name gave: they
	// count where the option has no value of its own.
	given, older map[string]string
	// unknown are the names of what is no option; faults is what can't be read at all, and misspelt
	// what can't be of a command line.
	unknown, faults, misspelt []string
	// node is the name of the node that a cluster tells beside the options.
	node string
	// loud is how often verbose was said on the command line.
	loud int
}

func newInput() *input {
	return &input{table: options(), given: map[string]string{}, older: map[string]string{}}
}

// maxInput is more than any configuration has.
const maxInput = 1 << 20

// readLines reads lines of name=value. The last one of a name wins. Blank lines and comments are
// left out.
func readLines(r io.Reader) *input {
	in := newInput()
	all, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	switch {
	case err != nil:
		in.faults = append(in.faults, "standard input can't be read: "+err.Error())
	case len(all) > maxInput:
		// Cut off, an id may be that of another instance, and what follows would be lost.
		in.faults = append(in.faults, "standard input has more than 1 MiB; nothing of it is taken")
		return in
	}
	lines := bufio.NewScanner(bytes.NewReader(all))
	lines.Buffer(nil, maxInput+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		in.set(name, value)
	}
	return in
}

// readArguments reads a command line as getopt does: short options may be joined, and long ones
// cut short.
func readArguments(args []string) *input {
	in := newInput()
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			in.stray(args...)
			return in
		case strings.HasPrefix(arg, "--"):
			args = in.long(strings.TrimPrefix(arg, "--"), args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			args = in.short(arg[1:], args)
		default:
			in.stray(arg)
		}
	}
	return in
}

// stray notes arguments that belong to no option. They are not repeated: one may be a secret.
func (in *input) stray(args ...string) {
	if len(args) > 0 {
		in.misspelt = append(in.misspelt, "there is an argument that belongs to no option")
	}
}

// long reads one long option, and returns the arguments after it.
func (in *input) long(text string, rest []string) []string {
	name, value, has := strings.Cut(text, "=")
	o, ok := in.abbreviated(name)
	switch {
	case !ok:
		in.misspelt = append(in.misspelt, "there is no option --"+protocol.Quote(name)+in.nearest(name))
		return rest
	case !o.takesValue() && !has:
		in.flag(o)
		return rest
	case !has && len(rest) == 0:
		in.misspelt = append(in.misspelt, o.long()+" needs a value")
		return rest
	case !has:
		value, rest = rest[0], rest[1:]
	}
	in.set(o.name, value)
	return rest
}

// abbreviated finds an option by the whole of its name or by a beginning that no other one has.
func (in *input) abbreviated(name string) (option, bool) {
	if o, _, ok := find(in.table, name); ok {
		return o, true
	}
	var found []option
	for _, o := range in.table {
		if strings.HasPrefix(o.name, spell(name)) && name != "" {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		return option{}, false
	}
	return found[0], true
}

// short reads letters that are joined, of which the last one may have a value.
func (in *input) short(letters string, rest []string) []string {
	for i := range len(letters) {
		at := slices.IndexFunc(in.table, func(o option) bool { return o.short == letters[i] })
		if at < 0 {
			in.misspelt = append(in.misspelt, "there is no option -"+protocol.Quote(letters[i:i+1]))
			return rest
		}
		o := in.table[at]
		switch value := letters[i+1:]; {
		case !o.takesValue():
			in.flag(o)
			continue
		case value != "":
			in.set(o.name, value)
		case len(rest) == 0:
			in.misspelt = append(in.misspelt, o.long()+" needs a value")
		default:
			in.set(o.name, rest[0])
			rest = rest[1:]
		}
		return rest
	}
	return rest
}

// flag sets a boolean option that has no value.
func (in *input) flag(o option) {
	if o.name == optVerbose {
		in.loud++
	}
	in.set(o.name, "1")
}

// set takes one value. An empty one says nothing.
func (in *input) set(name, value string) {
	o, current, ok := find(in.table, name)
	switch {
	case strings.TrimSpace(name) == "nodename":
		in.node = strings.TrimSpace(value)
	case !ok:
		in.unknown = append(in.unknown, strings.TrimSpace(name))
	case o.value == separates && value != "" && strings.TrimSpace(value) == "":
		in.given[o.name] = value
	case current || spell(name) == o.name:
		in.given[o.name] = strings.TrimSpace(value)
	default:
		in.older[o.name] = strings.TrimSpace(value)
	}
}

// value is what was given for an option; empty if nothing was.
func (in *input) value(name string) string {
	if v := in.given[name]; v != "" {
		return v
	}
	return in.older[name]
}

// text is the value of an option, or what leaving it out means.
func (in *input) text(name string) string {
	if v := in.value(name); v != "" {
		return v
	}
	o, _, _ := find(in.table, name)
	return o.initial
}

// bool is the value of a boolean option, which check has looked at.
func (in *input) bool(name string) bool {
	v, err := action.Boolean.Canonical(in.text(name))
	return err == nil && v == "true"
}

// number is the value of an option that is a number, which check has looked at.
func (in *input) number(name string) int {
	n, _ := strconv.Atoi(in.text(name))
	return n
}

// greatest is more than any number of seconds or attempts that makes sense.
const greatest = 1_000_000

// check finds every fault of the values, by the table alone.
func (in *input) check() []string {
	faults := slices.Concat(in.faults, in.misspelt)
	for _, o := range in.table {
		v := in.value(o.name)
		if v == "" {
			continue
		}
		if o.refused != "" {
			faults = append(faults, o.name+" is not taken: "+o.refused+
				"; then remove "+o.name+" from the configuration")
			continue
		}
		if want := o.wants(v); want != "" {
			faults = append(faults, fmt.Sprintf("%s is %s, want %s", o.name, protocol.Quote(v), want))
		}
	}
	for _, name := range in.unknown {
		if meant := in.nearest(name); meant != "" {
			faults = append(faults, "there is no option "+protocol.Quote(name)+meant)
		}
	}
	return faults
}

// wants says what is wanted instead of a value; empty if the value is right.
func (o option) wants(v string) string {
	n, err := strconv.Atoi(v)
	switch o.kind {
	case boolean:
		if _, err := action.Boolean.Canonical(v); err != nil {
			return "1, yes, on or true; or 0, no, off or false"
		}
	case second:
		if err != nil || n < 0 || n > greatest {
			return "a time in whole seconds"
		}
	case integer:
		if err != nil || n < 0 || n > greatest {
			return "a whole number"
		}
	case choice:
		if !slices.Contains(o.choices, v) {
			return strings.Join(o.choices, " or ")
		}
	}
	return ""
}

// nearest names the option that a name is nearly that of, for an error. What is known from other
// agents and from clusters is near to none.
func (in *input) nearest(name string) string {
	for _, o := range in.table {
		for _, known := range o.names() {
			if protocol.Nearly(name, known) {
				return "; did you mean " + o.name + "?"
			}
		}
	}
	return ""
}
