package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// memory is a Disk that can break at any step, and forget what was not synced.
//
// Names are kept in two states: as the living machine shows them, and as they would be after a
// loss of power. That keeps the bytes of what was written (Write syncs them, and Create does not).
// Of the changes of names it keeps those that Sync confirmed, and any first few of the rest.
type memory struct {
	files map[string]file // as the machine shows them
	kept  map[string]file // as a loss of power leaves them
	late  []change        // changes of names not yet confirmed, in order

	steps int
	// calls counts the steps by name.
	calls map[string]int
	// locked are the locks that are held, each by an owner. A kill frees them.
	locked map[string]*owner
	// before may break the step that is about to be done.
	before func(step int, name string) fault
	clock  func() time.Time
}

type file struct {
	data string
	at   time.Time
	dir  bool
}

// change is a change of names that a loss of power may forget.
type change struct {
	dir   string
	apply func(map[string]file)
	// path, if not empty, is a file whose bytes were not synced: whole is what they are to be.
	path  string
	whole file
}

// fault is what happens to a step.
type fault int

const (
	none     fault = iota
	fails          // it fails and does nothing
	tears          // it fails having done a part of it (Write)
	killed         // the process dies before it
	finished       // the process dies after it
)

// dead is what a step that kills the process panics with.
type dead struct{}

var errBroken = errors.New("no space left on device")

func newMemory() *memory {
	return &memory{
		files: map[string]file{}, kept: map[string]file{},
		calls: map[string]int{}, locked: map[string]*owner{},
		clock: func() time.Time { return time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC) },
	}
}

func (m *memory) clone() *memory {
	c := *m
	c.files, c.kept = maps.Clone(m.files), maps.Clone(m.kept)
	c.late = slices.Clone(m.late)
	c.before, c.steps = nil, 0
	c.calls, c.locked = map[string]int{}, map[string]*owner{}
	return &c
}

// afterPowerLoss is the disk as it comes back when the first n unconfirmed changes of names
// were on it by chance.
func (m *memory) afterPowerLoss(n int) *memory {
	c := m.clone()
	for _, l := range c.late[:n] {
		l.apply(c.kept)
	}
	maps.DeleteFunc(c.kept, func(path string, _ file) bool {
		for up := filepath.Dir(path); up != "/"; up = filepath.Dir(up) {
			if !c.kept[up].dir {
				return true
			}
		}
		return false
	})
	c.files, c.late = maps.Clone(c.kept), nil
	return c
}

// step runs one step and breaks it where it is to be broken.
func (m *memory) step(name string, do func(torn bool)) error {
	m.steps++
	m.calls[name]++
	what := none
	if m.before != nil {
		what = m.before(m.steps, name)
	}
	switch what {
	case fails:
		return errBroken
	case tears:
		do(true)
		return errBroken
	case killed:
		panic(dead{})
	}
	do(false)
	if what == finished {
		panic(dead{})
	}
	return nil
}

// name records a change of names as done and not yet confirmed.
func (m *memory) name(dir string, apply func(map[string]file)) {
	apply(m.files)
	m.late = append(m.late, change{dir: dir, apply: apply})
}

var _ Disk = (*memory)(nil)

func (m *memory) MkdirAll(dir string) error {
	for up := dir; up != "/"; up = filepath.Dir(up) {
		if f, there := m.files[up]; there && !f.dir {
			return &fs.PathError{Op: "mkdir", Path: up, Err: syscall.ENOTDIR}
		}
	}
	return m.step("MkdirAll", func(bool) { m.mkdirAll(dir) })
}

func (m *memory) Mkdir(dir string) error {
	var err error
	stepErr := m.step("Mkdir", func(bool) {
		switch _, there := m.files[dir]; {
		case there:
			err = &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
		case !m.files[filepath.Dir(dir)].dir:
			err = m.missing("mkdir", dir)
		default:
			m.mkdirAll(dir)
		}
	})
	return errors.Join(stepErr, err)
}

