package protocol

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesAreToldAsOneText(t *testing.T) {
	changes := []Change{
		{Resource: "eni-1", Attribute: "groups", From: "sg-1,sg-2", To: "sg-2", Via: "sg-9"},
		{Resource: `10.0.0.9 "<&>` + "\u2028\n", Attribute: "holder", From: "none", To: "eni-1"},
	}
	text, err := EncodeChanges(changes)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"resource":"eni-1","attribute":"groups","from":"sg-1,sg-2","to":"sg-2",` +
		`"via":"sg-9"},{"resource":"10.0.0.9 \"<&>\u2028\n","attribute":"holder","from":"none",` +
		`"to":"eni-1"}]`
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	read, err := DecodeChanges(text)
	if diff := cmp.Diff(changes, read); err != nil || diff != "" {
		t.Errorf("read back: %v\n%s", err, diff)
	}
	for _, none := range [][]Change{nil, {}} {
		if text, err := EncodeChanges(none); err != nil || text != "[]" {
			t.Errorf("no changes are %q, %v", text, err)
		}
	}
}

// TestAPlanIsToldWholeOrNotAtAll: a part of a plan would hide the rest of it.
func TestAPlanIsToldWholeOrNotAtAll(t *testing.T) {
	one := Change{Resource: "r", Attribute: "a", From: "b", To: "c"}
	const limitOfChanges = 1 << 10
	many := make([]Change, limitOfChanges+1)
	for i := range many {
		many[i] = one
	}
	long := one
	long.To = strings.Repeat("x", 256<<10)
	for name, changes := range map[string][]Change{"many": many, "long": {long}} {
		if text, err := EncodeChanges(changes); err == nil || text != "" {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	text, err := EncodeChanges(many[:limitOfChanges])
	if err != nil {
		t.Fatal(err)
	}
	if read, err := DecodeChanges(text); err != nil || len(read) != limitOfChanges {
		t.Errorf("%d changes, %v", len(read), err)
	}
	const element = `{"resource":"r","attribute":"a","from":"b","to":"c"}`
	tooMany := "[" + strings.Repeat(element+",", limitOfChanges) + element + "]"
	const limit = 256 << 10
	tooLong := "[]" + strings.Repeat(" ", limit-1)
	if _, err := DecodeChanges(tooLong[:limit]); err != nil {
		t.Error("the longest: ", err)
	}
	for name, text := range map[string]string{"many": tooMany, "long": tooLong} {
		if read, err := DecodeChanges(text); err == nil {
			t.Errorf("%s: %d changes are read", name, len(read))
		}
	}
}

func TestWhatIsNoPlan(t *testing.T) {
	for text, want := range map[string]string{
		``:                   "there is no JSON",
		`{}`:                 "an object, want an array",
		`[] []`:              "more than one JSON value",
		`["x"]`:              "change 1 of the plan is a string",
		`[{"resource":"r"}]`: "has no attribute",
		`[{"attribute":"a","from":"b","to":"c"}]`:                             "has no resource",
		`[{"resource":"r","attribute":"a","to":"c"}]`:                         "has no from",
		`[{"resource":"r","attribute":"a","from":""}]`:                        "has no to",
		`[{"resource":1}]`:                                                    "has a number as resource",
		`[{"resource":{"a":1}}`:                                               "plan",
		`[{"resource":"r","attribute":"a","from":"b","to":"c","also":"d"}]`:   "unknown key",
		`[{"resource":"r","attribute":"a","from":"b","to":"c","to":"d"}]`:     "twice",
		`[{"resource":"r","attribute":"a","from":"b","to":"c","Resource":""}`: "plan",
	} {
		read, err := DecodeChanges(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(read) > 0 {
			t.Errorf("%s: %v, %v, want %q", text, read, err, want)
		}
	}
}
