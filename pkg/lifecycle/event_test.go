package lifecycle

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	someInstance = "i-0a0000000000000b1"
	someToken    = "c4d1e0a2-0000-4000-8000-00000000000a"
)

// busEvent is a launch as EventBridge tells it.
const busEvent = `{"version":"0","id":"6f00","detail-type":"EC2 Instance-launch Lifecycle Action",
"source":"aws.autoscaling","account":"111122223333","time":"2026-11-27T12:00:00Z",
"region":"eu-west-1","resources":["arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:` +
	`6a00:autoScalingGroupName/edge"],"detail":{"LifecycleActionToken":"` + someToken + `",
"AutoScalingGroupName":"edge","LifecycleHookName":"edge-launch","EC2InstanceId":"` +
	someInstance + `","LifecycleTransition":"autoscaling:EC2_INSTANCE_LAUNCHING",
"Origin":"EC2","Destination":"AutoScalingGroup"}}`

// directEvent is a terminate as Auto Scaling itself tells a queue.
const directEvent = `{"Origin":"AutoScalingGroup","Destination":"EC2",
"LifecycleHookName":"edge-terminate","AccountId":"111122223333","RequestId":"1",
"LifecycleTransition":
"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":"edge","Service":"AWS Auto Scaling",
"Time":"2026-11-27T12:00:00.25Z","EC2InstanceId":"` + someInstance + `","LifecycleActionToken":"` +
	someToken + `"}`

const tryOutEvent = `{"AccountId":"111122223333","RequestId":"1","AutoScalingGroupARN":` +
	`"arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:6a00:autoScalingGroupName/edge",` +
	`"AutoScalingGroupName":"edge","Service":"AWS Auto Scaling","Event":` +
	`"autoscaling:TEST_NOTIFICATION","Time":"2026-11-27T12:00:00.25Z"}`

