package metrics

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Variable names the directory of the textfile collector, for every program.
const Variable = "EXECUTOR_METRICS_DIR"

// patience is how long Finish takes at most.
const patience = 500 * time.Millisecond

// patienceOf is how long Finish may take where a caller gives up at a time: it would kill a process
// that goes on, and lose an answer that is written.
func patienceOf(env map[string]string) time.Duration {
	limit := patience
	if d, err := time.ParseDuration(env["EXECUTOR_TIMEOUT"]); err == nil {
		limit = min(limit, d/20)
	}
	if end, err := time.Parse(time.RFC3339, env["EXECUTOR_DEADLINE"]); err == nil {
		limit = min(limit, time.Until(end)/2)
	}
	return max(limit, 0)
}

// Finish adds what was counted to the program's file in the directory that the environment names,
// if it names one. A program calls it once, when its answer is written. What goes wrong is one
// line of the log. It ends well before the time at which a caller gives up, by EXECUTOR_TIMEOUT and
// EXECUTOR_DEADLINE.
func (s *Set) Finish(env map[string]string, log *slog.Logger) {
	dir := env[Variable]
	if s == nil || dir == "" {
		return
	}
	s.finish(textfile{dir: dir, program: s.program, disk: osDisk{}}, patienceOf(env), log)
}

func (s *Set) finish(t textfile, limit time.Duration, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	// A disk may hang. What then is under way ends with the process, which may be killed at any
	// instant.
	go func() { done <- t.add(ctx, s.taken()) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = fmt.Errorf("it took longer than %s", limit)
	}
	if err != nil {
		log.Warn("cannot keep the metrics", "directory", t.dir, "error", err)
	}
}

// textfile is a program's file in the directory of a textfile collector.
//
// Only who has the lock writes it. Nobody waits for the lock: who does not get it leaves its part
// in a file of its own, and tries once more. If it fails again, somebody has the lock, who looks
// for parts after giving it back. So no part is left behind, unless that process is killed or
// fails; the next run then finds it.
//
// The file names the parts that it has in it until they are removed: a kill between its renaming
// and their removal counts none of them twice.
type textfile struct {
	dir, program string
	disk         disk
}

func (t textfile) path(form string) string {
	return filepath.Join(t.dir, fmt.Sprintf(form, t.program))
}

// The names of files. The collector reads what ends in .prom, and is not shown the others.
const (
	shownForm  = "%s.prom"
	newForm    = ".%s.prom.new"
	lockForm   = ".%s.lock"
	asideForm  = "%s.prom.unreadable"
	partSuffix = ".part"
	// unfinished ends the name of a part that is not written yet.
	unfinished = ".new"
)

// abandoned is the age from which an unfinished part is taken for one whose writer was killed.
const abandoned = time.Hour

// add adds what was counted. Its error tells what was lost.
func (t textfile) add(ctx context.Context, counted samples) error {
	if !filepath.IsAbs(t.dir) {
		return fmt.Errorf("%s is no absolute path", Variable)
	}
	more, err := t.turn(counted)
	if errors.Is(err, errHeld) {
		if err := t.leave(counted); err != nil {
			return err
		}
		more, err = true, nil
	}
	// Others leave parts while this process has the lock, and rely on it to look again.
	for more && err == nil && ctx.Err() == nil {
		more, err = t.turn(nil)
	}
	if errors.Is(err, errHeld) {
		return nil
	}
	return err
}

// turn takes the lock, merges, gives the lock back, and reports whether there are parts then. It
// fails with errHeld, and has done nothing, if another process has the lock.
func (t textfile) turn(counted samples) (more bool, err error) {
	unlock, err := t.disk.lock(t.path(lockForm))
	if err != nil {
		return false, err
	}
	err = t.merge(counted)
	unlock()
	if err != nil {
		return false, err
	}
	parts, err := t.disk.list(t.dir, t.partPattern())
	return len(parts) > 0, err
}

// merge writes the file anew, with what was counted and with all parts. Its error tells also what
// was left out of a file that was written.
func (t textfile) merge(counted samples) error {
	total, before, warning, err := t.shown()
	if err != nil {
		return err
	}
	warning = errors.Join(warning, total.merge(counted))
	parts, err := t.disk.list(t.dir, t.partPattern())
	if err != nil {
		return errors.Join(warning, err)
	}
	var merged []string
	for _, part := range parts {
		merged = append(merged, part.name)
		if slices.Contains(before, part.name) {
			continue
		}
		text, err := t.disk.read(filepath.Join(t.dir, part.name))
		var more samples
		if err == nil {
			more, _, err = parse(text)
		}
		if err != nil {
			warning = errors.Join(warning, fmt.Errorf("the part %s is left out: %w", part.name, err))
			continue
		}
		warning = errors.Join(warning, total.merge(more))
	}
	if err := t.show(encode(total, merged)); err != nil {
		return errors.Join(warning, err)
	}
	for _, name := range merged {
		warning = errors.Join(warning, t.disk.remove(filepath.Join(t.dir, name)))
	}
	return errors.Join(warning, t.sweep())
}

// shown reads the file, and the parts that it has in it. A file that can't be read is put aside,
// and counting begins anew, as after a restart of a machine.
func (t textfile) shown() (total samples, merged []string, warning, err error) {
	text, err := t.disk.read(t.path(shownForm))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return samples{}, nil, nil, nil
	case err != nil:
		return nil, nil, nil, err
	}
	total, merged, err = parse(text)
	if err == nil {
		return total, merged, nil, nil
	}
	aside := t.path(asideForm)
	warning = fmt.Errorf("%s is no file of metrics of this program (%w); it is now %s, and "+
		"counting begins anew", t.path(shownForm), err, aside)
	return samples{}, nil, warning, t.disk.rename(t.path(shownForm), aside)
}

// show puts a text in the file's place.
func (t textfile) show(text string) error {
	path := t.path(newForm)
	// A killed process may have left one.
	if err := t.disk.remove(path); err != nil {
		return err
	}
	if err := t.disk.write(path, text); err != nil {
		return err
	}
	if err := t.disk.rename(path, t.path(shownForm)); err != nil {
		return errors.Join(err, t.disk.remove(path))
	}
	return nil
}

// sweep removes parts that a killed process did not finish.
func (t textfile) sweep() error {
	files, err := t.disk.list(t.dir, t.partPattern()+unfinished)
	for _, f := range files {
		if time.Since(f.changed) > abandoned {
			err = errors.Join(err, t.disk.remove(filepath.Join(t.dir, f.name)))
		}
	}
	return err
}

// leave leaves a part for who has the lock.
func (t textfile) leave(counted samples) error {
	id := strings.ToLower(rand.Text())
	path := filepath.Join(t.dir, "."+t.program+"-"+id+partSuffix)
	if err := t.disk.write(path+unfinished, encode(counted, nil)); err != nil {
		return err
	}
	if err := t.disk.rename(path+unfinished, path); err != nil {
		return errors.Join(err, t.disk.remove(path+unfinished))
	}
	return nil
}

func (t textfile) partPattern() string { return "." + t.program + "-*" + partSuffix }
