package history_test

import (
	"slices"
	"testing"

	"aws-provider-executor/pkg/history"
)

// What is made has the value of a token, by way of one that says that it is made and not in its
// place yet.
const (
	nothing = "absent"
	halfway = "created:1"
	there   = "present:1"
)

// TestMadeAndCutShort: wherever an action that makes something was cut short, the same key goes on
// and its undo leads to nothing.
func TestMadeAndCutShort(t *testing.T) {
	begun := history.At(nil, nothing).Begin("k", there, halfway, 1)
	for _, now := range []string{nothing, halfway, there} {
		v := history.At([]history.Entry{begun}, now)
		again := v.Begin("k", there, halfway, 2)
		if again.Seq != 1 || again.From != nothing || again.Via != halfway {
			t.Errorf("at %s it begins anew: %+v", now, again)
		}
		if u := v.Undo("k"); u.Aim != nothing || u.Drift || len(u.HeldBy) > 0 {
			t.Errorf("at %s its undo: %+v", now, u)
		}
		undoing := v.Undoing("k", 3, nothing)
		for _, then := range []string{there, halfway, nothing} {
			u := history.At(undoing, then).Undo("k")
			if u.Aim != nothing || u.Drift {
				t.Errorf("at %s, and its undo cut short at %s: %+v", now, then, u)
			}
		}
	}
}

// TestTwoKeysForOneSlot: the second one counts on what is there, and the last undo takes it away,
// in either order.
func TestTwoKeysForOneSlot(t *testing.T) {
	first := history.At(nil, nothing).Begin("k", there, halfway, 1)
	first.State = history.Live
	second := history.At([]history.Entry{first}, there).Begin("k2", there, "", 2)
	if second.From != there || second.State != history.Live {
		t.Fatalf("the second one: %+v", second)
	}
	all := []history.Entry{first, second}
	for _, keys := range [][]string{{"k", "k2"}, {"k2", "k"}} {
		v := history.At(all, there)
		if u := v.Undo(keys[0]); u.Aim != there || !slices.Equal(u.HeldBy, keys[1:]) {
			t.Errorf("%s first: %+v", keys[0], u)
		}
		left := slices.DeleteFunc(slices.Clone(all), func(e history.Entry) bool {
			return e.Key == keys[0]
		})
		left = append(left, v.Withdrawn(keys[0], 3, there)...)
		if u := history.At(left, there).Undo(keys[1]); u.Aim != nothing || u.Drift {
			t.Errorf("%s last: %+v", keys[1], u)
		}
	}
}

// TestAnothersInTheSlot: what somebody else put there is a stranger's, and no undo takes it away.
func TestAnothersInTheSlot(t *testing.T) {
	first := history.At(nil, nothing).Begin("k", there, halfway, 1)
	first.State = history.Live
	if u := history.At([]history.Entry{first}, "eni-1").Undo("k"); !u.Drift {
		t.Errorf("its undo: %+v", u)
	}
	found := history.At(nil, "eni-1").Begin("k", "eni-1", "", 1)
	if u := history.At([]history.Entry{found}, "eni-1").Undo("k"); u.Aim != "eni-1" || u.Drift {
		t.Errorf("the undo of what found it: %+v", u)
	}
}
