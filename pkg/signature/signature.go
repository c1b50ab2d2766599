// Package signature verifies signatures of SSH keys, as ssh-keygen -Y sign makes them, and holds
// them against lists of who may sign, as ssh-keygen -Y verify does.
//
// It guarantees that a signature counts only for the text, the namespace, the principal and the
// time that it was checked for. A line of a list that it does not support is refused, never
// skipped: a restriction that nobody heeds is none. The package makes no signatures.
package signature

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// The namespaces of what this project has signed. A signature for one is none for another.
const (
	ApprovalNamespace = "approval@aws-provider-executor"
	HeadNamespace     = "journal-head@aws-provider-executor"
)

// maxBytes bounds an armored signature; that of a large RSA key has about 3,000.
const maxBytes = 16 << 10

// Key is a public key.
type Key struct{ ssh.PublicKey }

// Fingerprint names the key, as SHA256:….
func (k Key) Fingerprint() string {
	if k.PublicKey == nil {
		return ""
	}
	return ssh.FingerprintSHA256(k.PublicKey)
}

// Verify returns the key by which a text was signed. It does not tell whose key that is.
func Verify(text, armored []byte, namespace string) (Key, error) {
	if len(armored) > maxBytes {
		return Key{}, fmt.Errorf("the signature is larger than %d bytes", maxBytes)
	}
	block, rest := pem.Decode(armored)
	begins := bytes.HasPrefix(bytes.TrimSpace(armored), []byte("-----BEGIN "+sshsig.PEMType+"-----"))
	if block == nil || !begins || len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("it is not one signature as ssh-keygen -Y sign makes them")
	}
	s, err := sshsig.Unarmor(armored)
	if err != nil {
		return Key{}, fmt.Errorf("the signature can't be read: %w", err)
	}
	if s.Namespace != namespace {
		return Key{}, fmt.Errorf("the signature is for the namespace %q, want %q", s.Namespace, namespace)
	}
	if err := sound(s); err != nil {
		return Key{}, err
	}
	err = sshsig.Verify(bytes.NewReader(text), s, s.PublicKey, s.HashAlgorithm, namespace)
	if err != nil {
		return Key{}, errors.New("the signature is not one of this text")
	}
	return Key{s.PublicKey}, nil
}

// minRSA is the shortest RSA key that is taken, in bytes of its modulus.
const minRSA = 256

// sound refuses weak keys, and a hardware key's signature that nobody touched it for.
func sound(s *sshsig.Signature) error {
	if err := soundKey(s.PublicKey); err != nil {
		return err
	}
	const touched = 1
	kind := s.PublicKey.Type()
	hardware := kind == ssh.KeyAlgoSKED25519 || kind == ssh.KeyAlgoSKECDSA256
	if hardware && (len(s.Signature.Rest) == 0 || s.Signature.Rest[0]&touched == 0) {
		return errors.New("the hardware key was not touched for the signature")
	}
	return nil
}

func soundKey(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		var wire struct {
			Name string
			E, N []byte
		}
		if err := ssh.Unmarshal(key.Marshal(), &wire); err != nil {
			return fmt.Errorf("the RSA key can't be read: %w", err)
		}
		if n := len(bytes.TrimLeft(wire.N, "\x00")); n < minRSA {
			return fmt.Errorf("the RSA key has %d bits, want at least %d", n*8, minRSA*8)
		}
		return nil
	}
	return fmt.Errorf("keys of the type %q are not taken", key.Type())
}
