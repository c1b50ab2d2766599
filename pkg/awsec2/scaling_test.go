package awsec2

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// scaled is one whole answer to an operation of Auto Scaling.
func scaled(operation, result string) string {
	return `<` + operation + `Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">` +
		`<` + operation + `Result>` + result + `</` + operation + `Result>` +
		`<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></` + operation + `Response>`
}

const (
	anInstance = `<AutoScalingInstances><member><InstanceId>i-0123456789abcdef0</InstanceId>` +
		`<AutoScalingGroupName>a &amp; b</AutoScalingGroupName><HealthStatus>HEALTHY</HealthStatus>` +
		`<LifecycleState>Pending:Wait</LifecycleState><AvailabilityZone>eu-west-1a</AvailabilityZone>` +
		`<ProtectedFromScaleIn>true</ProtectedFromScaleIn></member></AutoScalingInstances>`
	twoHooks = `<LifecycleHooks><member><LifecycleHookName>up</LifecycleHookName>` +
		`<AutoScalingGroupName>a &amp; b</AutoScalingGroupName>` +
		`<LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING</LifecycleTransition>` +
		`<HeartbeatTimeout>60</HeartbeatTimeout><GlobalTimeout>6000</GlobalTimeout>` +
		`<DefaultResult>ABANDON</DefaultResult></member><member>` +
		`<LifecycleHookName>down</LifecycleHookName><DefaultResult>CONTINUE</DefaultResult>` +
		`</member></LifecycleHooks>`
)

var anAction = ec2model.LifecycleAction{
	Group: "a & b", Hook: "up+1", Instance: "i-0123456789abcdef0", Token: "t/1=",
}

// byInstance is an action whose token is not known.
func byInstance() ec2model.LifecycleAction {
	a := anAction
	a.Token = ""
	return a
}

// TestEachScalingInstance: all pages are read, and a page that is not ends it.
func TestEachScalingInstance(t *testing.T) {
	var sent []string
	broken := false
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		token := r.PostForm.Get("NextToken")
		sent = append(sent, token)
		if token != "" && broken {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type>`+
				`<Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
			return
		}
		next := map[string]string{"": "<NextToken>2</NextToken>"}[token]
		_, _ = io.WriteString(w, scaled("DescribeAutoScalingInstances", anInstance+next))
	})
	all, err := c.reader().EachScalingInstance(t.Context())
	if err != nil || len(all) != 2 || all[1].State != "Pending:Wait" || all[1].Group != "a & b" {
		t.Errorf("%+v, %v", all, err)
	}
	if d := cmp.Diff([]string{"", "2"}, sent); d != "" {
		t.Error(d)
	}
	broken = true
	if all, err = c.reader().EachScalingInstance(t.Context()); err == nil || all != nil {
		t.Errorf("half of it is %+v, %v", all, err)
	}
}

