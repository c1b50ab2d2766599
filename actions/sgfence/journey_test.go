package sgfence

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// TestJourneys tells what the callers of an instance ask for, one after another, and holds each
// answer whole: its sentence, its facts, the changes that were asked for, and the world then. Each
// file of testdata/journeys has one journey. It opens with what it promises. A line that is not
// indented is a step; what is indented below it is the answer. The steps are
//
//	nic INDEX GROUPS [vpc=…] [type=…] [managed]   attaches an interface
//	unplug INDEX | regroup INDEX GROUPS | state STATE | tag KEY VALUE | untag KEY
//	                                   what somebody else does
//	terminate | vanish                 the instance ends, and is not found any more
//	meanwhile STEP                     a step that is done just before the next change
//	self node|other|unknown            the machine that this runs on
//	group GROUP VPC|none               where a group is, if not in vpc-1
//	fail CALL [RESOURCE [WORDS]] N | lose CALL N
//	                                   the next N such calls are refused, or their answers lost
//	fail History [RESOURCE] N          the next N readings of what is recorded of it
//	lose-ledger                        what is recorded is lost
//	keep-nothing                       the caller keeps no ledger from here on
//	wait DURATION
//	fence KEY [NAME=VALUE]... | unfence KEY [NAME=VALUE]...
//	undo KEY [NAME=VALUE]...           sends the undo with all facts of the last answer
//	undo-without KEY [NAME=VALUE]...   sends it without facts
//
// With a ? behind the verb it is a dry-run.
//
// A group is g1 (x1 in a tag's JSON), an interface eni0 and the instance node.
func TestJourneys(t *testing.T) {
	files, err := filepath.Glob("testdata/journeys/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no journeys: ", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = travel(newWorld(t), string(want)) })
			if got == string(want) {
				return
			}
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Errorf("%s", differing(string(want), got))
		})
	}
}

// differing tells the first lines that differ.
func differing(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			end := min(i+12, len(g))
			return fmt.Sprintf("line %d: want\n%s\ngot\n%s", i+1,
				strings.Join(w[min(i, len(w)):min(i+12, len(w))], "\n"), strings.Join(g[i:end], "\n"))
		}
	}
	return "the end is missing"
}

// travel carries out the steps of a journey, and returns it with the answers that were given.
func travel(w *world, journey string) string {
	var b strings.Builder
	for line := range strings.Lines(journey) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		b.WriteString(line)
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for said := range strings.Lines(short(w.step(long(line)))) {
			b.WriteString("  " + said)
		}
	}
	return b.String()
}

var shortWords = []struct {
	full  *regexp.Regexp
	short string
	brief *regexp.Regexp
	long  func(string) string
}{
	{regexp.MustCompile(`sg-0{14,}([0-9a-f]+)`), "g$1", regexp.MustCompile(`\bg[0-9]+\b`),
		func(s string) string { return fmt.Sprintf("sg-%017s", s[1:]) }},
	{regexp.MustCompile(`eni-0{16}([0-9a-f])`), "eni$1", regexp.MustCompile(`\beni[0-9]\b`),
		func(s string) string { return fmt.Sprintf("eni-%017s", s[3:]) }},
	{regexp.MustCompile(here), "node", regexp.MustCompile(`\bnode|_node_`),
		func(s string) string { return strings.Replace(s, "node", here, 1) }},
	{regexp.MustCompile(`\b0{14,}([0-9a-f]+)\b`), "x$1", regexp.MustCompile(`\bx[0-9]+\b`),
		func(s string) string { return fmt.Sprintf("%017s", s[1:]) }},
}

// short puts short words in the place of ids, and long does the opposite.
func short(text string) string {
	for _, w := range shortWords {
		text = w.full.ReplaceAllString(text, w.short)
	}
	return text
}

func long(text string) string {
	for _, w := range shortWords {
		text = w.brief.ReplaceAllStringFunc(text, w.long)
	}
	return text
}

