package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// world writes a module with one package and its test, and makes it the working directory.
func world(t *testing.T, code, test string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":     "module example\n\ngo 1.26\n",
		"it.go":      code,
		"it_test.go": test,
		"list.txt":   "# none\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
}

// mutate runs the program and returns its exit code and what it printed.
func mutate(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code := run(t.Context(), append([]string{"-equivalent", "list.txt"}, args...), &out, &complaints)
	return code, out.String() + complaints.String()
}

const code = `package it

type box[T any] struct{ v T }

// Put has a receiver with a type parameter and an argument without a name.
func (b *box[T]) Put(v T, _ bool) { b.v = v }

func pick[T any](first bool, more ...T) T {
	if first {
		return more[0]
	}
	return more[len(more)-1]
}

func Adult(age int) bool { return age >= 18 }

var Limit = 3

func unheld(a, b int) int { return minus(a, b) }

func minus(a, b int) int { return a - b }

func shout(text string) string { return string(append([]byte("!"), text...)) }
`

const test = `package it

import "testing"

func Test(t *testing.T) {
	b := &box[int]{}
	if b.Put(3, true); b.v != 3 { t.Error("not put") }
	if pick(true, 1, 2) != 1 || pick(false, 1, 2) != 2 { t.Error("picked the wrong one") }
	if Adult(17) || !Adult(18) || !Adult(19) { t.Error("wrong age") }
	if Limit != 3 { t.Error("wrong limit") }
	if minus(5, 3) != 2 { t.Error("wrong difference") }
	if shout("a") != "!a" { t.Error("not shouted") }
}
`

// TestSurvivorsAreNamed: what the tests do not reach survives, and only that; the tree stays.
func TestSurvivorsAreNamed(t *testing.T) {
	world(t, code, test)
	exit, out := mutate(t, "-least", "99", ".")
	want := "survived: it.go:19: unheld: `func unheld(a, b int) int { return minus(a, b) }`" +
		" -> `func unheld(a, b int) int { return minus(b, a) }`\n"
	if exit != 1 || !strings.Contains(out, want) || strings.Count(out, "survived: it.go") != 1 {
		t.Errorf("exit %d, want 1 and only one survivor, %s\n%s", exit, want, out)
	}
	if !strings.Contains(out, ", 1 survived: ") {
		t.Errorf("no closing line with the count:\n%s", out)
	}
	if text, err := os.ReadFile("it.go"); err != nil || string(text) != code {
		t.Errorf("the tree was changed: %v\n%s", err, text)
	}
	if found, _ := filepath.Glob("*"); len(found) != 4 {
		t.Errorf("files were left behind: %q", found)
	}
}

// TestEquivalentMutantsAreListed: an entry takes its mutant out of the count; one that fits no
// mutant, or one that is killed, is complained about, where all mutants of its file were tried.
func TestEquivalentMutantsAreListed(t *testing.T) {
	mutants := []mutant{{id: 1, key: "a.go f: `x` -> `y`"}, {id: 2, key: "a.go g: `x` -> `y`"}}
	fates := map[int]fate{1: survived, 2: killed}
	for _, c := range []struct {
		name, list, complaint string
		percent               float64
	}{
		{"none", "# nothing\n", "", 50},
		{"the survivor", mutants[0].key + "\n\tno test\n\tcan tell\n", "", 100},
		{"its function", "a.go f: *\n\tnobody calls it\n", "", 100},
		{"a function without survivors", "a.go g: *\n\tno\n", "", 50},
		{"no mutant", "a.go h: `x` -> `y`\n\tit was so once\n",
			"no such mutant: a.go h: `x` -> `y`", 50},
		{"another file's", "b.go h: `x` -> `y`\n\tnot tried\n", "", 50},
		{"one that is killed", mutants[1].key + "\n\tno\n", "killed: " + mutants[1].key, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "list.txt")
			if err := os.WriteFile(path, []byte(c.list), 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := readEquivalents(path)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]bool{"a.go": true}
			r := report{mutants: mutants, fates: fates, equivalents: list, names: names}
			var out bytes.Buffer
			percent := r.print(&out)
			if percent != c.percent || !strings.Contains(out.String(), c.complaint) ||
				(len(r.complaints) > 0) != (c.complaint != "") {
				t.Errorf("%.0f %%, want %.0f %% and the complaint %q\n%s",
					percent, c.percent, c.complaint, &out)
			}
		})
	}
}

