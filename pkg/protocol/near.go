package protocol

import "strings"

// Plain is a name without what people spell in different ways: its ASCII letters, lower-case, and
// its digits.
func Plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

const (
	// maxName is more letters than any name has that Nearly knows.
	maxName = 48
	// longName is from how many letters on two edits are near.
	longName = 10
)

// Nearly reports whether a key is so nearly a name that whoever sent it meant that: the same but
// for case, separators or a plural, or one edit away. In names of ten letters and more two edits
// are near. The name itself is nearly itself.
func Nearly(key, name string) bool {
	// A key of many bytes is not looked at letter by letter.
	if len(key) > 2*maxName {
		return false
	}
	k, n := Plain(key), Plain(name)
	edits := 1
	if len(n) >= longName {
		edits = 2
	}
	return k == n+"es" || n == k+"es" || singular(k) == singular(n) || within(k, n, edits)
}

// Meant asks whether one of the known names was meant by a name that is none of them, as in
// " (did you mean nicRef?)". One that is spelt the same but for case and separators is named alone.
// It is empty where the name is nearly none of them.
func Meant(name string, known ...string) string {
	var near []string
	for _, k := range known {
		switch {
		case Plain(name) == Plain(k):
			return " (did you mean " + k + "?)"
		case Nearly(name, k):
			near = append(near, k)
		}
	}
	if len(near) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(near, " or ") + "?)"
}

// Refers reports whether a key and a name differ only in how they say that they refer to
// something: by Ref, by Id or not at all.
func Refers(key, name string) bool { return stem(Plain(key)) == stem(Plain(name)) }

func singular(plain string) string { return strings.TrimSuffix(plain, "s") }

// stem is a plain name in the singular, without an ending that says that it is a reference.
func stem(plain string) string {
	const shortest = 3
	plain = singular(plain)
	for _, ending := range []string{"ref", "id"} {
		if s, ok := strings.CutSuffix(plain, ending); ok && len(s) >= shortest {
			return singular(s)
		}
	}
	return plain
}

// within reports whether a text becomes another by at most so many edits: a letter put in, left
// out or replaced, or two neighbours exchanged.
func within(a, b string, edits int) bool {
	if len(a) > maxName || len(b) > maxName || len(a)-len(b) > edits || len(b)-len(a) > edits {
		return false
	}
	// The last three rows of the table of distances between beginnings of a and b.
	var before, last, row [maxName + 1]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > edits {
			return false
		}
		before, last = last, row
	}
	return last[len(b)] <= edits
}
