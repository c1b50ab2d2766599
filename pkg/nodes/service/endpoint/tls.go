package endpoint

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// serverTLS is how TLS is spoken. The certificate is read again when its file changes.
func serverTLS(o *Options) (*tls.Config, error) {
	certificate := &followed[*tls.Certificate]{path: o.Certificate, log: o.Log, keep: true,
		read: func() (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
			return &c, err
		}}
	if _, err := certificate.get(); err != nil {
		return nil, fmt.Errorf("the certificate and its key can't be read: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.get() }}
	if o.ClientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate of a CA", o.ClientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if o.Tokens != "" {
		// Who shows no certificate shows a token.
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

// followed is what a file says, read again when the file changes.
type followed[T any] struct {
	path string
	read func() (T, error)
	log  *slog.Logger
	// keep has what was read last hold where it can't be read any more.
	keep bool

	mu    sync.Mutex
	is    stamp
	begun bool
	value T
	// told is the failure that the log has last; empty while the file can be read.
	told string
}

// stamp tells one state of a file from another. Who may read and write it is part of that.
type stamp struct {
	size   int64
	at     time.Time
	node   uint64
	change syscall.Timespec
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), at: info.ModTime()}
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		s.node, s.change = of.Ino, changed(of)
	}
	return s
}

// get is what the file says now. One that can't be read is read again the next time: of a
// certificate and its key one may have been replaced first.
func (f *followed[T]) get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var now stamp
	info, err := os.Stat(f.path)
	if err == nil {
		now = stampOf(info)
	}
	if f.begun && now == f.is {
		return f.value, nil
	}
	value, err := f.read()
	if err == nil {
		f.value, f.is, f.begun, f.told = value, now, true, ""
		return value, nil
	}
	if text := err.Error(); f.begun && text != f.told {
		f.log.Error("cannot read what changed", "file", f.path, "error", text)
		f.told = text
	}
	if f.begun && f.keep {
		return f.value, nil
	}
	// What it said before holds no more, even where it comes back as it was.
	f.is = stamp{}
	return value, err
}

// tokens are those of a file. A token is kept as its digest.
type tokens struct {
	followed[map[[sha256.Size]byte]string]
}

// shortestToken is how many characters a token has at least, so that nobody guesses one.
const shortestToken = 32

// openTokens reads a file of tokens: a line NAME TOKEN each, which its owner alone may read. It is
// read again when it changes; one that can't be read lets nobody in.
func openTokens(path string, log *slog.Logger) (*tokens, error) {
	t := &tokens{followed[map[[sha256.Size]byte]string]{path: path, log: log}}
	t.read = func() (map[[sha256.Size]byte]string, error) { return readTokens(path) }
	_, err := t.get()
	return t, err
}

func readTokens(path string) (map[[sha256.Size]byte]string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the tokens in %s can be read by others: chmod 600 it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all, names := map[[sha256.Size]byte]string{}, map[string]bool{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		// No message has the line: it is a secret.
		if len(fields) != 2 || len(fields[1]) < shortestToken {
			return nil, fmt.Errorf("line %d of %s is no NAME and TOKEN of %d characters or more", n, path,
				shortestToken)
		}
		digest := sha256.Sum256([]byte(fields[1]))
		if names[fields[0]] || all[digest] != "" {
			return nil, fmt.Errorf("line %d of %s has a name or a token a second time", n, path)
		}
		names[fields[0]], all[digest] = true, fields[0]
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no token in %s", path)
	}
	return all, nil
}

// find is the name of a token. It is looked for by its digest, which says nothing by its time.
func (t *tokens) find(token string) (string, bool) {
	all, err := t.get()
	if err != nil {
		return "", false
	}
	name, ok := all[sha256.Sum256([]byte(token))]
	return name, ok
}
