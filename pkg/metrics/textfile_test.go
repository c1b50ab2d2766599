package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// oneRun is what a process counts that answers one request.
func oneRun() *Set {
	s := New("tester", "v1")
	s.Operation(Operation{"assign-secondary-ip", "execute", "succeeded", "", 30 * time.Millisecond})
	s.Call(Call{Service: "EC2", Operation: "DescribeInstances", Code: "OK", Took: time.Millisecond})
	return s
}

func textfileIn(dir string) textfile {
	return textfile{dir: dir, program: "tester", disk: osDisk{}}
}

func add(t *testing.T, f textfile) {
	t.Helper()
	if err := f.add(t.Context(), oneRun().taken()); err != nil {
		t.Fatal(err)
	}
}

// counts reads how many operations and calls the shown file tells.
func counts(t *testing.T, dir string) (ops, called float64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "tester.prom"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := parse(string(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return total(all, &operations), total(all, &calls)
}

// names lists all files of a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func total(all samples, f *Family) (n float64) {
	for _, v := range all[f] {
		n += v.count
	}
	return n
}

const filesAfter = ".tester.lock tester.prom"

// TestRunsAddUp: counts add up over runs, and nothing else is left in the directory.
func TestRunsAddUp(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		add(t, textfileIn(dir))
	}
	if ops, called := counts(t, dir); ops != 3 || called != 3 {
		t.Errorf("%v operations, %v calls", ops, called)
	}
	if got := names(t, dir); got != filesAfter {
		t.Errorf("there are %s", got)
	}
	info, err := os.Stat(filepath.Join(dir, "tester.prom"))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("the collector can't read it: %v, %v", info.Mode(), err)
	}
}

