package awsec2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// answering is a connection to a server that answers as told, and counts.
func answering(
	t *testing.T, answer func(w http.ResponseWriter, r *http.Request),
) (*Connection, *atomic.Int64) {
	t.Helper()
	requests := new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_ = r.ParseForm()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_SSM", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_AUTO_SCALING", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-of-the-test")
	t.Setenv("AWS_SESSION_TOKEN", "the-token-of-the-test")
	t.Setenv("HOME", "")
	c, err := Connect(context.Background(), "ap-northeast-1", 2*time.Second,
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c, requests
}

// TestAReaderCannotChange: whatever is called on a reader's client, nothing but a Describe leaves.
func TestAReaderCannotChange(t *testing.T) {
	c, requests := answering(t, func(http.ResponseWriter, *http.Request) {})
	api := c.reader().api
	nic := "eni-0123456789abcdef0"
	for name, call := range map[string]func(context.Context) error{
		"AssignPrivateIpAddresses": func(ctx context.Context) error {
			_, err := api.AssignPrivateIpAddresses(ctx,
				&ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &nic})
			return err
		},
		"ModifyNetworkInterfaceAttribute": func(ctx context.Context) error {
			_, err := api.ModifyNetworkInterfaceAttribute(ctx,
				&ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &nic})
			return err
		},
	} {
		if err := call(t.Context()); !errors.Is(err, errNotDescribe) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests left", requests.Load())
	}
}

func fails(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// described is the failure of a describe, which takes as long as it takes until an answer came.
func described(t *testing.T, c *Connection) *protocol.Failure {
	t.Helper()
	for limit := 300 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := c.reader().DescribeNetworkInterfaces(ctx, "eni-0123456789abcdef0")
		cancel()
		var f *protocol.Failure
		if !errors.As(err, &f) {
			t.Fatalf("%v, want a failure", err)
		}
		if f.Class != protocol.Timeout || limit > 20*time.Second {
			return f
		}
	}
}

func TestSecretsAreTakenOutOfWhatEC2Says(t *testing.T) {
	c, _ := answering(t,
		fails(400, `<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>signed with `+
			`the-token-of-the-test and the-secret-of-the-test</Message></Error></Errors></Response>`))
	f := described(t, c)
	if strings.Contains(f.Message, "of-the-test") || !strings.Contains(f.Message, "redacted") {
		t.Errorf("message %q", f.Message)
	}
}

func TestAnErrorOfAnySizeIsOneShortLine(t *testing.T) {
	c, _ := answering(t,
		fails(400, `<Response><Errors><Error><Code>Foo`+"\n"+strings.Repeat("x", 40<<10)+
			`</Code><Message>`+strings.Repeat("y\n", 5<<10)+`</Message></Error></Errors></Response>`))
	f := described(t, c)
	if len(f.Message) > 4<<10 || strings.Contains(f.Message, "\n") ||
		len(f.Facts["awsErrorCode"]) > 1<<10 || strings.Contains(f.Facts["awsErrorCode"], "\n") {
		t.Errorf("message of %d bytes, code of %d: %.200q", len(f.Message), len(f.Facts["awsErrorCode"]),
			f.Message)
	}
}

// TestAProxysPageSaysNothingOfTheIdentity: a 401 or 403 that is not EC2's is no refusal by EC2.
func TestAProxysPageSaysNothingOfTheIdentity(t *testing.T) {
	for _, status := range []int{401, 403, 502} {
		c, _ := answering(t, fails(status, `<html><body>no</body></html>`))
		if f := described(t, c); f.Class != protocol.Unavailable || f.Facts["permissionHint"] != "" {
			t.Errorf("%d: %s %q %v", status, f.Class, f.Message, f.Facts)
		}
	}
}