// step carries out one step, and returns what is to be told of it.
func (w *world) step(line string) string {
	w.t.Helper()
	words := strings.Fields(line)
	verb, args := words[0], words[1:]
	switch verb {
	case "fence", "unfence", "undo", "undo-without", "fence?", "unfence?", "undo?", "undo-without?":
		return w.ask(verb, args[0], args[1:])
	case "meanwhile":
		w.meanwhile = func() { w.happen(args[0], args[1:]) }
	default:
		return w.happen(verb, args)
	}
	return ""
}

// ask sends a request. What a dry-run said is held against what execute then does.
func (w *world) ask(verb, key string, args []string) string {
	w.t.Helper()
	parameters := map[string]string{}
	verb, dry := strings.CutSuffix(verb, "?")
	action := map[string]string{"fence": "fence-security-groups"}[verb]
	if action == "" {
		action = "unfence-security-groups"
	}
	if verb == "undo" {
		for name, value := range w.facts[key].Observed {
			parameters[name] = value
		}
	}
	for _, p := range args {
		name, value, _ := strings.Cut(p, "=")
		if parameters[name] = value; value == "" {
			delete(parameters, name)
		}
	}
	if strings.HasPrefix(verb, "undo") {
		key += protocol.UndoKeySuffix
	}
	mode := protocol.Execute
	if dry {
		mode = protocol.DryRun
	}
	return w.told(w.send(action, key, mode, parameters).Status)
}

// happen carries out what is no request.
func (w *world) happen(what string, args []string) string {
	w.t.Helper()
	switch what {
	case "self":
		w.self = map[string]string{here: here, "other": "i-0fffffffffffffff0"}[args[0]]
	case "group":
		w.elsewhere[args[0]] = args[1]
	case "fail", "lose":
		n, err := strconv.Atoi(args[len(args)-1])
		if err != nil {
			w.t.Fatal(err)
		}
		into := map[string]map[string]int{"fail": w.fails, "lose": w.lies}[what]
		into[strings.Join(args[:len(args)-1], " ")] = n
	case "keep-nothing":
		w.dir = ""
	case "lose-ledger":
		w.dir = w.t.TempDir()
	case "wait":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(d)
	default:
		w.meddle(what, args)
	}
	return ""
}

// meddle is what somebody else does to the instance.
func (w *world) meddle(what string, args []string) {
	w.t.Helper()
	id := ""
	if n, err := strconv.Atoi(strings.Join(args[:min(1, len(args))], "")); err == nil {
		id = fmt.Sprintf("eni-%017d", n)
	}
	switch what {
	case "nic":
		w.plug(id, args)
	case "unplug":
		w.instance.Interfaces = without(w.instance.Interfaces, id)
	case "regroup":
		w.regroup(id, strings.Split(args[1], ","))
	case "state":
		w.instance.State = args[0]
	case "tag":
		w.instance.Tags[args[0]] = strings.Join(args[1:], " ")
	case "untag":
		delete(w.instance.Tags, args[0])
	case "terminate":
		w.instance.State, w.instance.Interfaces = "terminated", nil
	case "vanish":
		w.gone = true
	default:
		w.t.Fatalf("there is no step %s", what)
	}
}

// plug attaches an interface as the step nic says.
func (w *world) plug(id string, args []string) {
	index, _ := strconv.Atoi(args[0])
	n := ec2model.InstanceInterface{ID: id, VPCID: "vpc-1", Index: index, Type: "interface"}
	n.Groups = slices.Sorted(slices.Values(strings.Split(args[1], ",")))
	if args[1] == "none" {
		n.Groups = nil
	}
	for _, more := range args[2:] {
		switch name, value, _ := strings.Cut(more, "="); name {
		case "vpc":
			n.VPCID = value
		case "type":
			n.Type = value
		case "managed":
			n.Managed = true
		default:
			w.t.Fatalf("an interface has no %s", name)
		}
	}
	w.instance.Interfaces = append(without(w.instance.Interfaces, id), n)
}

func without(all []ec2model.InstanceInterface, id string) []ec2model.InstanceInterface {
	var rest []ec2model.InstanceInterface
	for _, n := range all {
		if n.ID != id {
			rest = append(rest, n)
		}
	}
	return rest
}
