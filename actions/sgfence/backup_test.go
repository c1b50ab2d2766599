package sgfence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	here = "i-0123456789abcdef0"
	eni0 = "eni-00000000000000000"
	eni1 = "eni-00000000000000001"
	eni2 = "eni-00000000000000002"
	then = "1700000000"
	key  = "Original_SG_Backup_" + here + "_" + then + "_"
)

var equal = cmp.AllowUnexported(backup{}, saved{})

func group(n int) string { return fmt.Sprintf("sg-%017x", n) }

func groups(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = group(i)
	}
	return all
}

// agentValue is a value as the agent's json.dumps writes it.
func agentValue(nic string, index, total int, ids ...string) string {
	for i, id := range ids {
		ids[i] = `"` + strings.TrimPrefix(id, "sg-") + `"`
	}
	return fmt.Sprintf(`{"n": {"i": "%s", "s": [%s], "c": {"i": %d, "t": %d}}, "t": %s}`, nic,
		strings.Join(ids, ", "), index, total, then)
}

func TestBackupThereAndBack(t *testing.T) {
	for _, c := range []struct {
		name string
		of   []saved
		tags int
	}{
		{"one group", []saved{{eni0, groups(1)}}, 2},
		{"five groups, EC2's default limit", []saved{{eni0, groups(5)}}, 2},
		{"eight groups in one value", []saved{{eni0, groups(8)}}, 2},
		{"nine groups in two", []saved{{eni0, groups(9)}}, 3},
		{"sixteen groups, the highest limit", []saved{{eni0, groups(16)}}, 3},
		{"two interfaces", []saved{{eni0, groups(16)}, {eni1, groups(1)}}, 4},
		{"old short ids", []saved{{"eni-01234567", []string{"sg-01234567", "sg-89abcdef"}}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := &backup{at: then, of: c.of}
			tags := want.tags(here, 0)
			if len(tags) != c.tags {
				t.Errorf("%d tags, want %d: %v", len(tags), c.tags, tags)
			}
			for k, v := range tags {
				if len(k) > 127 || len(v) > maxTagValue {
					t.Errorf("%s=%s is too long: %d and %d", k, v, len(k), len(v))
				}
			}
			got, own, err := readBackup(here, tags)
			if diff := cmp.Diff(want, got, equal); diff != "" || err != nil || !maps.Equal(own, tags) {
				t.Errorf("%v, own %v (-want +got):\n%s", err, own, diff)
			}
			parsed, ok := parseBackup(want.text())
			if diff := cmp.Diff(want, parsed, equal); diff != "" || !ok {
				t.Errorf("text %q: %t (-want +got):\n%s", want.text(), ok, diff)
			}
		})
	}
}

func TestReadBackup(t *testing.T) {
	one := &backup{at: then, of: []saved{{eni0, groups(2)}}}
	two := &backup{at: then, of: []saved{{eni0, groups(3)}, {eni1, groups(1)}}}
	type tags = map[string]string
	for _, c := range []struct {
		name string
		tags tags
		want *backup
		why  string
	}{
		{"no tags", tags{"Name": "x"}, nil, ""},
		{"backups without lastfence are of no fence in force",
			tags{key + "1_0": agentValue(eni0, 0, 1, group(0))}, nil, ""},
		{"the agent's", tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 1, group(1), group(0))},
			one, ""},
		{"the agent's, in chunks", tags{"lastfence": then,
			key + "1_0": agentValue(eni0, 0, 3, group(2)), key + "1_1": agentValue(eni0, 1, 3, group(0)),
			key + "1_2": agentValue(eni0, 2, 3, group(1)),
			key + "2_0": agentValue(eni1, 0, 1, group(0))}, two, ""},
		{"another order of fields", tags{"lastfence": then,
			key + "1_0": `{"t":` + then +
				`,"n":{"c":{"t":1,"i":0},"s":["00000000000000000","00000000000000001"],"i":"` + eni0 + `"}}`},
			one, ""},
		{"another then's and another instance's besides",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 1, group(1), group(0)),
				"Original_SG_Backup_" + here + "_1600000000_1_0": "x",
				"Original_SG_Backup_i-01234567_" + then + "_1_0": "y", "Original_SG_Backup_": "z"}, one, ""},

		{"lastfence alone", tags{"lastfence": then}, nil, "no backup tag"},
		{"lastfence of another then",
			tags{"lastfence": "1600000000", key + "1_0": agentValue(eni0, 0, 1, group(0))}, nil,
			"no backup tag"},
		{"lastfence that is no time", tags{"lastfence": "yesterday"}, nil, "no time"},
		{"an empty lastfence", tags{"lastfence": ""}, nil, "no time"},
		{"the first chunk missing",
			tags{"lastfence": then, key + "1_1": agentValue(eni0, 1, 2, group(0))}, nil, "not all"},
		{"the last chunk missing", tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 2, group(0))},
			nil, "not all"},
		{"more chunks than there are",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 1, group(0)),
				key + "1_1": agentValue(eni0, 1, 2, group(1))}, nil, "not all"},
		{"the first interface missing",
			tags{"lastfence": then, key + "2_0": agentValue(eni0, 0, 1, group(0))}, nil,
			"no tag of its interface 1"},
		{"an interface twice",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 1, group(0)),
				key + "2_0": agentValue(eni0, 0, 1, group(1))}, nil, "twice"},
		{"a group twice", tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 2, group(0)),
			key + "1_1": agentValue(eni0, 1, 2, group(0))}, nil, "twice"},
		{"two interfaces in one",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 2, group(0)),
				key + "1_1": agentValue(eni1, 1, 2, group(1))}, nil, "both"},
		{"a chunk under another's key",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 1, 2, group(0)),
				key + "1_1": agentValue(eni0, 0, 2, group(1))}, nil, "holds the chunk"},
		{"a value of another then",
			tags{"lastfence": then,
				key + "1_0": strings.ReplaceAll(agentValue(eni0, 0, 1, group(0)), then, "1600000000")}, nil,
			"of 1600000000"},
		{"a key without a number", tags{"lastfence": then, key + "": "x"}, nil, "number"},
		{"a key with a number from 0",
			tags{"lastfence": then, key + "0_0": agentValue(eni0, 0, 1, group(0))}, nil, "number"},
		{"a key with leading zeros",
			tags{"lastfence": then, key + "01_0": agentValue(eni0, 0, 1, group(0))}, nil, "number"},
		{"a key with more", tags{"lastfence": then, key + "1_0_0": agentValue(eni0, 0, 1, group(0))},
			nil, "number"},
		{"a broken one beside a good one",
			tags{"lastfence": then, key + "1_0": agentValue(eni0, 0, 1, group(0)), key + "2_0": "{}"}, nil,
			"other fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, own, err := readBackup(here, c.tags)
			if diff := cmp.Diff(c.want, got, equal); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err != nil) != (c.why != "") || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
			for k, v := range own {
				if have, ok := c.tags[k]; !ok || have != v || k != "lastfence" &&
					!strings.HasPrefix(k, "Original_SG_Backup_"+here+"_"+c.tags["lastfence"]+"_") {
					t.Errorf("%s=%s is not that then's", k, v)
				}
			}
		})
	}
}

