// Package probe finds out if manual nodes answer: by TCP, or by SSH.
//
// It guarantees: a host whose key is not a known one is never taken for the node. A secret is read
// when it is used, from where its reference leads, and is in no message. A file of it is one that
// its owner alone may read. A probe ends
// within its time.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"aws-provider-executor/pkg/nodes"
)

// Prober probes nodes.
type Prober struct {
	// Timeout is how long one probe may take.
	Timeout time.Duration
	// AtOnce is how many are probed at once at most.
	AtOnce int
	// Now is the clock.
	Now func() time.Time
	// Secret, when not nil, reads what a reference leads to that is no file. Its error has nothing of
	// it.
	Secret func(ctx context.Context, ref nodes.SecretRef) (string, error)
}

// All probes nodes, and calls done with what came of each, one at a time.
func (p *Prober) All(ctx context.Context, all []*nodes.Node, done func(nodes.Probe)) {
	results, free := make(chan nodes.Probe), make(chan struct{}, max(p.AtOnce, 1))
	var running sync.WaitGroup
	go func() {
		for _, n := range all {
			free <- struct{}{}
			running.Go(func() {
				defer func() { <-free }()
				results <- p.One(ctx, n)
			})
		}
		running.Wait()
		close(results)
	}()
	for r := range results {
		done(r)
	}
}

// One probes one node. What is known of before it began is not told as of later.
func (p *Prober) One(ctx context.Context, n *nodes.Node) nodes.Probe {
	result := nodes.Probe{NodeID: n.ID, At: p.Now().UTC()}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	note, err := p.reach(ctx, n.Target)
	result.Reached, result.Note = err == nil, note
	if err != nil {
		result.Reason = err.Error()
	}
	return result
}

func (p *Prober) reach(ctx context.Context, t *nodes.Target) (note string, err error) {
	if t == nil {
		return "", errors.New("the node has no address to probe")
	}
	var config *ssh.ClientConfig
	address := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	if t.Protocol == nodes.SSH {
		if config, err = p.configOf(ctx, t, address); err != nil {
			return "", err
		}
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("it does not answer on port %d: %w", t.Port, plainly(err))
	}
	defer connection.Close()
	if config == nil {
		return fmt.Sprintf("port %d is open", t.Port), nil
	}
	// Whatever the other end does, the connection ends with the time.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	return shake(connection, address, config)
}

