package probe_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/probe"
)

// key is a fresh key, and its file.
func key(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer, path
}

// host is an SSH server with a key, that lets in who has another.
func host(t *testing.T, own ssh.Signer, lets ssh.PublicKey) *net.TCPAddr {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(
		_ ssh.ConnMetadata, k ssh.PublicKey,
	) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(lets.Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	config.AddHostKey(own)
	return listen(t, func(c net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for c := range channels {
			_ = c.Reject(ssh.Prohibited, "")
		}
	})
}

// listen serves each connection until the test ends.
func listen(t *testing.T, serve func(net.Conn)) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// knownAs is a file that has a key for an address.
func knownAs(t *testing.T, a *net.TCPAddr, k ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{knownhosts.Normalize(a.String())}, k) + "\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func one(timeout time.Duration, target nodes.Target) nodes.Probe {
	p := probe.Prober{Timeout: timeout, AtOnce: 1, Now: time.Now}
	return p.One(context.Background(), &nodes.Node{ID: "n", Target: &target})
}

func TestTCP(t *testing.T) {
	a := listen(t, func(net.Conn) {})
	target := nodes.Target{Host: "127.0.0.1", Port: a.Port, Protocol: nodes.TCP}
	if got := one(time.Minute, target); !got.Reached || got.NodeID != "n" || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target.Port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	if got := one(time.Minute, target); got.Reached || !strings.Contains(got.Reason, "refused") {
		t.Errorf("%+v", got)
	}
}

// TestSSH: a host with the known key answers, with a credential that it takes or without one; one
// with another key, an unknown one, or that refuses the credential does not.
func TestSSH(t *testing.T) {
	own, _ := key(t)
	other, _ := key(t)
	user, userFile := key(t)
	_, strangerFile := key(t)
	a := host(t, own, user.PublicKey())
	right := knownAs(t, a, own.PublicKey())
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte("hunter2"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		known, credential, want string
		reached                 bool
	}{
		"known":               {right, "", "nobody was logged in", true},
		"logged in":           {right, "file:" + userFile, "logged in", true},
		"refused":             {right, "file:" + strangerFile, "refuses the credential", false},
		"another key":         {knownAs(t, a, other.PublicKey()), "", "another key", false},
		"an unknown host":     {os.DevNull, "", "key is not known", false},
		"no file of hosts":    {"/none", "", "known hosts can't be read", false},
		"no key":              {right, "file:/none", "key can't be read", false},
		"a key for all":       {right, "file:" + open, "chmod 600", false},
		"not a file":          {right, "arn:aws:ssm:r:1:parameter/x", "files only", false},
		"no key in it either": {right, "file:" + right, "is no private key", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := one(time.Minute, nodes.Target{
				Host: "127.0.0.1", Port: a.Port, Protocol: nodes.SSH, User: "ann",
				KnownHosts: tt.known, Credential: nodes.SecretRef(tt.credential),
			})
			said := got.Note + got.Reason
			if got.Reached != tt.reached || !strings.Contains(said, tt.want) ||
				strings.Contains(said, "hunter2") {
				t.Errorf("%+v, want %q", got, tt.want)
			}
		})
	}
}

// TestSilentHost: one that says nothing ends the probe with its time.
func TestSilentHost(t *testing.T) {
	own, _ := key(t)
	a := listen(t, func(net.Conn) {})
	got := one(50*time.Millisecond, nodes.Target{
		Host: "127.0.0.1", Port: a.Port, Protocol: nodes.SSH,
		KnownHosts: knownAs(t, a, own.PublicKey()),
	})
	if got.Reached {
		t.Errorf("%+v", got)
	}
}

// TestAll: each is probed once, and one that is sick keeps none from being probed.
func TestAll(t *testing.T) {
	a := listen(t, func(net.Conn) {})
	var all []*nodes.Node
	for _, id := range []string{"a", "b", "c", "d"} {
		all = append(all, &nodes.Node{ID: id, Target: &nodes.Target{Host: "127.0.0.1", Port: a.Port,
			Protocol: nodes.TCP}})
	}
	all[1].Target = nil
	p := probe.Prober{Timeout: time.Minute, AtOnce: 2, Now: time.Now}
	reached := map[string]bool{}
	p.All(context.Background(), all, func(r nodes.Probe) { reached[r.NodeID] = r.Reached })
	if len(reached) != 4 || !reached["a"] || reached["b"] || !reached["c"] || !reached["d"] {
		t.Error(reached)
	}
}