// wrapped is what SNS makes of a message.
func wrapped(message string) string {
	text, err := json.Marshal(map[string]string{"Type": "Notification", "MessageId": "1",
		"TopicArn": "arn:aws:sns:eu-west-1:111122223333:edge", "Message": message,
		"Timestamp": "2026-11-27T12:00:01Z"})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	launch := Event{Kind: Launch, What: typeLaunch, Account: "111122223333", Region: "eu-west-1",
		Group: "edge", Instance: someInstance, Hook: "edge-launch", Token: someToken, At: at}
	terminate := Event{Kind: Terminate, What: transTerminate, Account: "111122223333", Group: "edge",
		Instance: someInstance, Hook: "edge-terminate", Token: someToken,
		At: at.Add(250 * time.Millisecond)}
	overTopic := terminate
	overTopic.Region = "eu-west-1"
	warm := launch
	warm.WarmPool = true
	test := Event{Kind: Told, What: tryOut, Account: "111122223333", Region: "eu-west-1",
		Group: "edge", At: at.Add(250 * time.Millisecond)}
	gone := Event{Kind: Gone, What: typeTerminated, Account: "111122223333", Region: "eu-west-1",
		Group: "edge", Instance: someInstance, At: at}
	of := func(detailType string) string {
		return strings.Replace(busEvent, typeLaunch, detailType, 1)
	}
	up := launch
	up.Kind, up.What, up.Hook, up.Token = Told, "EC2 Instance Launch Successful", "", ""
	for _, c := range []struct {
		name, message string
		want          Event
	}{
		{"from the bus", busEvent, launch},
		{"from the bus through a topic", wrapped(busEvent), launch},
		{"to a queue", directEvent, terminate},
		{"to a topic", wrapped(directEvent), overTopic},
		{"a try-out of a queue", tryOutEvent, test},
		{"a try-out of a topic", wrapped(tryOutEvent), test},
		{"into a warm pool", strings.Replace(busEvent, `"Destination":"AutoScalingGroup"`,
			`"Destination":"WarmPool"`, 1), warm},
		{"terminated", of(typeTerminated), gone},
		{"in service", of(up.What), up},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.message))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseRefuses: what does not say all that is needed, or says it in two ways, is no event.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	with := func(from, to string) string {
		if !strings.Contains(busEvent, from) {
			t.Fatalf("%q is not there", from)
		}
		return strings.Replace(busEvent, from, to, 1)
	}
	for _, c := range []struct{ name, message, want string }{
		{"nothing", "", "can't be read as JSON"},
		{"YAML", "account: 1", "can't be read as JSON"},
		{"two", busEvent + busEvent, "can't be read as JSON"},
		{"a key twice", with(`"account":`, `"account":"444455556666","account":`), "can't be read"},
		{"a list", "[]", "want an object"},
		{"another object", "{}", "it is no event"},
		{"too long", strings.Repeat(" ", maxEvent) + busEvent, "longer than"},
		{"another source", with("aws.autoscaling", "aws.ec2"), "its source"},
		{"another type", with(typeLaunch, "EC2 Spot Instance Interruption Warning"), "detail-type"},
		{"the type of the other transition", with(typeLaunch, typeTerminate), "another event"},
		{"no instance", with("EC2InstanceId", "ec2instanceid"), "EC2InstanceId is missing"},
		{"an instance of another form", with(someInstance, "i-1;rm"), "no id of EC2's"},
		{"an instance in capitals", with(someInstance, "i-0A0000000000000B1"), "no id of EC2's"},
		{"an account of another form", with(`"account":"111122223333"`, `"account":"1"`), "12 digits"},
		{"a number as account", with(`"account":"111122223333"`, `"account":111122223333`),
			"want a string"},
		{"a region of another form", with(`"region":"eu-west-1"`, `"region":"eu"`), "region"},
		{"a group with a line", with(`"AutoScalingGroupName":"edge"`, `"AutoScalingGroupName":"e\n"`),
			"no name"},
		{"another token", with(someToken, "t"), "token"},
		{"another transition", with("INSTANCE_LAUNCHING", "INSTANCE_RESTING"), "LifecycleTransition"},
		{"another origin", with(`"Origin":"EC2"`, `"Origin":"Mars"`), "Origin"},
		{"no time", with(`"time":`, `"when":`), "time is missing"},
		{"another time", with("2026-11-27T12:00:00Z", "yesterday"), "RFC 3339"},
		{"an ARN of another group", with("autoScalingGroupName/edge", "autoScalingGroupName/core"),
			"its ARN is"},
		{"an ARN of another account", with(":111122223333:autoScalingGroup",
			":444455556666:autoScalingGroup"), "its ARN is"},
		{"wrapped twice", wrapped(wrapped(busEvent)), "notification of SNS again"},
		{"a topic of another region", strings.Replace(wrapped(busEvent), "sns:eu-west-1",
			"sns:eu-west-2", 1), "came through a topic of eu-west-2"},
		{"no topic", strings.Replace(wrapped(busEvent), "arn:aws:sns", "arn:aws:sqs", 1), "TopicArn"},
		{"a subscription", strings.Replace(wrapped(busEvent), `"Notification"`,
			`"SubscriptionConfirmation"`, 1), "SubscriptionConfirmation"},
		{"another service", strings.Replace(directEvent, "AWS Auto Scaling", "AWS", 1), "Service"},
		{"another try-out", strings.Replace(tryOutEvent, "TEST_NOTIFICATION", "REAL", 1), "Event"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.message))
			if err == nil {
				t.Fatalf("it is %+v", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// FuzzParse: no message is read that does not say whose it is, and none makes the reader fail.
func FuzzParse(f *testing.F) {
	for _, m := range []string{busEvent, directEvent, tryOutEvent, wrapped(busEvent),
		wrapped(directEvent)} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := Parse(message)
		if err != nil {
			return
		}
		waits := e.Kind == Launch || e.Kind == Terminate
		if !isAccount(e.Account) || !isName(e.Group) || waits != (e.Token != "") ||
			waits && (e.Hook == "" || e.Instance == "") || e.Kind == Gone && e.Instance == "" {
			t.Errorf("%q is %+v", message, e)
		}
	})
}