// TestScalingRequestsAreTheSDKs: what is sent is what the SDK's client for Auto Scaling sends.
func TestScalingRequestsAreTheSDKs(t *testing.T) {
	var sent []url.Values
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, maps.Clone(r.PostForm))
		if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" ||
			r.Method != http.MethodPost || r.URL.Path != "/" {
			t.Errorf("%s %s of %q", r.Method, r.URL, got)
		}
		if !strings.Contains(r.Header.Get("Authorization"), "/ap-northeast-1/autoscaling/aws4_request") {
			t.Errorf("it is signed %q", r.Header.Get("Authorization"))
		}
		operation := r.PostForm.Get("Action")
		result := map[string]string{
			"DescribeAutoScalingInstances": anInstance, "DescribeLifecycleHooks": twoHooks}[operation]
		_, _ = io.WriteString(w, scaled(operation, result))
	})
	judge := autoscaling.NewFromConfig(c.cfg)
	reader, writer := c.reader(), c.Writer().(*Writer)
	group, hook, id := &anAction.Group, &anAction.Hook, &anAction.Instance
	for name, ask := range map[string]struct{ ours, theirs func(context.Context) error }{
		"instances": {
			func(ctx context.Context) error {
				got, err := reader.DescribeScalingInstance(ctx, *id)
				want := ec2model.ScalingInstance{ID: *id, Group: *group, State: "Pending:Wait",
					Zone: "eu-west-1a", Protected: true}
				if got != want {
					t.Errorf("the instance is %+v", got)
				}
				return err
			},
			func(ctx context.Context) error {
				_, err := judge.DescribeAutoScalingInstances(ctx,
					&autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{*id}})
				return err
			}},
		"hooks": {
			func(ctx context.Context) error {
				got, err := reader.DescribeLifecycleHooks(ctx, *group)
				want := []ec2model.LifecycleHook{
					{Name: "up", Group: *group, Transition: "autoscaling:EC2_INSTANCE_LAUNCHING",
						DefaultResult: "ABANDON", Heartbeat: time.Minute, Global: 100 * time.Minute},
					{Name: "down", DefaultResult: "CONTINUE"},
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the hooks: %s", diff)
				}
				return err
			},
			func(ctx context.Context) error {
				_, err := judge.DescribeLifecycleHooks(ctx,
					&autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: group})
				return err
			}},
		"protection": {
			func(ctx context.Context) error {
				return writer.SetInstanceProtection(ctx, *group, *id, false)
			},
			func(ctx context.Context) error {
				_, err := judge.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
					AutoScalingGroupName: group, InstanceIds: []string{*id},
					ProtectedFromScaleIn: aws.Bool(false)})
				return err
			}},
		"completion": {
			func(ctx context.Context) error {
				return writer.CompleteLifecycleAction(ctx, anAction, "CONTINUE")
			},
			func(ctx context.Context) error {
				_, err := judge.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
					AutoScalingGroupName: group, LifecycleHookName: hook,
					InstanceId: id, LifecycleActionToken: &anAction.Token,
					LifecycleActionResult: aws.String("CONTINUE")})
				return err
			}},
		"heartbeat by instance": {
			func(ctx context.Context) error {
				return c.RecordLifecycleActionHeartbeat(ctx, byInstance())
			},
			func(ctx context.Context) error {
				_, err := judge.RecordLifecycleActionHeartbeat(ctx,
					&autoscaling.RecordLifecycleActionHeartbeatInput{
						AutoScalingGroupName: group, LifecycleHookName: hook, InstanceId: id})
				return err
			}},
	} {
		sent = nil
		if err := errors.Join(ask.ours(t.Context()), ask.theirs(t.Context())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(sent) != 2 {
			t.Fatalf("%s: %d requests", name, len(sent))
		}
		if diff := cmp.Diff(sent[1], sent[0]); diff != "" {
			t.Errorf("%s differs from the SDK's: %s", name, diff)
		}
	}
}

// TestHostileScalingAnswers: what is not the operation's whole answer is none. A question is asked
// again. A change is sent once, and it is told that nobody knows.
func TestHostileScalingAnswers(t *testing.T) {
	good := scaled("DescribeAutoScalingInstances", anInstance)
	for name, answer := range map[string]http.HandlerFunc{
		"an empty 200":        says(200, ""),
		"a 204":               says(204, ""),
		"a page":              says(200, "<html>log in</html>"),
		"half":                says(200, good[:len(good)-9]),
		"another operation's": says(200, scaled("DescribeAutoScalingGroups", "")),
		"no result": says(200, "<DescribeAutoScalingInstancesResponse/>"+
			"<CompleteLifecycleActionResponse></CompleteLifecycleActionResponse>"),
		"not well formed": says(200, strings.Replace(good, "</member>", "", 1)),
		"no boolean":      says(200, strings.Replace(good, ">true<", ">perhaps<", 1)),
		"JSON":            says(200, "{}"),
		"hung up":         hangsUp,
		"a 500":           says(500, ""),
		"a 500 of AWS":    says(500, scalingRefusal("InternalFailure", "oh")),
		"a proxy's 403":   says(403, "<html>forbidden</html>"),
	} {
		c, requests := answering(t, first(answer, says(200, good)))
		got, err := c.reader().DescribeScalingInstance(t.Context(), anAction.Instance)
		if err != nil || got.State != "Pending:Wait" || requests.Load() != 2 {
			t.Errorf("%s: after %d requests %+v, %v", name, requests.Load(), got, err)
		}
		c, requests = answering(t, first(answer, says(200, scaled("CompleteLifecycleAction", ""))))
		err = c.Writer().(*Writer).CompleteLifecycleAction(t.Context(), anAction, "CONTINUE")
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests.Load() != 1 {
			t.Errorf("%s, to a change: after %d requests %v", name, requests.Load(), err)
		}
	}
}

