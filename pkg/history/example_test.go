package history_test

import (
	"fmt"

	"aws-provider-executor/pkg/history"
)

// Two actions want the source/dest check of an interface off. The first one is undone while
// the second one counts on it, so that nothing changes. The undo of the second one then leads
// to what was there before both.
func Example() {
	var recorded []history.Entry

	a := history.At(recorded, "on").Begin("a", "off", "", 1)
	a.State = history.Live // the change was made, and read back
	recorded = append(recorded, a)
	recorded = append(recorded, history.At(recorded, "off").Begin("b", "off", "", 2))

	view := history.At(recorded, "off")
	undo := view.Undo("a")
	fmt.Println("a is held by", undo.HeldBy)
	recorded[0] = view.Withdrawn("a", 3, "off")[0]

	undo = history.At(recorded, "off").Undo("b")
	fmt.Println("b leads to", undo.Aim)
	// Output:
	// a is held by [b]
	// b leads to on
}

// A retry does not take its own change for the prior value.
func ExampleView_Begin() {
	first := history.At(nil, "eni-1").Begin("k", "eni-2", "", 1)
	fmt.Println(first.State, first.From)

	// The process died after its change, and the same request comes again.
	again := history.At([]history.Entry{first}, "eni-2").Begin("k", "eni-2", "", 2)
	fmt.Println(again.State, again.From)
	// Output:
	// pending eni-1
	// live eni-1
}

// A stranger's value is neither ours to change nor to give back.
func ExampleView_Undo() {
	recorded := []history.Entry{
		{Seq: 1, Key: "a", From: "sg-1", To: "sg-2", State: history.Live, Begins: true},
	}
	for _, now := range []string{"sg-2", "sg-1", "sg-3"} {
		undo := history.At(recorded, now).Undo("a")
		fmt.Println(now, "leads to", undo.Aim, "drift:", undo.Drift)
	}
	// Output:
	// sg-2 leads to sg-1 drift: false
	// sg-1 leads to sg-1 drift: false
	// sg-3 leads to sg-1 drift: true
}

// A release ends what led to a value. Later undos of that are told of it.
func ExampleView_Release() {
	recorded := []history.Entry{
		{Seq: 1, Key: "a", From: "none", To: "eni-1", State: history.Live, Begins: true},
	}
	release, _ := history.At(recorded, "eni-1").Release("r", "eni-1", "none", 2)
	release.State = history.Live // the address is gone, as was read back
	recorded = history.Needed(append(recorded, release))

	fmt.Println(len(recorded), history.At(recorded, "none").Undo("a").Released)
	// Output: 1 r
}
