package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// Kind is what an event tells.
type Kind string

// The kinds.
const (
	// Launch and Terminate are those of an instance that waits at a lifecycle hook.
	Launch    Kind = "launch"
	Terminate Kind = "terminate"
	// Gone is that of an instance that was terminated. No hook waits.
	Gone Kind = "gone"
	// Told is that of what asks for nothing: it is acknowledged only.
	Told Kind = "told"
)

// Event is what Auto Scaling told of one instance.
type Event struct {
	Kind Kind `json:"kind"`
	// What is the event's own name for itself.
	What string `json:"what"`
	// Account, Region and Group say whose it is. Region is empty where the event does not say it.
	Account string `json:"account"`
	Region  string `json:"region,omitempty"`
	Group   string `json:"group"`
	// Instance is empty where Kind is Told and the event names none.
	Instance string `json:"instance,omitempty"`
	// Hook and Token are those of the lifecycle action that waits, if one does.
	Hook  string `json:"hook,omitempty"`
	Token string `json:"-"`
	// WarmPool reports whether the instance comes from a warm pool, or goes to one.
	WarmPool bool      `json:"warmPool,omitempty"`
	At       time.Time `json:"at"`
}

// maxEvent is the longest message that is read: the most that a queue takes.
const maxEvent = 1 << 20

// The texts of Auto Scaling.
const (
	busSource      = "aws.autoscaling"
	service        = "AWS Auto Scaling"
	tryOut         = "autoscaling:TEST_NOTIFICATION"
	typeLaunch     = "EC2 Instance-launch Lifecycle Action"
	typeTerminate  = "EC2 Instance-terminate Lifecycle Action"
	typeTerminated = "EC2 Instance Terminate Successful"
	transLaunch    = "autoscaling:EC2_INSTANCE_LAUNCHING"
	transTerminate = "autoscaling:EC2_INSTANCE_TERMINATING"
	notification   = "Notification"
)

// told are the types of events that ask for nothing.
var told = []string{"EC2 Instance Launch Successful", "EC2 Instance Launch Unsuccessful",
	"EC2 Instance Terminate Unsuccessful"}

// Parse reads a message: an event of EventBridge, a notification of Auto Scaling to a queue, or
// either in a notification of SNS. It refuses what does not say all that is needed, or says it in
// two ways.
func Parse(message []byte) (Event, error) {
	if len(message) > maxEvent {
		return Event{}, fmt.Errorf("it is longer than %d bytes", maxEvent)
	}
	o, err := readObject(message)
	if err != nil {
		return Event{}, err
	}
	if o.has("TopicArn") {
		return parseWrapped(o)
	}
	return parse(o)
}

// parseWrapped reads what SNS wrapped, once.
func parseWrapped(o *object) (Event, error) {
	kind, topic, text := o.text("Type"), o.text("TopicArn"), o.text("Message")
	if err := o.err(); err != nil {
		return Event{}, err
	}
	if kind != notification {
		return Event{}, fmt.Errorf("it is a %q of SNS, want a %s", shown(kind), notification)
	}
	inner, err := readObject([]byte(text))
	if err != nil {
		return Event{}, fmt.Errorf("its Message: %w", err)
	}
	if inner.has("TopicArn") {
		return Event{}, errors.New("its Message is a notification of SNS again")
	}
	e, err := parse(inner)
	if err != nil {
		return Event{}, fmt.Errorf("its Message: %w", err)
	}
	parts := strings.Split(topic, ":")
	if len(parts) != 6 || parts[2] != "sns" || parts[3] == "" {
		return Event{}, fmt.Errorf("its TopicArn is %q, want that of a topic of SNS", shown(topic))
	}
	switch {
	case e.Region == "":
		// Auto Scaling notifies topics of its own region alone.
		e.Region = parts[3]
		return e, e.check()
	case e.Region != parts[3]:
		return Event{}, fmt.Errorf("it is of %s, and came through a topic of %s", e.Region,
			shown(parts[3]))
	}
	return e, nil
}

// parse reads an event that nothing is wrapped around.
func parse(o *object) (Event, error) {
	switch {
	case o.has("detail-type"):
		return parseBus(o)
	case o.has("Event"):
		return parseTest(o)
	case o.has("LifecycleTransition"):
		return parseDirect(o)
	}
	return Event{}, errors.New("it is no event of EventBridge, no notification of Auto Scaling, and " +
		"neither in one of SNS")
}