// missing is the error of a name in a directory that is not there, or is a file.
func (m *memory) missing(op, path string) error {
	err := error(fs.ErrNotExist)
	if f, there := m.files[filepath.Dir(path)]; there && !f.dir {
		err = syscall.ENOTDIR
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func (m *memory) mkdirAll(dir string) {
	if dir == "/" || m.files[dir].dir {
		return
	}
	m.mkdirAll(filepath.Dir(dir))
	m.name(filepath.Dir(dir), func(files map[string]file) { files[dir] = file{dir: true} })
}

func (m *memory) ReadDir(dir string) (names []string, err error) {
	return m.list("ReadDir", dir)
}

func (m *memory) list(step, dir string) (names []string, err error) {
	if err := m.step(step, func(bool) {}); err != nil {
		return nil, err
	}
	if !m.files[dir].dir {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	for path := range m.files {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) ReadFile(path string) ([]byte, error) {
	if err := m.step("ReadFile", func(bool) {}); err != nil {
		return nil, err
	}
	f, ok := m.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(f.data), nil
}

func (m *memory) Write(path string, data []byte) error {
	if !m.files[filepath.Dir(path)].dir {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return m.step("Write", func(torn bool) {
		f := file{data: string(data), at: m.clock()}
		if torn {
			f.data = f.data[:len(f.data)/2]
		}
		m.name(filepath.Dir(path), func(files map[string]file) { files[path] = f })
	})
}

// Create makes a file whose bytes a loss of power tears.
func (m *memory) Create(path string, data []byte) error {
	missing, isDir := false, false
	err := m.step("Create", func(torn bool) {
		missing, isDir = !m.files[filepath.Dir(path)].dir, m.files[path].dir
		if missing || isDir {
			return
		}
		half := file{data: string(data[:len(data)/2]), at: m.clock()}
		whole := file{data: string(data), at: m.clock()}
		if torn {
			whole = half
		}
		m.files[path] = whole
		m.late = append(m.late, change{
			dir: filepath.Dir(path), path: path, whole: whole,
			apply: func(files map[string]file) { files[path] = half },
		})
	})
	switch {
	case err == nil && missing:
		err = m.missing("create", path)
	case err == nil && isDir:
		err = &fs.PathError{Op: "create", Path: path, Err: syscall.EISDIR}
	}
	return err
}

// within reports whether a path is another one or lies below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func (m *memory) Rename(from, to string) error {
	if _, ok := m.files[from]; !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if m.files[from].dir && m.filled(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.ENOTEMPTY}
	}
	if !m.files[from].dir && m.files[to].dir {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EISDIR}
	}
	return m.step("Rename", func(torn bool) {
		if torn {
			return
		}
		dir := m.files[from].dir
		for path, by := range maps.Clone(m.locked) {
			// Who has locked a file has it wherever it goes.
			if within(path, from) {
				delete(m.locked, path)
				m.locked[to+strings.TrimPrefix(path, from)] = by
			}
		}
		m.name(filepath.Dir(to), func(files map[string]file) {
			if !dir {
				if f, ok := files[from]; ok {
					files[to] = f
					delete(files, from)
				}
				return
			}
			for path, f := range maps.Clone(files) {
				if within(path, from) {
					delete(files, path)
					files[to+strings.TrimPrefix(path, from)] = f
				}
			}
		})
	})
}

func (m *memory) Remove(path string) error {
	if _, ok := m.files[path]; !ok {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if m.files[path].dir && m.filled(path) {
		return &fs.PathError{Op: "remove", Path: path, Err: syscall.ENOTEMPTY}
	}
	return m.step("Remove", func(torn bool) {
		if !torn {
			m.name(filepath.Dir(path), func(files map[string]file) { delete(files, path) })
		}
	})
}

// filled reports whether a directory holds anything.
func (m *memory) filled(dir string) bool {
	for path := range m.files {
		if path != dir && within(path, dir) {
			return true
		}
	}
	return false
}

// some is how many names ReadSome lists.
const some = 3

func (m *memory) ReadSome(dir string, from int64) (names []string, next int64, err error) {
	all, err := m.list("ReadSome", dir)
	first := min(int(from), len(all))
	last := min(first+some, len(all))
	if last > first {
		next = int64(last)
	}
	return all[first:last], next, err
}

// SyncTree confirms what is below a directory, and the bytes of its files.
func (m *memory) SyncTree(dir string) error {
	return m.step("SyncTree", func(torn bool) {
		if torn {
			return
		}
		m.late = slices.DeleteFunc(m.late, func(l change) bool {
			if within(l.dir, dir) {
				l.apply(m.kept)
			}
			return within(l.dir, dir)
		})
		for path, f := range m.files {
			if path != dir && within(path, dir) {
				m.kept[path] = f
			}
		}
	})
}

func (m *memory) TryLock(path string, place int64) (unlock func(), err error) {
	if _, there := m.files[path]; !there {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	err = m.step("TryLock", func(bool) {})
	key := fmt.Sprint(path, " ", place)
	if err != nil {
		return nil, err
	}
	return m.lock(key)
}

// owner is who holds a lock.
type owner struct{ _ byte }

// lock takes a lock. It is given back wherever its file was moved.
func (m *memory) lock(key string) (unlock func(), err error) {
	if m.locked[key] != nil {
		return nil, ErrHeld
	}
	me := &owner{}
	m.locked[key] = me
	return func() {
		maps.DeleteFunc(m.locked, func(_ string, by *owner) bool { return by == me })
	}, nil
}

func (m *memory) TryOldLock(path string) (unlock func(), err error) {
	if !m.files[filepath.Dir(path)].dir {
		return nil, m.missing("open", path)
	}
	err = m.step("TryOldLock", func(bool) {})
	if err != nil {
		return nil, err
	}
	free, err := m.lock(path)
	if err != nil {
		return nil, err
	}
	m.files[path] = file{at: m.clock()}
	return func() {
		free()
		delete(m.files, path)
	}, nil
}

func (m *memory) ModTime(path string) (time.Time, error) {
	if err := m.step("ModTime", func(bool) {}); err != nil {
		return time.Time{}, err
	}
	f, ok := m.files[path]
	if !ok {
		return time.Time{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return f.at, nil
}

// SetModTime sets the time of a file. A loss of power may keep that, though the bytes are not
// synced that the file has then.
func (m *memory) SetModTime(path string, at time.Time) error {
	return m.step("SetModTime", func(torn bool) {
		f, there := m.files[path]
		if torn || !there {
			return
		}
		f.at = at
		m.files[path] = f
		if kept, named := m.kept[path]; named {
			kept.at = at
			m.kept[path] = kept
		}
	})
}

// Sync confirms the names in directories, and the bytes of files. Half done it confirms the first.
func (m *memory) Sync(paths ...string) error {
	return m.step("Sync", func(torn bool) {
		if torn {
			paths = paths[:len(paths)/2]
		}
		for _, path := range paths {
			if path == "/" || m.files[path].dir {
				m.syncNames(path)
			} else {
				m.syncBytes(path)
			}
		}
	})
}

func (m *memory) syncNames(dir string) {
	m.late = slices.DeleteFunc(m.late, func(l change) bool {
		if l.dir == dir {
			l.apply(m.kept)
		}
		return l.dir == dir
	})
}

func (m *memory) syncBytes(path string) {
	for i, l := range m.late {
		if l.path != path {
			continue
		}
		whole := l.whole
		m.late[i].apply = func(files map[string]file) { files[path] = whole }
		if _, named := m.kept[path]; named {
			m.kept[path] = whole
		}
	}
}

// recordFiles are the names and bytes of the records, without those on their way.
func (m *memory) recordFiles() map[string]string { return m.below("/s/keys/") }

// indexFiles are the index entries, as directory and name.
func (m *memory) indexFiles() map[string]string { return m.below("/s/attributes/") }

// below are the files below a directory, without those on their way.
func (m *memory) below(dir string) map[string]string {
	all := map[string]string{}
	for path, f := range m.files {
		name, is := strings.CutPrefix(path, dir)
		if is && !f.dir && !isTemporary(filepath.Base(path)) {
			all[name] = f.data
		}
	}
	return all
}