// first answers the first request so, and later ones otherwise.
func first(one, later http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			one(w, r)
			return
		}
		later(w, r)
	}
}

func scalingRefusal(code, text string) string {
	return `<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error>` +
		`<Type>Sender</Type><Code>` + code + `</Code><Message>` + text + `</Message></Error>` +
		`<RequestId>r-1</RequestId></ErrorResponse>`
}

// TestRefusedScalingCalls: what Auto Scaling refuses is told with its code, the id of the request
// and the permission, in a class that says what to do. What was throttled is sent again.
func TestRefusedScalingCalls(t *testing.T) {
	for text, class := range map[string]protocol.FailureClass{
		"ValidationError: No active Lifecycle Action found with token t": protocol.Conflict,
		"ValidationError: The instance i-1 is not in InService":          protocol.Conflict,
		"ValidationError: The instance i-1 is not part of Auto Scaling group a": protocol.
			NotFound,
		"ValidationError: AutoScalingGroup name not found - null":         protocol.NotFound,
		"ValidationError: 1 validation error detected":                    protocol.InvalidRequest,
		"ResourceContention: You already have a pending update":           protocol.Conflict,
		"AccessDenied: User x is not authorized; the-secret-of-the-test":  protocol.Authorization,
		"InvalidClientTokenId: The security token is invalid":             protocol.Authentication,
		"ScalingActivityInProgress: Scaling activity is in progress, for": protocol.Conflict,
	} {
		code, message, _ := strings.Cut(text, ": ")
		c, requests := answering(t, says(400, scalingRefusal(code, message)))
		err := c.Writer().(*Writer).CompleteLifecycleAction(t.Context(), anAction, "CONTINUE")
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != class || requests.Load() != 1 ||
			f.Facts[protocol.FactAWSErrorCode] != code ||
			f.Facts[protocol.FactRequestID] != "REQUESTOFTHETEST" {
			t.Fatalf("%s: %d requests, %v", text, requests.Load(), err)
		}
		if strings.Contains(f.Message, "the-secret-of-the-test") ||
			!strings.Contains(f.Message, "Auto Scaling says "+code) ||
			strings.Contains(f.Message, anAction.Token) {
			t.Errorf("it says %q", f.Message)
		}
		if class == protocol.Authorization &&
			f.Facts[protocol.FactPermissionHint] != "autoscaling:CompleteLifecycleAction" {
			t.Errorf("the permission is %q", f.Facts[protocol.FactPermissionHint])
		}
	}
	throttled := says(400, scalingRefusal("Throttling", "Rate exceeded"))
	c, requests := answering(t, first(throttled, says(200, scaled("SetInstanceProtection", ""))))
	err := c.Writer().(*Writer).SetInstanceProtection(t.Context(), "g", "i-1", true)
	if err != nil || requests.Load() != 2 {
		t.Errorf("throttled: %d requests, %v", requests.Load(), err)
	}
}

// TestAnInstanceInNoGroup: that Auto Scaling has not an instance is said after two readings only.
func TestAnInstanceInNoGroup(t *testing.T) {
	none := says(200, scaled("DescribeAutoScalingInstances", "<AutoScalingInstances/>"))
	there := says(200, scaled("DescribeAutoScalingInstances", anInstance))
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		state  string
	}{"a group that is shown late": {first(none, there), "Pending:Wait"}, "none": {none, ""}} {
		by, requests := answering(t, c.answer)
		reader := by.reader()
		reader.absent.wait = func(context.Context, time.Duration) bool { return true }
		got, err := reader.DescribeScalingInstance(t.Context(), anAction.Instance)
		if err != nil || got.State != c.state || got.ID != anAction.Instance || requests.Load() != 2 {
			t.Errorf("%s: after %d requests %+v, %v", name, requests.Load(), got, err)
		}
	}
}

// TestScalingReadsAreReads: a reader can ask all that is listed as reading, and nothing else.
func TestScalingReadsAreReads(t *testing.T) {
	c, requests := answering(t, says(200, ""))
	for _, o := range autoScaling.operations {
		if o.does == reads {
			continue
		}
		err := autoScaling.call(t.Context(), c.serviceReader, o.name, url.Values{}, &struct{}{})
		if !errors.Is(err, errNotDescribe) {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if !slices.ContainsFunc(services, func(s *service) bool { return s == &autoScaling }) {
		t.Error("it is not among the services")
	}
}