func TestDecodeChunkRefuses(t *testing.T) {
	good := agentValue(eni0, 0, 1, group(0))
	if _, err := decodeChunk(good); err != nil {
		t.Fatal(err)
	}
	edit := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, value := range map[string]string{
		"nothing": "", "no JSON": "fenced", "a list": "[]", "null": "null",
		"cut short": good[:len(good)-1], "two values": good + good, "trailing text": good + " x",
		"an unknown field":           edit(`"t": 1700`, `"x": 1, "t": 1700`),
		"an unknown field inside":    edit(`"s":`, `"x": 1, "s":`),
		"a field missing":            edit(`, "t": 1}`, `}`),
		"a field twice":              edit(`"s":`, `"s": [], "s":`),
		"a field in capitals":        edit(`"n"`, `"N"`),
		"a time as text":             edit(then, `"`+then+`"`),
		"a time with a fraction":     edit(then, then+".0"),
		"no groups":                  edit(`"00000000000000000"`, ``),
		"a group with its prefix":    edit(`"00000000000000000"`, `"sg-00000000000000000"`),
		"a group that is no id":      edit(`"00000000000000000"`, `"web"`),
		"a group that is a number":   edit(`"00000000000000000"`, `1`),
		"an interface that is no id": edit(eni0, "eth0"),
		"a chunk below 0":            edit(`"i": 0`, `"i": -1`),
		"a chunk beyond the last":    edit(`"i": 0`, `"i": 1`),
		"a chunk as text":            edit(`"i": 0`, `"i": "0"`),
		"a chunk with a fraction":    edit(`"i": 0`, `"i": 0.0`),
		"chunks as an object":        edit(`"t": 1}`, `"t": {}}`),
		"too deep":                   strings.Repeat(`{"n":`, 5000) + "1" + strings.Repeat("}", 5000),
	} {
		if c, err := decodeChunk(value); err == nil {
			t.Errorf("%s: %s is read as %+v", name, value, c)
		}
	}
}

// FuzzDecodeChunk: whatever is read is what would be written, and reading writes and reads the
// same.
func FuzzDecodeChunk(f *testing.F) {
	f.Add(agentValue(eni0, 0, 1, group(0)))
	f.Add(agentValue(eni0, 1, 2, group(0), group(1)))
	f.Add(`{"n":{"i":"eni-01234567","s":["01234567"],"c":{"i":0,"t":1}},"t":1}`)
	f.Add(`{"n":{"i":"eni-01234567","s":["01234567"],"c":{"i":0,"t":1},"i":"x"},"t":1}`)
	f.Add(`[[[[[[[[[[`)
	f.Fuzz(func(t *testing.T, value string) {
		c, err := decodeChunk(value)
		if err != nil {
			return
		}
		s := saved{c.Of.Interface, nil}
		for _, g := range c.Of.Groups {
			s.groups = append(s.groups, "sg-"+g)
		}
		slices.Sort(s.groups)
		s.groups = slices.Compact(s.groups)
		want := &backup{at: string(c.At), of: []saved{s}}
		got, _, err := readBackup(here, want.tags(here, 0))
		if diff := cmp.Diff(want, got, equal); diff != "" || err != nil {
			t.Errorf("%q, written and read again: %v\n%s", value, err, diff)
		}
		parsed, ok := parseBackup(want.text())
		if diff := cmp.Diff(want, parsed, equal); diff != "" || !ok {
			t.Errorf("%q, as a value and read again: %s", value, diff)
		}
	})
}

// TestAValueIsFilled: groups go into one value as long as it keeps to the limit with the longest
// numbers that a chunk may have.
func TestAValueIsFilled(t *testing.T) {
	all := groups(4)
	for i := range 9 {
		all = append(all, fmt.Sprintf("sg-%08x", i))
	}
	const at = "946684800"
	for _, c := range []struct {
		more []string
		want int
	}{{nil, 1}, {[]string{"sg-ffffffff"}, 2}} {
		values := chunks(saved{eni0, append(slices.Clone(all), c.more...)}, at)
		if len(values) != c.want {
			t.Errorf("%d values, want %d: %q", len(values), c.want, values)
		}
	}
}
