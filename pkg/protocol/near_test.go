package protocol

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearly(t *testing.T) {
	for _, c := range []struct {
		name      string
		near, far []string
	}{
		{"expectedHolderRef",
			[]string{
				"expectedHolderRef", "expectedholderref", "EXPECTED_HOLDER_REF", "expected-holder-ref",
				"expectedHolderRefs", "expectdHolderRef", "expectedHodlerRfe", "xxexpectedHolderRef",
			},
			[]string{"expectedHolder", "expectedHolderId", "expected", "holder", "holderRef", "priorHolder",
				"expectedHolderReference", "", strings.Repeat("x", 1<<16)},
		},
		{"nicRef", []string{"nicref", "nic-ref", "nicRefs", "ncRef", "vnicRef", "incRef"}, []string{"nic",
			"nicId", "eniRef", "vpcRef", "ref", "nicName", "id"}},
		{"address", []string{"addresses", "adress", "addres", "Address"}, []string{"addressRef", "adres",
			"ipAddress", "addr"}},
		{"region", []string{"regions", "regoin", "Region"}, []string{"reg", "origin"}},
		{"onFencePoweroff", []string{"onFencePowerof", "onFencePowerOff", "onfence-poweroff",
			"onFencePower0f"}, []string{"onFence", "powerOff", "onFencePower"}},
		{"target", []string{"targets", "Target"}, []string{"targetRef", "targeting"}},
	} {
		for _, key := range c.near {
			if !Nearly(key, c.name) {
				t.Errorf("%q is not nearly %s", key, c.name)
			}
		}
		for _, key := range c.far {
			if Nearly(key, c.name) {
				t.Errorf("%.40q is nearly %s", key, c.name)
			}
		}
	}
}

func TestMeant(t *testing.T) {
	known := []string{"assign-secondary-ip", "unassign-secondary-ip", "ensure-tags", "route", "routes"}
	for name, want := range map[string]string{
		"asign-secondary-ip":    " (did you mean assign-secondary-ip?)",
		"assignSecondaryIP":     " (did you mean assign-secondary-ip?)",
		"unasign-secondary-ip":  " (did you mean unassign-secondary-ip?)",
		"ensure-tag":            " (did you mean ensure-tags?)",
		"rout":                  " (did you mean route or routes?)",
		"assign":                "",
		"":                      "",
		strings.Repeat("a", 99): "",
	} {
		if got := Meant(name, known...); got != want {
			t.Errorf("Meant(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestRefers(t *testing.T) {
	for _, c := range []struct {
		key, name string
		want      bool
	}{
		{"expectedHolder", "expectedHolderRef", true}, {"expectedHolders", "expectedHolderRef", true},
		{"expected_holder_id", "expectedHolderRef", true}, {"nicIds", "nicRef", true}, {"addressRef",
			"address", true},
		{"holder", "expectedHolderRef", false}, {"id", "nicRef", false}, {"ref", "nicRef", false},
		{"nicName", "nicRef", false},
	} {
		if got := Refers(c.key, c.name); got != c.want {
			t.Errorf("Refers(%q, %q) is %t", c.key, c.name, got)
		}
	}
}

// TestWithinIsTheDistance holds the table of edits against the definition: the least of all ways.
func TestWithinIsTheDistance(t *testing.T) {
	var all []string
	for _, n := range []int{0, 1, 2, 3, 4} {
		all = append(all, words("ab", n)...)
	}
	for _, a := range all {
		for _, b := range all {
			want := distance(a, b)
			for edits := range 3 {
				if got := within(a, b, edits); got != (want <= edits) {
					t.Fatalf("within(%q, %q, %d) is %t, the distance %d", a, b, edits, got, want)
				}
			}
		}
	}
}

func words(letters string, n int) []string {
	if n == 0 {
		return []string{""}
	}
	var all []string
	for _, w := range words(letters, n-1) {
		for _, l := range letters {
			all = append(all, w+string(l))
		}
	}
	return all
}

func distance(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	}
	replaced := distance(a[1:], b[1:])
	if a[0] != b[0] {
		replaced++
	}
	least := min(replaced, distance(a[1:], b)+1, distance(a, b[1:])+1)
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		least = min(least, distance(a[2:], b[2:])+1)
	}
	return least
}

// TestKeyList: sorted, each once, escaped, and bounded in number and length.
func TestKeyList(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []string
		want string
	}{
		{"none", nil, ""},
		{"sorted, each once", []string{"b", "a", "b"}, `["a","b"]`},
		{"what cannot be printed", []string{"a\x1b[31m", "b\u202e", "c\"\\", "d\U000e0001"},
			`["a\u001b[31m","b\u202e","c\"\\","d\udb40\udc01"]`},
		{"an access key", []string{"AKIALABEC2SIM0000001"}, `["(an access key)"]`},
		{"a long one", []string{strings.Repeat("k", 90)}, `["` + strings.Repeat("k", 80) + `…"]`},
	} {
		if got := KeyList(c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	keys := []string{"c\"\\", "a\x1b", "d\U000e0001é日"}
	var back []string
	if err := json.Unmarshal([]byte(KeyList(keys)), &back); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	many := words("ab", 8)
	if err := json.Unmarshal([]byte(KeyList(many)), &back); err != nil || len(back) != 101 ||
		back[100] != "and 156 more" {
		t.Errorf("of %d keys %d are told, the last %q (%v)", len(many), len(back), back[len(back)-1], err)
	}
}

// TestNearlyIsBounded: a key of many bytes is near nothing, and names of ten letters are long.
func TestNearlyIsBounded(t *testing.T) {
	dashes := strings.Repeat("-", 96-len("nicRef"))
	if !Nearly("nicRef"+dashes, "nicRef") || Nearly("nicRef"+dashes+"-", "nicRef") {
		t.Error("the limit is not 96 bytes")
	}
	for key, name := range map[string]string{"abcdefgh": "abcdefghij", "abcdefghxy": "abcdefghij"} {
		if !Nearly(key, name) || Nearly(key[1:], name[1:]) {
			t.Errorf("%s and %s: two edits are near from ten letters on", key, name)
		}
	}
	if !Nearly("address", "addresses") || !Nearly("addresses", "address") {
		t.Error("a plural is not near")
	}
	if got := Plain("A-z_0.9 é"); got != "az09" {
		t.Error(got)
	}
}