// plainly leaves out the address, which is the node's own.
func plainly(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// The kinds of refusals in a handshake. Of all other errors trying again may mend what is wrong.
var (
	// ErrHost says that the host is not known to be the node.
	ErrHost = errors.New("the host is not known to be the node")
	// ErrCredential says that the node is there and lets nobody in by the credential.
	ErrCredential = errors.New("nobody was let in")
	// ErrSettings says that what this machine has for the handshake can't be read.
	ErrSettings = errors.New("the settings can't be used")
)

// refusal is an error of a kind, whose words are its own.
type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// Dial logs in to a node by SSH. The host's key must be a known one. The context bounds the
// handshake, not what follows.
func (p *Prober) Dial(ctx context.Context, t *nodes.Target) (*ssh.Client, error) {
	switch {
	case t == nil:
		return nil, &refusal{ErrSettings, "the node has no address"}
	case t.Protocol != nodes.SSH:
		return nil, &refusal{ErrSettings,
			"the node was added without --probe ssh, so it has no known hosts"}
	case t.Credential == "":
		return nil, &refusal{ErrSettings, "the node was added without a credential to log in with"}
	}
	address := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	config, err := p.configOf(ctx, t, address)
	if err != nil {
		return nil, &refusal{ErrSettings, err.Error()}
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("it does not answer on port %d: %w", t.Port, plainly(err))
	}
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	client, err := handshake(connection, address, config)
	switch {
	case err == nil && !stop():
		_ = client.Close()
		return nil, context.Cause(ctx)
	case err != nil:
		stop()
		_ = connection.Close()
		return nil, err
	}
	return client, nil
}

// shake does an SSH handshake, and ends it. A host with the right key that does not let in who has
// no credentials for it answers all the same.
func shake(connection net.Conn, address string, config *ssh.ClientConfig) (string, error) {
	client, err := handshake(connection, address, config)
	switch {
	case err == nil:
		return "logged in by SSH", client.Close()
	case errors.Is(err, ErrCredential) && len(config.Auth) == 0:
		return "the host has the known key; nobody was logged in", nil
	}
	return "", err
}

// handshake does an SSH handshake.
func handshake(
	connection net.Conn, address string, config *ssh.ClientConfig,
) (*ssh.Client, error) {
	known := false
	check := config.HostKeyCallback
	config.HostKeyCallback = func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := check(host, remote, key)
		known = err == nil
		return err
	}
	client, channels, requests, err := ssh.NewClientConn(connection, address, config)
	var key *knownhosts.KeyError
	switch {
	case err == nil:
		return ssh.NewClient(client, channels, requests), nil
	case errors.As(err, &key) && len(key.Want) > 0:
		return nil, &refusal{ErrHost,
			"the host has another key than the known one: it may be another machine"}
	case errors.As(err, &key):
		return nil, &refusal{ErrHost,
			"the host's key is not known: add it to the file of known hosts"}
	case known && strings.Contains(err.Error(), "unable to authenticate"):
		return nil, &refusal{ErrCredential, "the host has the known key, and refuses the credential"}
	}
	return nil, fmt.Errorf("it does not speak SSH: %w", plainly(err))
}

// configOf is how to do a handshake with a target. The key algorithms are those of the known keys,
// so that the host shows one that can be held against them.
func (p *Prober) configOf(
	ctx context.Context, t *nodes.Target, address string,
) (*ssh.ClientConfig, error) {
	check, err := knownhosts.New(t.KnownHosts)
	if err != nil {
		return nil, fmt.Errorf("the file of known hosts can't be read: %w", err)
	}
	config := &ssh.ClientConfig{
		User: t.User, HostKeyCallback: check, HostKeyAlgorithms: algorithms(check, address),
	}
	if t.Credential == "" {
		return config, nil
	}
	signer, err := p.readKey(ctx, t.Credential)
	if err != nil {
		return nil, err
	}
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	return config, nil
}

// unknownKey is a key that no file has: the refusal of it names those that are known.
type unknownKey struct{}

func (unknownKey) Type() string                        { return "none" }
func (unknownKey) Marshal() []byte                     { return []byte("none") }
func (unknownKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// algorithms are those of the known keys of a host; nil where none is known.
func algorithms(check ssh.HostKeyCallback, address string) []string {
	var key *knownhosts.KeyError
	if err := check(address, &net.TCPAddr{}, unknownKey{}); !errors.As(err, &key) {
		return nil
	}
	var all []string
	for _, k := range key.Want {
		kind := k.Key.Type()
		if kind == ssh.KeyAlgoRSA {
			// The name of the key is that of a signature which is not safe any more.
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		all = append(all, kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// readKey reads the key that a reference leads to. No message has anything of it.
func (p *Prober) readKey(ctx context.Context, ref nodes.SecretRef) (ssh.Signer, error) {
	path, isFile := strings.CutPrefix(string(ref), "file:")
	var text []byte
	var err error
	switch {
	case isFile:
		text, err = readFile(path)
	case p.Secret == nil:
		err = errors.New("this program reads keys from files only: name one as file:/PATH")
	default:
		var secret string
		secret, err = p.Secret(ctx, ref)
		text = []byte(secret)
	}
	if err != nil {
		return nil, fmt.Errorf("the key can't be read: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no private key without a passphrase",
			strings.TrimPrefix(string(ref), "file:"))
	}
	return signer, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s may be read by others: chmod 600 it", path)
	}
	return os.ReadFile(path)
}