// TestListNeedsReasons: an entry without a reason, a reason without an entry, or the same entry
// twice is refused, and nothing is tried.
func TestListNeedsReasons(t *testing.T) {
	for list, want := range map[string]string{
		"it.go f: *\n":                         "there is no reason for: it.go f: *",
		"\tso it is\n":                         "a reason belongs to no mutant",
		"it.go f: *\n\tso\nit.go f: *\n\tso\n": "is there twice",
	} {
		world(t, code, test)
		if err := os.WriteFile("list.txt", []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		if exit, out := mutate(t, "."); exit != 2 || !strings.Contains(out, want) {
			t.Errorf("exit %d, want 2 and %q\n%s", exit, want, out)
		}
	}
}

// TestFatesAreToldApart: a mutant that does not compile and one that never ends are no survivors.
func TestFatesAreToldApart(t *testing.T) {
	world(t, `package it

func Count(n int) (sum int) {
	for i := 0; i < n; {
		sum++
		i++
	}
	return sum
}

func Name() string {
	return "one"
}
`, `package it

import "testing"

func Test(t *testing.T) {
	if Count(3) != 3 || Name() != "one" { t.Error("wrong") }
}
`)
	exit, out := mutate(t, "-v", ".")
	for _, want := range []string{
		"timed out: it.go:6: Count: drop `i++`",
		"does not build: it.go:12: Name: drop `return \"one\"`",
		"killed: it.go:12: Name: `return \"one\"` -> `return \"one~\"`",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not told\n%s", want, out)
		}
	}
	if exit != 0 {
		t.Errorf("exit %d, want 0", exit)
	}
}

// TestFailingTestsTellNothing: where the tests fail without a mutant, nothing is judged, and what
// they print is told.
func TestFailingTestsTellNothing(t *testing.T) {
	world(t, code, strings.Replace(test, "b.v != 3", "b.v != 4", 1))
	exit, out := mutate(t, ".")
	if exit != 2 || strings.Contains(out, "survived:") || !strings.Contains(out, "not put") {
		t.Errorf("exit %d, want 2, no survivors, and what the test says\n%s", exit, out)
	}
}

// TestOrdinaryUsersMayEnter: a test may start its own binary as another user, and give it a folder.
func TestOrdinaryUsersMayEnter(t *testing.T) {
	world(t, code, strings.Replace(test, `import "testing"`, `import (
	"os"
	"path/filepath"
	"testing"
)

func TestFolders(t *testing.T) {
	for _, dir := range []string{os.TempDir(), filepath.Dir(os.Args[0])} {
		if i, err := os.Stat(dir); err != nil || i.Mode().Perm() != 0o755 {
			t.Error(dir, i.Mode(), err)
		}
	}
}`, 1))
	if exit, out := mutate(t, "-sample", "1", "-least", "0", "."); exit != 0 {
		t.Errorf("exit %d, want 0\n%s", exit, out)
	}
}

// TestSampleIsDeterministic: the same seed takes the same mutants, in order, and another seed
// others.
func TestSampleIsDeterministic(t *testing.T) {
	all := make([]mutant, 100)
	for i := range all {
		all[i].id = i + 1
	}
	taken := func(n int, seed uint64) string {
		var ids []byte
		for _, m := range sample(all, n, seed) {
			ids = append(ids, byte(m.id))
		}
		return string(ids)
	}
	one := taken(10, 1)
	if one != taken(10, 1) || one == taken(10, 2) || len(one) != 10 {
		t.Errorf("seeds do not choose: %v, %v, %v", one, taken(10, 1), taken(10, 2))
	}
	if len(taken(0, 1)) != 100 || len(taken(1000, 1)) != 100 {
		t.Error("no sample is not all of them")
	}
}

// TestOneFileAlone: a file's name limits what is mutated, and which entries are judged.
func TestOneFileAlone(t *testing.T) {
	world(t, code, test)
	other := "package it\n\nfunc other() int { return 1 }\n"
	if err := os.WriteFile("other.go", []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	list := "it.go gone: `a` -> `b`\n\tanother file's\n"
	if err := os.WriteFile("list.txt", []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out := mutate(t, "-v", "other.go")
	if exit != 1 || strings.Contains(out, "it.go") ||
		!strings.Contains(out, "survived: other.go:3: other") {
		t.Errorf("exit %d, want 1 and only other.go\n%s", exit, out)
	}
}
