package action

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A field whose Name has a <placeholder> is a family: every key that has a text of the form Key
// in the placeholder's place, as interface<N>Sg has interface0Sg and interface15Sg.

// parts are what is before and after the placeholder; family is false when there is none.
func (f Field) parts() (before, after string, family bool) {
	before, rest, open := strings.Cut(f.Name, "<")
	_, after, closed := strings.Cut(rest, ">")
	return before, after, open && closed
}

// Family reports whether the field is one key or a family of them.
func (f Field) Family() bool {
	_, _, family := f.parts()
	return family
}

// Of is the key of a family's member; of any other field, its name.
func (f Field) Of(member string) string {
	before, after, family := f.parts()
	if !family {
		return f.Name
	}
	return before + member + after
}

// ExampleName is a key of the field.
func (f Field) ExampleName() string { return f.Of(f.Key.Example) }

// Matches reports whether a key is the field's.
func (f Field) Matches(key string) bool {
	before, after, family := f.parts()
	if !family {
		return key == f.Name
	}
	member, ok := strings.CutPrefix(key, before)
	if !ok {
		return false
	}
	if member, ok = strings.CutSuffix(member, after); !ok {
		return false
	}
	c, err := f.Key.Canonical(member)
	return err == nil && c == member
}

// NamePattern is the field's keys as an anchored ECMA 262 regular expression.
func (f Field) NamePattern() string {
	before, after, family := f.parts()
	if !family {
		return "^" + quotePattern(f.Name) + "$"
	}
	member := strings.TrimSuffix(strings.TrimPrefix(f.Key.Pattern, "^"), "$")
	return "^" + quotePattern(before) + "(" + member + ")" + quotePattern(after) + "$"
}

// quotePattern makes a name a pattern; names are letters, digits and dots.
func quotePattern(name string) string { return strings.ReplaceAll(name, ".", `\.`) }

// keys are the field's keys among those given, in order; its own name when it is no family.
func (f Field) keys(given map[string]string) []string {
	if !f.Family() {
		return []string{f.Name}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(given)), func(key string) bool {
		return !f.Matches(key)
	})
}

// SecurityGroupID is the id of a security group.
var SecurityGroupID = resourceID("security group id", "sg")

// Timestamp is a time in Unix seconds.
var Timestamp = Form{
	Name:    "Unix seconds",
	Pattern: `^[1-9][0-9]{0,10}$`,
	Canonical: func(s string) (string, error) {
		if s == "" || len(s) > 11 || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
			return "", errors.New("want a time in Unix seconds")
		}
		return s, nil
	},
	Example: "1767603600",
}

// ResourceTag is a tag of a resource, as key=value. The value may be empty.
var ResourceTag = Form{
	Name:    "tag, as key=value",
	Pattern: `^[A-Za-z0-9 _.:/+@-]{1,128}=[A-Za-z0-9 _.:/+@=-]{0,256}$`,
	Canonical: func(s string) (string, error) {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.:/+@-"
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" || len(key) > 128 || len(value) > 256 ||
			strings.Trim(key, letters) != "" || strings.Trim(value, letters+"=") != "" {
			return "", errors.New("want a tag as key=value, of letters, digits, blanks and _.:/+@-")
		}
		return s, nil
	},
	Example: "lab=smoke",
}

// Values are the texts that are given for the field, or for each key of its family, in the order of
// the keys.
func (f Field) Values(given map[string]string) []string {
	var values []string
	for _, key := range f.keys(given) {
		if value := given[key]; value != "" {
			values = append(values, value)
		}
	}
	return values
}

// DeviceIndex is the number that an interface of an instance has there.
var DeviceIndex = Form{
	Name:    "device index from 0 to 15",
	Pattern: `^([0-9]|1[0-5])$`,
	Canonical: func(s string) (string, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 15 || strconv.Itoa(n) != s {
			return "", errors.New("want a number from 0 to 15")
		}
		return s, nil
	},
	Example: "0",
}

// SetOf is one or more texts of a form, comma-separated, without spaces. Canonical is sorted,
// each once.
func SetOf(f Form) Form {
	list := ListOf(f)
	set := list
	set.Canonical = func(s string) (string, error) {
		c, err := list.Canonical(s)
		if err != nil {
			return "", err
		}
		items := strings.Split(c, ",")
		slices.Sort(items)
		return strings.Join(slices.Compact(items), ","), nil
	}
	return set
}