// parseBus reads an event of EventBridge.
func parseBus(o *object) (Event, error) {
	e := Event{What: o.text("detail-type"), Account: o.text("account"), Region: o.text("region"),
		At: o.time("time")}
	source := o.text("source")
	arns := o.texts("resources")
	detail := o.object("detail")
	if err := o.err(); err != nil {
		return Event{}, err
	}
	if source != busSource {
		return Event{}, fmt.Errorf("its source is %q, want %s", shown(source), busSource)
	}
	e.Group = detail.text("AutoScalingGroupName")
	switch e.What {
	case typeLaunch, typeTerminate:
		e.waits(detail)
		if want := map[string]Kind{typeLaunch: Launch, typeTerminate: Terminate}[e.What]; e.Kind != want {
			detail.wrong("LifecycleTransition", "is that of another event than %q", e.What)
		}
	case typeTerminated:
		e.Kind, e.Instance = Gone, detail.text("EC2InstanceId")
	default:
		if !isTold(e.What) {
			return Event{}, fmt.Errorf("its detail-type is %q, which Auto Scaling's lifecycle does not "+
				"have", shown(e.What))
		}
		e.Kind, e.Instance = Told, detail.maybe("EC2InstanceId")
	}
	if err := detail.err(); err != nil {
		return Event{}, fmt.Errorf("its detail: %w", err)
	}
	if err := e.check(); err != nil {
		return Event{}, err
	}
	return e, e.agrees(arns)
}

func isTold(what string) bool {
	for _, t := range told {
		if t == what {
			return true
		}
	}
	return false
}

// parseDirect reads a notification of Auto Scaling. It does not say the region.
func parseDirect(o *object) (Event, error) {
	e := Event{What: o.text("LifecycleTransition"), Account: o.text("AccountId"),
		Group: o.text("AutoScalingGroupName"), At: o.time("Time")}
	if s := o.text("Service"); s != "" && s != service {
		o.wrong("Service", "is %q, want %q", shown(s), service)
	}
	e.waits(o)
	if err := o.err(); err != nil {
		return Event{}, err
	}
	return e, e.check()
}

// parseTest reads the notification by which Auto Scaling tries a queue or a topic.
func parseTest(o *object) (Event, error) {
	e := Event{Kind: Told, What: o.text("Event"), Account: o.text("AccountId"),
		Group: o.text("AutoScalingGroupName"), At: o.time("Time")}
	arn := o.maybe("AutoScalingGroupARN")
	if e.What != tryOut {
		o.wrong("Event", "is %q, want %s", shown(e.What), tryOut)
	}
	if err := o.err(); err != nil {
		return Event{}, err
	}
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		e.Region = parts[3]
	}
	if err := e.check(); err != nil {
		return Event{}, err
	}
	return e, e.agrees([]string{arn})
}

// waits takes what an event tells of the lifecycle action that waits.
func (e *Event) waits(o *object) {
	e.Instance, e.Hook = o.text("EC2InstanceId"), o.text("LifecycleHookName")
	e.Token = o.text("LifecycleActionToken")
	switch t := o.text("LifecycleTransition"); t {
	case "":
	case transLaunch:
		e.Kind = Launch
	case transTerminate:
		e.Kind = Terminate
	default:
		o.wrong("LifecycleTransition", "is %q, want %s or %s", shown(t), transLaunch, transTerminate)
	}
	const pool = "WarmPool"
	for _, name := range []string{"Origin", "Destination"} {
		switch s := o.maybe(name); s {
		case "", "EC2", "AutoScalingGroup":
		case pool:
			e.WarmPool = true
		default:
			o.wrong(name, "is %q, want EC2, AutoScalingGroup or %s", shown(s), pool)
		}
	}
}

