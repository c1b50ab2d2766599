package signature_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/pkg/signature"
)

// TestTheNamespacesStay: what people signed with ssh-keygen counts as long as they do.
func TestTheNamespacesStay(t *testing.T) {
	const approval, head = "approval@aws-provider-executor", "journal-head@aws-provider-executor"
	if signature.ApprovalNamespace != approval || signature.HeadNamespace != head {
		t.Errorf("%s, %s", signature.ApprovalNamespace, signature.HeadNamespace)
	}
}

// TestWhyAKeyDoesNotCount, in words that say what to do about it.
func TestWhyAKeyDoesNotCount(t *testing.T) {
	local := time.Local
	time.Local = time.FixedZone("JST", 9*60*60)
	defer func() { time.Local = local }()
	key, public := ed(t)
	other, _ := ed(t)
	own := signature.Key{PublicKey: key.PublicKey()}
	others := signature.Key{PublicKey: other.PublicKey()}
	at := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		line, principal string
		key             signature.Key
		want            string
	}{
		{"ann", "ann", own, ""},
		{"ann", "ann", others, "the key KEY is nobody's who may approve"},
		{"ann", "bob", own, "the key KEY is not one of bob"},
		{"*,!bob", "bob", own, "the key KEY is not one of bob"},
		{`ann namespaces="git,file"`, "ann", own, "the key KEY is not for the namespace n"},
		{`ann valid-after="20260303120001Z"`, "ann", own,
			"the key KEY is valid from 2026-03-03T12:00:01Z on"},
		{`ann valid-before="20260303120000Z"`, "ann", own,
			"the key KEY was valid until 2026-03-03T12:00:00Z"},
		{`ann valid-before="20260303120001Z"`, "ann", own, ""},
		{`ann valid-after="20260303120000Z"`, "ann", own, ""},
		{`ann valid-before="202603032100"`, "ann", own,
			"the key KEY was valid until 2026-03-03T21:00:00+09:00"},
		{`ann valid-before="20260303210001"`, "ann", own, ""},
	} {
		signers, faults := signature.ParseSigners(tt.line + " " + public + "\n")
		if len(faults) > 0 {
			t.Fatalf("%s: %v", tt.line, faults)
		}
		got := ""
		if err := signers.Check(tt.principal, tt.key, "n", at); err != nil {
			got = strings.ReplaceAll(err.Error(), tt.key.Fingerprint(), "KEY")
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.line, got, tt.want)
		}
	}
}

// TestACertificateIsNoKey: whom it is for, and until when, would be heeded by nobody.
func TestACertificateIsNoKey(t *testing.T) {
	key, _ := ed(t)
	authority, _ := ed(t)
	certificate := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity,
		ValidPrincipals: []string{"ann"},
	}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	line := "ann " + string(ssh.MarshalAuthorizedKey(certificate))
	_, faults := signature.ParseSigners("# the first line\n" + line)
	const want = `[line 2: keys of the type "ssh-ed25519-cert-v01@openssh.com" are not taken]`
	if got := fmt.Sprint(faults); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestTextAroundASignatureIsRefused: nobody signed it.
func TestTextAroundASignatureIsRefused(t *testing.T) {
	s, _ := ed(t)
	good := string(sign(t, text, s, signature.ApprovalNamespace))
	for name, armored := range map[string]string{
		"before": "see below\n" + good, "behind": good + "see above\n", "twice": good + good,
		"another kind": strings.ReplaceAll(good, "SSH SIGNATURE", "SSH SIGNATURES"),
	} {
		_, err := signature.Verify([]byte(text), []byte(armored), signature.ApprovalNamespace)
		if err == nil || !strings.Contains(err.Error(), "it is not one signature") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, armored := range map[string]string{"as it is": good, "blanks": "\n" + good + " \n"} {
		_, err := signature.Verify([]byte(text), []byte(armored), signature.ApprovalNamespace)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
