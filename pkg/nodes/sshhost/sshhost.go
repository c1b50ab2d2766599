// Package sshhost is a machine that is reached by SSH, for tests: its server is in this process,
// its shell is the real one, in a home of its own.
package sshhost

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Host is the machine. It lets in who has the key in the file Key.
type Host struct {
	// Home is the home of every login, Key the file of a key that is let in, KnownHosts one that has
	// the machine's own, and Port where it listens, on 127.0.0.1.
	Home, Key, KnownHosts string
	Port                  int

	listener net.Listener

	mu       sync.Mutex
	sessions int
	faults   Faults
}

// Faults are what goes wrong on the machine.
type Faults struct {
	// Cut is the number of the session, from 1, with which the connection ends: when its command has
	// run, or with Before, instead of that. Zero cuts none.
	Cut    int
	Before bool
	// Path, when not empty, is that of the shell's programs.
	Path string
	// Noise is what each login writes before anything else.
	Noise string
}

// Start has a machine listen until Close. Its files are in a directory.
func Start(dir string) (*Host, error) {
	h := &Host{Home: filepath.Join(dir, "home"), Key: filepath.Join(dir, "key"),
		KnownHosts: filepath.Join(dir, "known_hosts")}
	if err := os.MkdirAll(h.Home, 0o700); err != nil {
		return nil, err
	}
	own, err := NewKey(filepath.Join(dir, "host_key"))
	if err != nil {
		return nil, err
	}
	user, err := NewKey(h.Key)
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(
		_ ssh.ConnMetadata, k ssh.PublicKey,
	) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	config.AddHostKey(own)
	if h.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	h.Port = h.listener.Addr().(*net.TCPAddr).Port
	line := knownhosts.Line([]string{knownhosts.Normalize(h.listener.Addr().String())},
		own.PublicKey())
	if err := os.WriteFile(h.KnownHosts, []byte(line+"\n"), 0o600); err != nil {
		h.Close()
		return nil, err
	}
	go func() {
		for {
			c, err := h.listener.Accept()
			if err != nil {
				return
			}
			go h.serve(c, config)
		}
	}()
	return h, nil
}

// Close has it listen no more.
func (h *Host) Close() { _ = h.listener.Close() }

// Break has things go wrong from now on.
func (h *Host) Break(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = f
}

// NewKey makes a key and its file.
func NewKey(path string) (ssh.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(private)
}

func (h *Host) serve(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		for r := range asked {
			_ = r.Reply(r.Type == "exec", nil)
			if r.Type != "exec" {
				continue
			}
			var command struct{ Text string }
			_ = ssh.Unmarshal(r.Payload, &command)
			h.exec(c, channel, command.Text)
			break
		}
	}
}

// exec runs what a login asks for in a shell, as sshd does.
func (h *Host) exec(c net.Conn, channel ssh.Channel, text string) {
	h.mu.Lock()
	h.sessions++
	f, cut := h.faults, h.sessions == h.faults.Cut
	h.mu.Unlock()
	if cut && f.Before {
		_ = c.Close()
		return
	}
	script, _ := io.ReadAll(channel)
	if f.Path == "" {
		f.Path = os.Getenv("PATH")
	}
	cmd := exec.Command("/bin/sh", "-c", text)
	cmd.Dir, cmd.Env = h.Home, []string{"HOME=" + h.Home, "PATH=" + f.Path}
	cmd.Stdin = strings.NewReader(string(script))
	out, err := cmd.Output()
	if cut {
		_ = c.Close()
		return
	}
	_, _ = io.WriteString(channel, f.Noise)
	_, _ = channel.Write(out)
	status := uint32(0)
	if err != nil {
		status = 1
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	_ = channel.Close()
}