// TestHoldersAreReadToTheEnd: of one VPC, page by page.
func TestHoldersAreReadToTheEnd(t *testing.T) {
	page := 0
	c, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
		page++
		if got := r.Form.Get("Filter.1.Name") + "=" + r.Form.Get("Filter.1.Value.1"); got !=
			"vpc-id=vpc-1" {
			t.Errorf("page %d is filtered by %s", page, got)
		}
		next := "<nextToken>more</nextToken>"
		if page == 2 {
			next = ""
		}
		_, _ = io.WriteString(w, `<DescribeNetworkInterfacesResponse `+
			`xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><networkInterfaceSet><item>`+
			`<networkInterfaceId>eni-`+
			string(rune('0'+page))+
			`</networkInterfaceId><operator><managed>true</managed></operator></item></networkInterfaceSet>`+
			next+`</DescribeNetworkInterfacesResponse>`)
	})
	found, err := c.reader().DescribeNetworkInterfacesWithAddress(t.Context(), "vpc-1", "10.0.0.9")
	if err != nil || len(found) != 2 || requests.Load() != 2 {
		t.Fatalf("found %v in %d requests, %v", found, requests.Load(), err)
	}
	if !found[0].RequesterManaged {
		t.Error("an interface that an operator manages is not told as managed")
	}
}

// TestA200ThatIsNoAnswerIsNotBelieved: the SDK takes some of these for an empty answer.
func TestA200ThatIsNoAnswerIsNotBelieved(t *testing.T) {
	for _, body := range []string{
		"", "welcome to the portal",
		`<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>`,
		`<DescribeNetworkInterfacesResponse><networkInterfaceSet>`,
		`<html></html></DescribeNetworkInterfacesResponse>`,
	} {
		c, _ := answering(t, fails(200, body))
		if f := described(t, c); f.Class != protocol.Unavailable {
			t.Errorf("%q: %s %s", body, f.Class, f.Message)
		}
	}
}

// TestOneSilentAnswerDoesNotUseUpTheDeadline: a peer that took the request and says nothing is left
// for another attempt.
func TestOneSilentAnswerDoesNotUseUpTheDeadline(t *testing.T) {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-first:
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w,
				`<DescribeNetworkInterfacesResponse><networkInterfaceSet><item>`+
					`<networkInterfaceId>eni-1</networkInterfaceId></item></networkInterfaceSet>`+
					`</DescribeNetworkInterfacesResponse>`)
		}
	})
	found, err := c.reader().DescribeNetworkInterfacesWithAddress(t.Context(), "vpc-1", "10.0.0.9")
	if err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestAChangeWithoutAWholeAnswerIsUnknown: it may have been made, and is not sent again: a
// connection that is reset after the request, an answer that is cut short.
func TestAChangeWithoutAWholeAnswerIsUnknown(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
		"cut short": fails(200, `<ModifyNetworkInterfaceAttributeResponse xmlns="x"><return>tr`),
		"not EC2's": fails(200, `<html>welcome</html>`),
	} {
		c, requests := answering(t, answer)
		err := c.Writer().(*Writer).ModifySourceDestCheck(t.Context(), "eni-0123456789abcdef0", false)
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests.Load() != 1 {
			t.Errorf("%s: %v, after %d requests", name, err, requests.Load())
		}
	}
}

// TestBackoffHasJitter: many clients that are refused together do not come back together.
func TestBackoffHasJitter(t *testing.T) {
	for attempt, window := range map[int]time.Duration{1: firstBackoff, 3: 4 * firstBackoff,
		20: lastBackoff} {
		seen := map[time.Duration]bool{}
		for range 20 {
			d, err := backoff(attempt, nil)
			if err != nil || d < 0 || d > window {
				t.Errorf("attempt %d: %s, %v", attempt, d, err)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("attempt %d waits %v", attempt, seen)
		}
	}
}

// TestOneAnswerOfASubnet: as much as one answer holds is read, and whether that is all is told.
func TestOneAnswerOfASubnet(t *testing.T) {
	for token, want := range map[string]bool{"": true, "<nextToken>more</nextToken>": false} {
		c, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Form.Get("MaxResults") != "1000" || r.Form.Get("Filter.1.Value.1") != "subnet-1" {
				t.Errorf("asked for %v", r.Form)
			}
			_, _ = io.WriteString(w,
				`<DescribeNetworkInterfacesResponse><networkInterfaceSet><item>`+
					`<networkInterfaceId>eni-1</networkInterfaceId></item></networkInterfaceSet>`+token+
					`</DescribeNetworkInterfacesResponse>`)
		})
		found, all, err := c.reader().DescribeNetworkInterfacesOfSubnet(t.Context(), "subnet-1")
		if err != nil || len(found) != 1 || all != want || requests.Load() != 1 {
			t.Errorf("%q: %v, %t, %v, %d requests", token, found, all, err, requests.Load())
		}
	}
}
