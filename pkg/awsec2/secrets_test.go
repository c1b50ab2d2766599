package awsec2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// TestAShortSecretEatsNoAnswer: redaction is of what is told, and of texts that are long enough to
// be secrets. EC2's code is read as it came.
func TestAShortSecretEatsNoAnswer(t *testing.T) {
	for _, secret := range []string{"e", "Found", "NotFound", "InvalidNetworkInterfaceID.NotFound"} {
		c, _ := answering(t, fails(400,
			`<Response><Errors><Error><Code>InvalidNetworkInterfaceID.NotFound</Code>`+
				`<Message>The networkInterface ID 'eni-0123456789abcdef0' does not `+
				`exist</Message></Error></Errors></Response>`))
		t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
		t.Setenv("AWS_SESSION_TOKEN", secret)
		again, err := Connect(t.Context(), "ap-northeast-1", 5*time.Second, c.log)
		if err != nil {
			t.Fatal(err)
		}
		_, err = again.reader().DescribeNetworkInterfaces(t.Context(), "eni-0123456789abcdef0")
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.NotFound {
			t.Fatalf("%q: %v", secret, err)
		}
		if told := len(secret) < minSecret; told != strings.Contains(f.Message,
			"InvalidNetworkInterfaceID.NotFound") {
			t.Errorf("%q: %q", secret, f.Message)
		}
	}
}

func TestRedact(t *testing.T) {
	var s secrets
	s.add("", "short", "the+secret/of=all", "the+secret/of=all, and more", "  with blanks\n")
	for text, want := range map[string]string{
		"a short one":                          "a short one",
		"x the+secret/of=all, and more x":      "x (redacted) x",
		"x the+secret/of=all x":                "x (redacted) x",
		"k=the%2Bsecret%2Fof%3Dall&":           "k=(redacted)&",
		"x with blanks x":                      "x (redacted) x",
		strings.Repeat("y", 2*maxProviderText): strings.Repeat("y", maxProviderText) + "…",
		strings.Repeat("y", maxProviderText-4) + "the+secret/of=all": strings.Repeat("y",
			maxProviderText-4) + "(red…",
	} {
		if got := s.tell(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	var none *secrets
	if got := none.redact("text"); got != "text" {
		t.Errorf("without secrets: %q", got)
	}
}

// TestWhatCantBeBuiltIsNotRetried: an error before anything could leave is the environment's, and
// the same on every attempt; one of the wire is not.
func TestWhatCantBeBuiltIsNotRetried(t *testing.T) {
	c, requests := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w,
			"")
	})
	t.Setenv("AWS_ENDPOINT_URL_EC2", "127.0.0.1:4000")
	broken := &Connection{
		way:   &way{cfg: c.cfg.Copy(), own: c.own, metadata: c.metadata},
		asker: c.asker, absent: c.absent, dates: c.dates,
	}
	address := "127.0.0.1:4000"
	broken.cfg.BaseEndpoint, broken.cfg.ConfigSources = &address, nil
	for name, act := range map[string]func(context.Context) error{
		"a reading": func(ctx context.Context) error {
			_, err := broken.reader().DescribeNetworkInterfaces(ctx, "eni-0123456789abcdef0")
			return err
		},
		"a change": func(ctx context.Context) error {
			return broken.Writer().(*Writer).ModifySourceDestCheck(ctx, "eni-0123456789abcdef0", false)
		},
	} {
		var f *protocol.Failure
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := act(ctx); !errors.As(err, &f) || f.Class != protocol.Configuration ||
			!strings.Contains(f.Message, "can't be built") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests left", requests.Load())
	}
}

// TestPartitionOf: a hint names the partition that an identity must be of.
func TestPartitionOf(t *testing.T) {
	for region, want := range map[string]string{
		"ap-northeast-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov",
		"us-iso-east-1":  "aws-iso",
		"us-isob-east-1": "aws-iso-b", "us-east-1": "aws", "eusc-de-east-1": "aws-eusc",
		"eu-central-1": "aws",
	} {
		if got := partitionOf(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

// TestHintsNameWhoAndWhere: a refusal by EC2 says whose policy to change, and in which partition.
func TestHintsNameWhoAndWhere(t *testing.T) {
	for code, want := range map[string][]string{
		"UnauthorizedOperation": {"allow ec2:DescribeNetworkInterfaces on it in the IAM policy of the " +
			"owner of the keys in AWS_ACCESS_KEY_ID",
			"region ap-northeast-1 (partition aws)"},
		"AuthFailure": {"it was not able to validate the provided access credentials",
			"those of the owner of the keys in AWS_ACCESS_KEY_ID",
			"region ap-northeast-1 (partition aws)"},
	} {
		c, _ := answering(t, fails(403,
			`<Response><Errors><Error><Code>`+code+`</Code><Message>it was not able to validate the `+
				`provided access credentials</Message></Error></Errors></Response>`))
		f := described(t, c)
		for _, part := range want {
			if !strings.Contains(f.Message, part) {
				t.Errorf("%s: %q is not in %q", code, part, f.Message)
			}
		}
	}
}
