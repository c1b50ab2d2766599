package signature_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

// token is a hardware key in software: what it signs is the digest of its application and of the
// text, with a byte that tells if somebody touched it, and a count.
type token struct {
	t       *testing.T
	public  ssh.PublicKey
	touched byte
	count   uint32
	sign    func(message []byte) []byte
}

const application = "ssh:"

// PublicKey is that of the token.
func (k *token) PublicKey() ssh.PublicKey { return k.public }

// Sign makes a signature as a FIDO key does.
func (k *token) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	k.count++
	state := binary.BigEndian.AppendUint32([]byte{k.touched}, k.count)
	app, text := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	message := append(append(app[:], state...), text[:]...)
	return &ssh.Signature{Format: k.public.Type(), Blob: k.sign(message), Rest: state}, nil
}

// newToken makes a token with a key of ssh-keygen's type ed25519-sk or ecdsa-sk.
func newToken(t *testing.T, kind string, touched byte) *token {
	t.Helper()
	k := &token{t: t, touched: touched}
	var wire []byte
	switch kind {
	case ssh.KeyAlgoSKED25519:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k.sign = func(message []byte) []byte { return ed25519.Sign(private, message) }
		wire = ssh.Marshal(struct {
			Name        string
			Key         []byte
			Application string
		}{kind, public, application})
	case ssh.KeyAlgoSKECDSA256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k.sign = func(message []byte) []byte {
			digest := sha256.Sum256(message)
			r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
			if err != nil {
				t.Error(err)
			}
			return ssh.Marshal(struct{ R, S *big.Int }{r, s})
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		wire = ssh.Marshal(struct {
			Name, Curve string
			Point       []byte
			Application string
		}{kind, "nistp256", point, application})
	}
	var err error
	if k.public, err = ssh.ParsePublicKey(wire); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestAHardwareKeySigns: what a FIDO key signs, ssh-keygen -Y verify takes and we take. What nobody
// touched it for we do not take, whatever ssh-keygen does. The key is one in software, of the
// public forms and signatures that ssh-keygen -t ed25519-sk and ecdsa-sk have.
func TestAHardwareKeySigns(t *testing.T) {
	for _, kind := range []string{ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256} {
		t.Run(kind, func(t *testing.T) {
			k := newToken(t, kind, 1)
			armored, err := signing.Sign([]byte(text), k, signature.ApprovalNamespace)
			if err != nil {
				t.Fatal(err)
			}
			key, err := signature.Verify([]byte(text), armored, signature.ApprovalNamespace)
			if err != nil || key.Fingerprint() != ssh.FingerprintSHA256(k.public) {
				t.Errorf("%v, %s", err, key.Fingerprint())
			}
			dir := t.TempDir()
			line := "ann " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.public)))
			for name, data := range map[string]string{"list": line + "\n", "sig": string(armored)} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := keygen(t, text, "-Y", "verify", "-f", filepath.Join(dir, "list"), "-I", "ann",
				"-n", signature.ApprovalNamespace, "-s", filepath.Join(dir, "sig"))
			if err != nil || !strings.Contains(out, "Good") {
				t.Errorf("ssh-keygen does not take it: %v: %s", err, out)
			}
			signers, faults := signature.ParseSigners(line)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			err = signers.Check("ann", key, signature.ApprovalNamespace, time.Now())
			if err != nil {
				t.Error(err)
			}
			if _, err := signature.Verify([]byte(text+" "), armored,
				signature.ApprovalNamespace); err == nil {
				t.Error("it is taken for another text")
			}
			untouched := newToken(t, kind, 0)
			armored, err = signing.Sign([]byte(text), untouched, signature.ApprovalNamespace)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signature.Verify([]byte(text), armored,
				signature.ApprovalNamespace); err == nil || !strings.Contains(err.Error(), "touched") {
				t.Errorf("untouched: %v", err)
			}
		})
	}
}