// TestProcessesAtOnceAddUp: whoever ends at the same time, nothing is lost and nobody waits.
func TestProcessesAtOnceAddUp(t *testing.T) {
	const processes, runs = 20, 10
	dir := t.TempDir()
	var all sync.WaitGroup
	for range processes {
		all.Go(func() {
			for range runs {
				if err := textfileIn(dir).add(t.Context(), oneRun().taken()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if ops, called := counts(t, dir); ops != processes*runs || called != processes*runs {
		t.Errorf("%v operations, %v calls, want %d", ops, called, processes*runs)
	}
	if got := names(t, dir); got != filesAfter {
		t.Errorf("there are %s", got)
	}
}

// TestWhoFindsTheLockTakenLeavesAPart: it does not wait, and the part counts with the next run.
func TestWhoFindsTheLockTakenLeavesAPart(t *testing.T) {
	dir := t.TempDir()
	add(t, textfileIn(dir))
	unlock, err := osDisk{}.lock(filepath.Join(dir, ".tester.lock"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, textfileIn(dir))
	add(t, textfileIn(dir))
	if ops, _ := counts(t, dir); ops != 1 {
		t.Errorf("%v operations while another had the lock", ops)
	}
	unlock()
	add(t, textfileIn(dir))
	if ops, _ := counts(t, dir); ops != 4 || names(t, dir) != filesAfter {
		t.Errorf("%v operations, there are %s", ops, names(t, dir))
	}
}

// stepDisk counts the steps of a disk. At the step that it is told, it fails or ends the process.
type stepDisk struct {
	osDisk
	steps, at int
	// kills reports whether the process ends instead, before the step or after it.
	kills, after bool
	// held is the lock that a process has, which the kernel gives back where it ends.
	held func()
}

type killed struct{}

var errFull = errors.New("no space left on device")

func (d *stepDisk) step(do func() error) error {
	d.steps++
	if d.steps != d.at {
		return do()
	}
	if !d.kills {
		return errFull
	}
	if d.after {
		_ = do()
	}
	panic(killed{})
}

func (d *stepDisk) lock(path string) (unlock func(), err error) {
	err = d.step(func() error {
		unlock, err = d.osDisk.lock(path)
		d.held = unlock
		return err
	})
	return unlock, err
}

func (d *stepDisk) read(path string) (text string, err error) {
	err = d.step(func() error {
		text, err = d.osDisk.read(path)
		return err
	})
	return text, err
}

func (d *stepDisk) write(path, text string) error {
	return d.step(func() error {
		if d.kills && d.steps == d.at {
			// It is killed in the middle of writing.
			text = text[:len(text)/2]
		}
		return d.osDisk.write(path, text)
	})
}

func (d *stepDisk) rename(from, to string) error {
	return d.step(func() error { return d.osDisk.rename(from, to) })
}

func (d *stepDisk) remove(path string) error {
	return d.step(func() error { return d.osDisk.remove(path) })
}

func (d *stepDisk) list(dir, pattern string) (files []file, err error) {
	err = d.step(func() error {
		files, err = d.osDisk.list(dir, pattern)
		return err
	})
	return files, err
}

// run adds once, and reports whether the process was killed on the way.
func (d *stepDisk) run(t *testing.T, dir string) (err error, ended bool) {
	defer func() {
		if v := recover(); v != nil {
			if v != (killed{}) {
				panic(v)
			}
			ended = true
			if d.held != nil {
				d.held()
			}
		}
	}()
	f := textfileIn(dir)
	f.disk = d
	return f.add(t.Context(), oneRun().taken()), false
}

// scene is a directory in which one run was shown and another left a part, so that a third meets
// every step.
func scene(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	add(t, textfileIn(dir))
	if err := textfileIn(dir).leave(oneRun().taken()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKilledAtEveryStep: what is shown can be read, the runs before count once each, and the
// killed one once or not at all.
func TestKilledAtEveryStep(t *testing.T) {
	kills := 0
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			dir := scene(t)
			d := &stepDisk{at: at, kills: true, after: after}
			_, ended := d.run(t, dir)
			if !ended {
				if d.steps >= at {
					t.Fatalf("step %d ended nothing", at)
				}
				break
			}
			kills++
			shown, _ := counts(t, dir)
			add(t, textfileIn(dir))
			got, called := counts(t, dir)
			if got < 3 || got > 4 || called != got || shown == 3 && got != 4 {
				t.Errorf("killed at step %d: %v operations, then %v and %v calls", at, shown, got, called)
			}
			if names(t, dir) != filesAfter {
				t.Errorf("killed at step %d: there are %s", at, names(t, dir))
			}
		}
	}
	if kills < 18 {
		t.Errorf("only %d kills", kills)
	}
}

// TestFailsAtEveryStep: whatever step a full or broken disk fails, the runs before count once
// each, and so do the later ones.
func TestFailsAtEveryStep(t *testing.T) {
	for at := 1; ; at++ {
		dir := scene(t)
		d := &stepDisk{at: at}
		err, _ := d.run(t, dir)
		if d.steps < at {
			if err != nil || at < 9 {
				t.Errorf("after %d steps: %v", d.steps, err)
			}
			return
		}
		if !errors.Is(err, errFull) {
			t.Errorf("step %d: %v", at, err)
		}
		add(t, textfileIn(dir))
		if got, called := counts(t, dir); got < 3 || got > 4 || called != got {
			t.Errorf("step %d: %v operations and %v calls", at, got, called)
		}
		if names(t, dir) != filesAfter {
			t.Errorf("step %d: there are %s", at, names(t, dir))
		}
	}
}

// TestAFileOfSomethingElse is put aside, and told of; counting begins anew.
func TestAFileOfSomethingElse(t *testing.T) {
	good := encode(oneRun().taken(), nil)
	for name, text := range map[string]string{
		"empty":             "",
		"no metrics":        "hello\n",
		"binary":            "\x00\xff\xfe{}\n" + endComment,
		"cut":               good[:len(good)/2],
		"cut at a line end": good[:strings.LastIndex(good[:len(good)-8], "\n")+1],
		"no number":         strings.Replace(good, "} 1\n", "} one\n", 1),
		"not a number":      strings.Replace(good, "} 1\n", "} NaN\n", 1),
		"below zero":        strings.Replace(good, "} 1\n", "} -1\n", 1),
		"buckets that fall": strings.Replace(good, `le="25"} 1`, `le="25"} 0`, 1),
		"an open value":     strings.Replace(good, `"assign`, `assign`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "tester.prom")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := textfileIn(dir).add(t.Context(), oneRun().taken())
			if err == nil || !strings.Contains(err.Error(), "counting begins anew") {
				t.Errorf("%v", err)
			}
			if ops, _ := counts(t, dir); ops != 1 {
				t.Errorf("%v operations", ops)
			}
			aside, err := os.ReadFile(path + ".unreadable")
			if err != nil || string(aside) != text {
				t.Errorf("aside is %q, %v", aside, err)
			}
			add(t, textfileIn(dir))
			if ops, _ := counts(t, dir); ops != 2 {
				t.Errorf("%v operations later", ops)
			}
		})
	}
}

// TestAPartThatCannotBeRead is left out and removed: it would be met for ever.
func TestAPartThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, ".tester-torn.part")
	if err := os.WriteFile(part, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := textfileIn(dir).add(t.Context(), oneRun().taken())
	if err == nil || !strings.Contains(err.Error(), "the part .tester-torn.part is left out") {
		t.Error(err)
	}
	if ops, _ := counts(t, dir); ops != 1 || names(t, dir) != filesAfter {
		t.Errorf("%v operations, there are %s", ops, names(t, dir))
	}
}

// TestUnfinishedParts of killed processes go once they are old, and those of others stay.
func TestUnfinishedParts(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".tester-old.part.new": 2 * time.Hour, ".tester-young.part.new": time.Minute,
		".other-old.part.new": 2 * time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	add(t, textfileIn(dir))
	const want = ".other-old.part.new .tester-young.part.new " + filesAfter
	if got := names(t, dir); got != want {
		t.Errorf("there are %s", got)
	}
}

// TestWhatIsNoFile: a pipe, a link or a directory in the file's or the lock's place is not waited
// for, not followed and not removed.
func TestWhatIsNoFile(t *testing.T) {
	for _, name := range []string{"tester.prom", ".tester.lock"} {
		for kind, put := range map[string]func(path string) error{
			"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"link":      func(path string) error { return os.Symlink("/dev/null", path) },
			"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, name)
				if err := put(path); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(path)
				if err != nil {
					t.Fatal(err)
				}
				err = textfileIn(dir).add(t.Context(), oneRun().taken())
				says := map[string]string{"pipe": "is no regular file", "directory": "director",
					"link": "symbolic links"}[kind]
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%v, want %s", err, says)
				}
				after, err := os.Lstat(path)
				if err != nil || after.Mode() != before.Mode() {
					t.Errorf("now there is %v, %v", after, err)
				}
			})
		}
	}
}