// check refuses names that AWS would not give.
func (e *Event) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !isAccount(e.Account) {
		wrong("the account %q is no number of 12 digits", shown(e.Account))
	}
	if e.Region != "" {
		if canonical, err := action.Region.Canonical(e.Region); err != nil || canonical != e.Region {
			wrong("the region %q is none", shown(e.Region))
		}
	}
	if !isName(e.Group) {
		wrong("the group %q has no name that Auto Scaling gives", shown(e.Group))
	}
	if canonical, err := action.InstanceID.Canonical(e.Instance); e.Instance != "" &&
		(err != nil || canonical != e.Instance) {
		wrong("the instance %q has no id of EC2's", shown(e.Instance))
	}
	if waits := e.Kind == Launch || e.Kind == Terminate; waits && !isName(e.Hook) {
		wrong("the hook %q has no name that Auto Scaling gives", shown(e.Hook))
	} else if waits && !isToken(e.Token) {
		wrong("the token of the lifecycle action is none")
	}
	return errors.Join(errs...)
}

// agrees refuses an event whose resources are others than it says.
func (e *Event) agrees(arns []string) error {
	for _, arn := range arns {
		parts := strings.SplitN(arn, ":", 8)
		if len(parts) < 8 || parts[2] != "autoscaling" || parts[5] != "autoScalingGroup" {
			continue
		}
		name, _ := strings.CutPrefix(parts[7], "autoScalingGroupName/")
		if parts[3] != e.Region || parts[4] != e.Account || name != e.Group {
			return fmt.Errorf("it says that it is of %s in %s of %s, and its ARN is %q", shown(e.Group),
				e.Region, e.Account, shown(arn))
		}
	}
	return nil
}

// isAccount reports whether a text is the number of an account.
func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// isName reports whether a text can be the name of a group or a hook.
func isName(s string) bool {
	const longest = 255
	return s != "" && len(s) <= longest && utf8.ValidString(s) &&
		!strings.ContainsFunc(
			s,
			func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError },
		) &&
		strings.TrimSpace(s) == s
}

// isToken reports whether a text can be the token of a lifecycle action.
func isToken(s string) bool {
	const length = 36
	return len(s) == length && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

// object is an object of an event. It notes what is wrong as it is asked.
type object struct {
	members []protocol.JSONMember
	errs    []error
}

func readObject(data []byte) (*object, error) {
	const depth = 16
	v, err := protocol.ReadOneJSON(data, depth)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it can't be read as JSON: %s", shown(err.Error()))
	case v.Kind != protocol.JSONObject:
		return nil, fmt.Errorf("it is %s of JSON, want an object", v.Kind)
	}
	return &object{members: v.Members}, nil
}

func (o *object) wrong(name, format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf(name+" "+format, args...))
}

func (o *object) err() error { return errors.Join(o.errs...) }

func (o *object) find(name string) (protocol.JSON, bool) {
	for _, m := range o.members {
		if m.Key == name && m.Value.Kind != protocol.JSONNull {
			return m.Value, true
		}
	}
	return protocol.JSON{}, false
}

func (o *object) has(name string) bool {
	_, there := o.find(name)
	return there
}

// text is a text that must be there, and not be empty.
func (o *object) text(name string) string {
	if !o.has(name) {
		o.wrong(name, "is missing")
		return ""
	}
	s := o.maybe(name)
	if s == "" && len(o.errs) == 0 {
		o.wrong(name, "is empty")
	}
	return s
}

// maybe is a text that may be missing.
func (o *object) maybe(name string) string {
	v, there := o.find(name)
	if there && v.Kind != protocol.JSONString {
		o.wrong(name, "is %s, want a string", v.Kind)
		return ""
	}
	return v.Text
}

// texts are those of a list that may be missing.
func (o *object) texts(name string) (all []string) {
	v, there := o.find(name)
	if !there {
		return nil
	}
	for _, item := range v.Items {
		if item.Kind != protocol.JSONString {
			v.Kind = item.Kind
		}
		all = append(all, item.Text)
	}
	if v.Kind != protocol.JSONArray {
		o.wrong(name, "is no list of strings")
	}
	return all
}

// object is an object that must be there.
func (o *object) object(name string) *object {
	v, there := o.find(name)
	if !there || v.Kind != protocol.JSONObject {
		o.wrong(name, "is missing, or is no object")
	}
	return &object{members: v.Members}
}

// time is a time that must be there.
func (o *object) time(name string) time.Time {
	s := o.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		o.wrong(name, "is %q, want a time of RFC 3339", shown(s))
	}
	return t.UTC()
}
