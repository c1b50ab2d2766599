package licenses

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// Source is where the licences of a pool are.
type Source interface {
	// List names all licences that are there, and what else is there and looks like one.
	List(context.Context) ([]string, error)
	// Read returns the text of a licence.
	Read(ctx context.Context, id string) ([]byte, error)
}

// Objects is a bucket of S3, or a folder that is read as one.
type Objects interface {
	// Names lists the names of all objects right below a prefix, which ends with a slash.
	Names(ctx context.Context, prefix string) ([]string, error)
	// Object returns an object that has at most so many bytes.
	Object(ctx context.Context, key string, most int64) ([]byte, error)
}

// maxText is how long a licence may be, and a list of tokens.
const maxText = 1 << 20

// fileSuffix ends the names of licence files.
const fileSuffix = ".lic"

// The names that licences may have.
const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@-"

// IsID reports whether a text is the id of a licence.
func IsID(s string) bool {
	if digest, ok := strings.CutPrefix(s, licensemodel.TokenPrefix); ok && len(digest) == 32 &&
		strings.Trim(digest, "0123456789abcdef") == "" {
		return true
	}
	name, ok := strings.CutSuffix(s, fileSuffix)
	return ok && name != "" && len(s) <= 200 && strings.Trim(name, nameLetters) == ""
}

// Open returns the source that a reference names. It begins with s3://BUCKET/, or is an absolute
// path. One that ends with a slash is a folder of licence files, any other a list of tokens.
// Nothing is read yet.
func Open(ref string, bucket func(name string) (Objects, error)) (Source, error) {
	var at Objects = folder{}
	path := ref
	if rest, ok := strings.CutPrefix(ref, "s3://"); ok {
		name, key, _ := strings.Cut(rest, "/")
		var err error
		if at, err = bucket(name); err != nil {
			return nil, err
		}
		path = key
	}
	if path == "" || strings.HasSuffix(path, "/") {
		return files{at, path}, nil
	}
	return tokens{at, path, ref}, nil
}

// files are licence files.
type files struct {
	at     Objects
	prefix string
}

func (f files) List(ctx context.Context) ([]string, error) {
	names, err := f.at.Names(ctx, f.prefix)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, fileSuffix) }),
		nil
}

func (f files) Read(ctx context.Context, id string) ([]byte, error) {
	if !IsID(id) {
		return nil, protocol.Refuse(protocol.InvalidRequest, "%s is no licence", protocol.Quote(id))
	}
	text, err := f.at.Object(ctx, f.prefix+id, maxText)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = protocol.Refuse(protocol.Configuration, "the licence %s is empty; put it there again", id)
	}
	return text, err
}

// tokens are a list of tokens.
type tokens struct {
	at       Objects
	key, ref string
}

func (t tokens) List(ctx context.Context) ([]string, error) {
	all, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, token := range all {
		ids = append(ids, tokenID(token))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (t tokens) Read(ctx context.Context, id string) ([]byte, error) {
	all, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	for _, token := range all {
		if tokenID(token) == id {
			return []byte(token), nil
		}
	}
	return nil, protocol.Refuse(protocol.NotFound, "%s is not in the list %s", protocol.Quote(id),
		t.ref)
}

func tokenID(token string) string { return licensemodel.TokenPrefix + Digest([]byte(token)) }

// read reads the tokens: a list in JSON, or one on each line.
func (t tokens) read(ctx context.Context) ([]string, error) {
	data, err := t.at.Object(ctx, t.key, maxText)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSpace(data)
	var all []string
	if bytes.HasPrefix(data, []byte("[")) || bytes.HasPrefix(data, []byte("{")) {
		if json.Unmarshal(data, &all) != nil {
			// The error would have a part of the text.
			return nil, protocol.Refuse(protocol.Configuration,
				"%s is no list of tokens: want a list of texts in JSON, or a token on each line", t.ref)
		}
	} else {
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, maxText+1)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return slices.DeleteFunc(all, func(token string) bool { return token == "" }), nil
}

// folder is the file system of this machine.
type folder struct{}

func (folder) Names(_ context.Context, prefix string) ([]string, error) {
	entries, err := os.ReadDir(prefix)
	if err != nil {
		return nil, unreadable(prefix, err)
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(prefix, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// It went since, or is a link to nothing.
		case err != nil:
			return nil, unreadable(prefix, err)
		case info.Mode().IsRegular():
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (folder) Object(_ context.Context, key string, most int64) ([]byte, error) {
	// A pipe is not waited for.
	f, err := os.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(key, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, unreadable(key, errors.New("it is no regular file"))
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, unreadable(key, err)
	}
	return data, nil
}

// unreadable is the answer where a file can't be read.
func unreadable(path string, err error) error {
	class := protocol.Configuration
	if errors.Is(err, fs.ErrNotExist) {
		class = protocol.NotFound
	}
	return protocol.Refuse(class, "cannot read the licences in %s: %s", path, err)
}