// TestACollectorNeverSeesHalf: while others write, every reading is whole.
func TestACollectorNeverSeesHalf(t *testing.T) {
	dir := t.TempDir()
	add(t, textfileIn(dir))
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 50 {
			add(t, textfileIn(dir))
		}
	})
	last := 0.0
	for last < 51 {
		ops, _ := counts(t, dir)
		if ops < last {
			t.Fatalf("%v operations after %v", ops, last)
		}
		last = ops
	}
	writer.Wait()
}

// TestAnotherVersion: what this version does not know, or knows in another form, begins anew; the
// rest adds up.
func TestAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	text := strings.NewReplacer(
		"provideraction_build_info", "provideraction_gone",
		`operation="DescribeInstances",code="OK",le="0.005"`,
		`operation="DescribeInstances",code="OK",le="0.004"`,
		`program="tester",verb="assign-secondary-ip",status="succeeded"`, `program="tester"`,
	).Replace(encode(oneRun().taken(), nil))
	if err := os.WriteFile(filepath.Join(dir, "tester.prom"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, textfileIn(dir))
	shown, err := os.ReadFile(filepath.Join(dir, "tester.prom"))
	if err != nil {
		t.Fatal(err)
	}
	if ops, called := counts(t, dir); ops != 2 || called != 1 {
		t.Errorf("%v operations, %v calls in\n%s", ops, called, shown)
	}
	if n := strings.Count(string(shown), "\n"+lastOperation.Name); n != 1 ||
		strings.Contains(string(shown), "provideraction_gone") {
		t.Errorf("%d times in\n%s", n, shown)
	}
}

