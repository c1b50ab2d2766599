// Package signing makes signatures as ssh-keygen -Y sign does, with keys in files or of an agent.
package signing

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Keys says where keys are found.
type Keys struct {
	// AgentSocket is the agent's, as SSH_AUTH_SOCK; empty where there is none.
	AgentSocket string
	// Passphrase asks a person for that of a file, without showing it.
	Passphrase func(file string) ([]byte, error)
}

// agentPrefix begins the name of a key that an agent has.
const agentPrefix = "agent:"

// Key opens a key to sign with. A name agent:COMMENT means the agent's key of that comment or
// fingerprint; a public key's file, the agent's key that it is; any other file, the private key in
// it. Hardware keys are the agent's. Release gives the key back.
func (k Keys) Key(name string) (signer ssh.Signer, release func(), err error) {
	if comment, ok := strings.CutPrefix(name, agentPrefix); ok {
		return k.fromAgent(name, func(key *agent.Key) bool {
			return key.Comment == comment || ssh.FingerprintSHA256(key) == comment
		})
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the key: %w", err)
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		return k.fromAgent(name, func(key *agent.Key) bool {
			return bytes.Equal(key.Marshal(), public.Marshal())
		})
	}
	if err := private(name); err != nil {
		return nil, nil, err
	}
	signer, err = k.parse(name, data)
	return signer, func() {}, err
}

// private refuses a key that others may read, as ssh does.
func private(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("cannot read the key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("the key %s may be read by others (mode %04o): chmod 600 it", name, mode)
	}
	return nil
}

func (k Keys) parse(name string, data []byte) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && k.Passphrase != nil {
		passphrase, askErr := k.Passphrase(name)
		if askErr != nil {
			return nil, fmt.Errorf("cannot ask for the passphrase of %s: %w", name, askErr)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(data, passphrase)
		clear(passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the key %s: %w; a hardware key is the agent's: agent:COMMENT",
			name, err)
	}
	return signer, nil
}

func (k Keys) fromAgent(
	name string, is func(*agent.Key) bool,
) (signer ssh.Signer, release func(), err error) {
	if k.AgentSocket == "" {
		return nil, nil, fmt.Errorf("there is no agent for %s: SSH_AUTH_SOCK is not set", name)
	}
	conn, err := net.Dial("unix", k.AgentSocket)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot reach the agent: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	client := agent.NewClient(conn)
	keys, err := client.List()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the agent's keys: %w", err)
	}
	var found *agent.Key
	comments := make([]string, len(keys))
	for i, key := range keys {
		comments[i] = key.Comment
		if !is(key) {
			continue
		}
		if found != nil {
			return nil, nil, fmt.Errorf("the agent has several keys %s: name one by its fingerprint", name)
		}
		found = key
	}
	if found == nil {
		return nil, nil, fmt.Errorf("the agent has no key %s; it has: %s",
			name, strings.Join(comments, ", "))
	}
	signers, err := client.Signers()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the agent's keys: %w", err)
	}
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), found.Marshal()) {
			return s, func() { _ = conn.Close() }, nil
		}
	}
	return nil, nil, fmt.Errorf("the agent has no key %s any more", name)
}

// Sign makes an armored signature of a text.
func Sign(text []byte, signer ssh.Signer, namespace string) ([]byte, error) {
	s, err := sshsig.Sign(bytes.NewReader(text), signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return sshsig.Armor(s), nil
}
