package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

// keygen runs the real ssh-keygen; where it is not there the test fails: it is the judge.
func keygen(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	c := exec.Command("ssh-keygen", args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// newKey makes a key's file with ssh-keygen.
func newKey(t *testing.T, kind, passphrase string) (path, public string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "id")
	args := []string{"-q", "-t", kind, "-N", passphrase, "-C", "a comment", "-f", path}
	if out, err := keygen(t, "", args...); err != nil {
		t.Fatalf("%v: %s (ssh-keygen is of the package openssh-client)", err, out)
	}
	data, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimSpace(string(data))
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const text = `{"format":"aws-provider-executor/approval/v1"}`

// TestOursIsSSHKeygens: what we sign ssh-keygen -Y verify takes, and what it signs we take.
func TestOursIsSSHKeygens(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		t.Run(kind, func(t *testing.T) {
			path, public := newKey(t, kind, "secret")
			asked := 0
			keys := signing.Keys{Passphrase: func(string) ([]byte, error) {
				asked++
				return []byte("secret"), nil
			}}
			signer, release, err := keys.Key(path)
			if err != nil || asked != 1 {
				t.Fatal(err, asked)
			}
			defer release()
			armored, err := signing.Sign([]byte(text), signer, signature.ApprovalNamespace)
			if err != nil {
				t.Fatal(err)
			}
			allowed := write(t, "ann@example.org "+public+"\n")
			verify := []string{"-Y", "verify", "-f", allowed, "-I", "ann@example.org",
				"-n", signature.ApprovalNamespace, "-s", write(t, string(armored))}
			if out, err := keygen(t, text, verify...); err != nil {
				t.Errorf("ssh-keygen refuses ours: %s", out)
			}
			if out, err := keygen(t, text+" ", verify...); err == nil {
				t.Errorf("ssh-keygen takes another text: %s", out)
			}

			plain, _ := newKey(t, kind, "")
			file := write(t, text)
			if out, err := keygen(t, "", "-Y", "sign", "-f", plain, "-n", signature.ApprovalNamespace,
				file); err != nil {
				t.Fatal(out)
			}
			theirs, err := os.ReadFile(file + ".sig")
			if err != nil {
				t.Fatal(err)
			}
			key, err := signature.Verify([]byte(text), theirs, signature.ApprovalNamespace)
			if err != nil {
				t.Fatalf("we refuse ssh-keygen's: %v", err)
			}
			if out, _ := keygen(t, "", "-l", "-f", plain); !strings.Contains(out, key.Fingerprint()) {
				t.Errorf("the key is %s, want that of %s", key.Fingerprint(), out)
			}
		})
	}
}

func ed(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

func sign(t *testing.T, text string, s ssh.Signer, namespace string) []byte {
	t.Helper()
	armored, err := signing.Sign([]byte(text), s, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return armored
}

func TestWhatIsNoSignatureOfATextIsRefused(t *testing.T) {
	s, _ := ed(t)
	good := sign(t, text, s, signature.ApprovalNamespace)
	block, _ := pem.Decode(good)
	flipped := bytes.Clone(block.Bytes)
	flipped[len(flipped)-1] ^= 1
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := ssh.NewSignerFromKey(short)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text    string
		armored []byte
		want    string
	}{
		"another text":      {text + " ", good, "not one of this text"},
		"another namespace": {text, sign(t, text, s, signature.HeadNamespace), "for the namespace"},
		"the namespace of files": {text, sign(t, text, s, "file"),
			`for the namespace "file", want "approval@`},
		"a flipped bit": {text, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: flipped}),
			"not one of this text"},
		"two of them":     {text, append(bytes.Clone(good), good...), "not one signature"},
		"words before it": {text, append([]byte("see: "), good...), "not one signature"},
		"nothing":         {text, nil, "not one signature"},
		"of no signature's form": {text, pem.EncodeToMemory(&pem.Block{
			Type: block.Type, Bytes: []byte("abc")}), "the signature can't be read"},
		"too much":          {text, bytes.Repeat(good, 100), "larger than"},
		"a short RSA key":   {text, sign(t, text, weak, signature.ApprovalNamespace), "1024 bits"},
		"of another format": {text, []byte("-----BEGIN PGP SIGNATURE-----\n"), "not one signature"},
	} {
		if _, err := signature.Verify([]byte(tt.text), tt.armored,
			signature.ApprovalNamespace); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestSignersAreThoseOfSSHKeygen: for each line we say what ssh-keygen -Y verify says.
func TestSignersAreThoseOfSSHKeygen(t *testing.T) {
	path, public := newKey(t, "ed25519", "")
	file := write(t, text)
	args := []string{"-Y", "sign", "-f", path, "-n", signature.ApprovalNamespace, file}
	if out, err := keygen(t, "", args...); err != nil {
		t.Fatal(out)
	}
	armored, err := os.ReadFile(file + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	key, err := signature.Verify([]byte(text), armored, signature.ApprovalNamespace)
	if err != nil {
		t.Fatal(err)
	}
	_, other := newKey(t, "ed25519", "")
	own := signature.ApprovalNamespace
	for line, want := range map[string]bool{
		"ann@example.org " + public:                                                    true,
		"bob@example.org " + public:                                                    false,
		"ann@example.org " + other:                                                     false,
		"*@example.org " + public:                                                      true,
		"bob@example.org,ann@example.org " + public:                                    true,
		"*@example.org,!ann@example.org " + public:                                     false,
		"!bob@example.org,*@example.org " + public:                                     true,
		"ann@example.or? " + public:                                                    true,
		`"ann@example.org" ` + public:                                                  true,
		`ann@example.org namespaces="` + own + `" ` + public:                           true,
		`ann@example.org namespaces="git,` + own + `" ` + public:                       true,
		`ann@example.org namespaces="approval@*" ` + public:                            true,
		`ann@example.org namespaces="git" ` + public:                                   false,
		`ann@example.org valid-after="20200101" ` + public:                             true,
		`ann@example.org valid-after="20990101Z" ` + public:                            false,
		`ann@example.org valid-before="20200101" ` + public:                            false,
		`ann@example.org valid-before="209901011200Z" ` + public:                       true,
		`ann@example.org valid-after="20200101Z",valid-before="20990101" ` + public:    true,
		"ANN@example.org " + public:                                                    false,
		"# nobody\nann@example.org " + public + "\n\n":                                 true,
		"ann@example.org namespaces=\"git\" " + public + "\nann@example.org " + public: true,
	} {
		signers, faults := signature.ParseSigners(line)
		if len(faults) > 0 {
			t.Errorf("%s: %v", line, faults)
			continue
		}
		err := signers.Check("ann@example.org", key, own, time.Now())
		if (err == nil) != want {
			t.Errorf("%s: %v", line, err)
		}
		out, judged := keygen(t, text, "-Y", "verify", "-f", write(t, line+"\n"), "-I",
			"ann@example.org", "-n", own, "-s", file+".sig")
		if (judged == nil) != want {
			t.Errorf("%s: ssh-keygen says %s", line, out)
		}
	}
}

func TestLinesThatAreNotSupportedAreNamed(t *testing.T) {
	_, public := ed(t)
	for line, want := range map[string]string{
		"ann cert-authority " + public:        "line 1: cert-authority is not supported",
		"ann no-touch-required " + public:     "is not known",
		"ann valid-before=\"soon\" " + public: "is no time",
		"ann namespaces=\"\" " + public:       "has an empty one",
		"ann,,bob " + public:                  "a principal is empty",
		"ann":                                 "no key",
		"ann ssh-ed25519 AAAA":                "want principals, options and a public key",
		`"ann ` + public:                      "a quote has no end",
		"# nobody\n# but us":                  "line 2: nobody is named",
		"":                                    "line 1: nobody is named",
	} {
		_, faults := signature.ParseSigners(line)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%q: %v, want %q", line, faults, want)
		}
	}
	_, faults := signature.ParseSigners("ann cert-authority " + public + "\n\nbob\n")
	if len(faults) != 2 || faults[1].Line != 3 {
		t.Errorf("%v", faults)
	}
}

// TestARevokedKeyIsNobodys, by its fingerprint or itself.
func TestARevokedKeyIsNobodys(t *testing.T) {
	s, public := ed(t)
	key := signature.Key{PublicKey: s.PublicKey()}
	for _, revoked := range []string{key.Fingerprint(), public} {
		signers, _ := signature.ParseSigners("ann " + public)
		if err := signers.Revoke(revoked); err != nil {
			t.Fatal(err)
		}
		err := signers.Check("ann", key, signature.ApprovalNamespace, time.Now())
		if err == nil || !strings.Contains(err.Error(), "is revoked") {
			t.Errorf("%v", err)
		}
	}
	signers, _ := signature.ParseSigners("ann " + public)
	for _, wrong := range []string{"", "SHA256:", "SHA256:abc", "ann"} {
		if err := signers.Revoke(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestNamesOfOneKeyAreOnePerson, however many lines it takes.
func TestNamesOfOneKeyAreOnePerson(t *testing.T) {
	_, one := ed(t)
	_, two := ed(t)
	_, three := ed(t)
	signers, faults := signature.ParseSigners(strings.Join([]string{
		"ann,asmith " + one, "asmith " + two, "root " + two, "bob " + three, "*@example.org " + three,
	}, "\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := strings.Join(signers.Aliases("root"), " "); got != "root ann asmith" &&
		got != "root asmith ann" {
		t.Errorf("%q", got)
	}
	if got := strings.Join(signers.Aliases("bob"), " "); got != "bob" {
		t.Errorf("%q", got)
	}
}

// TestAnAgentSigns with the key of a comment, a fingerprint or a public key's file.
func TestAnAgentSigns(t *testing.T) {
	ring := agent.NewKeyring()
	add := func(comment string) ssh.PublicKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: private, Comment: comment}); err != nil {
			t.Fatal(err)
		}
		public, err := ssh.NewPublicKey(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		return public
	}
	add("other")
	public := add("yubikey")
	add("twice")
	add("twice")
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	keys := signing.Keys{AgentSocket: socket}
	for _, name := range []string{"agent:yubikey", "agent:" + ssh.FingerprintSHA256(public),
		write(t, string(ssh.MarshalAuthorizedKey(public)))} {
		signer, release, err := keys.Key(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		armored := sign(t, text, signer, signature.ApprovalNamespace)
		release()
		key, err := signature.Verify([]byte(text), armored, signature.ApprovalNamespace)
		if err != nil || key.Fingerprint() != ssh.FingerprintSHA256(public) {
			t.Errorf("%s: %v, %v", name, key.Fingerprint(), err)
		}
	}
	for name, want := range map[string]string{
		"agent:none":  "the agent has no key agent:none; it has: other, yubikey, twice, twice",
		"agent:twice": "the agent has several keys",
	} {
		if _, _, err := keys.Key(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := (signing.Keys{}).Key("agent:x"); err == nil {
		t.Error("no agent, and no error")
	}
}

func TestAKeyThatOthersMayReadIsRefused(t *testing.T) {
	path, _ := newKey(t, "ed25519", "")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, _, err := signing.Keys{}.Key(path)
	if err == nil || !strings.Contains(err.Error(), "may be read by others (mode 0640)") {
		t.Error(err)
	}
}

// TestWhoseAKeyIs is told of one that is refused: nobody's, or another's.
func TestWhoseAKeyIs(t *testing.T) {
	one, public := ed(t)
	two, _ := ed(t)
	signers, faults := signature.ParseSigners("ann " + public)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for want, c := range map[string]struct {
		who string
		key ssh.PublicKey
	}{
		"is not one of bob":           {"bob", one.PublicKey()},
		"is nobody's who may approve": {"ann", two.PublicKey()},
	} {
		err := signers.Check(c.who, signature.Key{PublicKey: c.key}, "any", time.Now())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", c.who, err, want)
		}
	}
}

// TestTheShortestRSAKey: a modulus of 2,048 bits is taken, whatever it begins with. One of 2,040
// is not.
func TestTheShortestRSAKey(t *testing.T) {
	for size, want := range map[int]string{256: "", 255: "2040 bits, want at least 2048"} {
		modulus := new(big.Int).SetBytes(bytes.Repeat([]byte("~"), size))
		key, err := ssh.NewPublicKey(&rsa.PublicKey{N: modulus, E: 65537})
		if err != nil {
			t.Fatal(err)
		}
		_, faults := signature.ParseSigners("ann " + string(ssh.MarshalAuthorizedKey(key)))
		said := ""
		for _, f := range faults {
			said += f.Error()
		}
		if (said != "") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%d bytes: %q, want %q", size, said, want)
		}
	}
}
