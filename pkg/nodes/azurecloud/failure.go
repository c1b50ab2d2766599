package azurecloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

func denied(format string, args ...any) *scan.Failure {
	return &scan.Failure{Verdict: nodes.Denied, Reason: fmt.Sprintf(format, args...)}
}

// notRight is the failure of an answer that can't be right. What is left out because it was not
// understood would look like what is not there.
func notRight(format string, args ...any) *scan.Failure {
	return &scan.Failure{Verdict: nodes.Unreachable, Again: true,
		Reason: "Azure's answer can't be right: " + fmt.Sprintf(format, args...)}
}

// failure says why a call came to nothing.
func (c *Cloud) failure(err error) error {
	var own *scan.Failure
	if errors.As(err, &own) {
		return own
	}
	f := classify(err, c.now())
	if c.secret != "" {
		f.Reason = strings.ReplaceAll(f.Reason, c.secret, "(a secret)")
	}
	return f
}

func classify(err error, now time.Time) *scan.Failure {
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		f := refusal(refused)
		waitAsTold(f, refused.RawResponse, now)
		return f
	}
	var unauthentic *azidentity.AuthenticationFailedError
	if errors.As(err, &unauthentic) && unauthentic.RawResponse != nil {
		f := &scan.Failure{Verdict: nodes.Denied,
			Reason: "Microsoft Entra gives no token: " + oneLine(unauthentic.Error())}
		byStatus(f, unauthentic.RawResponse.StatusCode)
		waitAsTold(f, unauthentic.RawResponse, now)
		return f
	}
	// The error of a chain of credentials that has none is of no type.
	if text := err.Error(); strings.Contains(text, "Credential: ") {
		return scan.Unasked("there are no credentials: %s", oneLine(text))
	}
	return &scan.Failure{Verdict: nodes.Unreachable, Again: true, Reason: oneLine(err.Error())}
}

// Codes of Azure that say more than their status.
const (
	// noSubscription is also what it says to who may not know that there is one.
	noSubscription = "SubscriptionNotFound"
	notRegistered  = "MissingSubscriptionRegistration"
	// notInLocation are what it says of a location that has no virtual machines.
	notInLocation       = "NoRegisteredProviderFound"
	notInLocationEither = "LocationNotAvailableForResourceType"
)

// refusal is the failure that an error answer is of.
func refusal(e *azcore.ResponseError) *scan.Failure {
	f := &scan.Failure{Verdict: nodes.Unreachable, Reason: "Azure says " + words(e)}
	switch e.ErrorCode {
	case noSubscription:
		f.Verdict = nodes.Denied
		f.Reason += "; it says so as well to who may not see the subscription"
	case notRegistered:
		f.Verdict = nodes.Disabled
		f.Reason += "; to have virtual machines there: az provider register -n Microsoft.Compute"
	case notInLocation, notInLocationEither:
		f.Verdict = nodes.Disabled
	default:
		byStatus(f, e.StatusCode)
	}
	if e.ErrorCode == "AuthorizationFailed" {
		f.Reason += "; the role Reader allows all that is read"
	}
	return f
}

// byStatus has a failure be what a status of HTTP says.
func byStatus(f *scan.Failure, status int) {
	switch {
	case status == http.StatusTooManyRequests:
		f.Verdict, f.Again = nodes.Throttled, true
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		f.Verdict, f.Again = nodes.Unreachable, true
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Verdict = nodes.Denied
	}
}

// waitAsTold has another attempt wait for as long as an answer says.
func waitAsTold(f *scan.Failure, answer *http.Response, now time.Time) {
	if !f.Again || answer == nil {
		return
	}
	if f.After = retryAfter(answer.Header, now); f.After > 0 {
		f.Reason += "; it says to wait " + f.After.Round(time.Second).String()
	}
}

// longestTold is more than Azure ever says to wait for. It keeps a number that is too large from
// being a wait of no time.
const longestTold = 24 * time.Hour

// retryAfter is how long an answer says to wait; zero where it does not say, or not so that it can
// be understood.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, form := range []struct {
		header string
		unit   time.Duration
	}{
		{"retry-after-ms", time.Millisecond}, {"x-ms-retry-after-ms", time.Millisecond},
		{"retry-after", time.Second},
	} {
		told := h.Get(form.header)
		if n, err := strconv.Atoi(told); err == nil && n > 0 {
			return time.Duration(min(n, int(longestTold/form.unit))) * form.unit
		}
	}
	if at, err := http.ParseTime(h.Get("retry-after")); err == nil {
		return min(max(at.Sub(now), 0), longestTold)
	}
	return 0
}

// words are the code and the message of an error answer.
func words(e *azcore.ResponseError) string {
	code := e.ErrorCode
	if code == "" {
		code = fmt.Sprintf("status %d", e.StatusCode)
	}
	if e.RawResponse == nil {
		return code
	}
	body, err := runtime.Payload(e.RawResponse)
	if err != nil {
		return code
	}
	var told struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(body, &told) != nil || told.Error.Message == "" {
		return code
	}
	return code + ": " + oneLine(told.Error.Message)
}

// mostTold bounds what is told of a text that is not ours.
const mostTold = 600

// oneLine is a text in one line, and not too long.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && strings.Trim(line, "-") != "" {
			lines = append(lines, line)
		}
	}
	text = strings.ToValidUTF8(strings.Join(lines, "; "), "\uFFFD")
	if len(text) > mostTold {
		text = strings.ToValidUTF8(text[:mostTold], "") + "…"
	}
	return text
}

// isAbsent reports whether Azure said of a resource that there is none. Of a subscription it says
// so too where the caller may not see it.
func isAbsent(err error) bool {
	var e *azcore.ResponseError
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound &&
		(e.ErrorCode == "ResourceNotFound" || e.ErrorCode == "ResourceGroupNotFound")
}