// TestTheClockGoesBack: counts add up by no clock, and the last operation is when it was last.
func TestTheClockGoesBack(t *testing.T) {
	dir := t.TempDir()
	for _, unix := range []int64{2_000_000_000, 1_000_000_000} {
		s := New("tester", "v1")
		s.now = func() time.Time { return time.Unix(unix, 0) }
		s.Operation(Operation{"v", "execute", "succeeded", "", -time.Second})
		if err := textfileIn(dir).add(t.Context(), s.taken()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "tester.prom"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`_timestamp_seconds{program="tester",verb="v",status="succeeded"} 1e+09`,
		`failure_class="none",le="0.01"} 2`, `_sum{program="tester",verb="v",mode="execute",` +
			`status="succeeded",failure_class="none"} 0`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

// TestFinish: what goes wrong is one line of the log, and nothing else.
func TestFinish(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"none", "", ""},
		{"good", dir, ""},
		{"relative", "metrics", "EXECUTOR_METRICS_DIR is no absolute path"},
		{"missing", filepath.Join(dir, "none"), "no such file or directory"},
		{"a file", file, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			oneRun().Finish(map[string]string{Variable: c.dir}, slog.New(slog.NewTextHandler(&said, nil)))
			want := 0
			if c.want != "" {
				want = 1
			}
			if n := strings.Count(said.String(), "\n"); n != want ||
				!strings.Contains(said.String(), c.want) ||
				n > 0 && !strings.Contains(said.String(), " directory="+c.dir+" error=") {
				t.Errorf("it said %q", &said)
			}
		})
	}
	if ops, _ := counts(t, dir); ops != 1 {
		t.Errorf("%v operations", ops)
	}
}

// hungDisk is one whose directory does not answer.
type hungDisk struct {
	osDisk
	ever chan struct{}
}

func (d hungDisk) lock(string) (func(), error) {
	<-d.ever
	return nil, errors.New("too late")
}

// TestADiskThatHangs is waited for half a second, and less where a caller would kill the process
// before: that would lose an answer which is written.
func TestADiskThatHangs(t *testing.T) {
	for _, c := range []struct {
		name, timeout string
		// deadline is how long the caller still waits; 0 is for ever.
		deadline, want time.Duration
	}{
		{"no limit", "", 0, 500 * time.Millisecond},
		{"a time-out", "25s", 0, 500 * time.Millisecond},
		{"a short time-out", "400ms", 0, 20 * time.Millisecond},
		{"a time-out that is none", "soon", 0, 500 * time.Millisecond},
		{"a far deadline", "25s", 9 * time.Second, 500 * time.Millisecond},
		{"a near deadline", "25s", 80 * time.Millisecond, 40 * time.Millisecond},
		{"a deadline that is over", "", -time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				env := map[string]string{"EXECUTOR_TIMEOUT": c.timeout}
				if c.deadline != 0 {
					env["EXECUTOR_DEADLINE"] = time.Now().Add(c.deadline).Format(time.RFC3339Nano)
				}
				var said strings.Builder
				begin, ever := time.Now(), make(chan struct{})
				f := textfile{dir: "/hung", program: "tester", disk: hungDisk{ever: ever}}
				oneRun().finish(f, patienceOf(env), slog.New(slog.NewTextHandler(&said, nil)))
				if took := time.Since(begin); took != c.want ||
					!strings.Contains(said.String(), "it took longer than "+c.want.String()) {
					t.Errorf("%s, %s", took, &said)
				}
				close(ever)
			})
		})
	}
}

// busyDisk is a directory in which others leave parts all the time.
type busyDisk struct {
	osDisk
	t *testing.T
}

func (d busyDisk) list(dir, pattern string) ([]file, error) {
	if err := textfileIn(dir).leave(oneRun().taken()); err != nil {
		d.t.Error(err)
	}
	return d.osDisk.list(dir, pattern)
}

// TestOthersThatKeepComing do not keep a process for ever.
func TestOthersThatKeepComing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f := textfile{dir: dir, program: "tester", disk: busyDisk{t: t}}
	if err := f.add(ctx, oneRun().taken()); err != nil {
		t.Error(err)
	}
	if ops, _ := counts(t, dir); ops < 2 {
		t.Errorf("%v operations", ops)
	}
}

// TestManySeries: there is an end to their number, which is said; what is there already goes on.
func TestManySeries(t *testing.T) {
	dir := t.TempDir()
	s := oneRun()
	for i := range 2 * maxSeries {
		s.Call(Call{Service: "EC2", Operation: fmt.Sprint(i), Code: "OK"})
	}
	if err := textfileIn(dir).add(t.Context(), s.taken()); err != nil {
		t.Fatal(err)
	}
	s = oneRun()
	s.Call(Call{Service: "EC2", Operation: "new", Code: "OK"})
	if err := textfileIn(dir).add(t.Context(), s.taken()); !errors.Is(err, errTooMany) {
		t.Error(err)
	}
	if ops, called := counts(t, dir); ops != 2 || called != maxSeries+1 {
		t.Errorf("%v operations, %v calls", ops, called)
	}
}
