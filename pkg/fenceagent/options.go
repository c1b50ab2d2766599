package fenceagent

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is what the value of an option is, by the names that the metadata of agents have for it.
type kind string

const (
	text    kind = "string"
	boolean kind = "boolean"
	second  kind = "second"
	integer kind = "integer"
	choice  kind = "select"
)

// The names of options that the agent reads by name.
const (
	optAction     = "action"
	optPlug       = "plug"
	optPlugTag    = "plug_tag"
	optRegion     = "region"
	optFilter     = "filter"
	optGroups     = "secg"
	optInvert     = "invert_sg_removal"
	optAnyState   = "ignore_instance_state"
	optNoRestore  = "unfence_ignore_restore"
	optTags       = "backup_tags"
	optTransition = "transition_sg"
	optPowerOff   = "onfence_poweroff"
	optPowerOn    = "onunfence_poweron"
	optOnDrift    = "on_drift"
	optProfile    = "profile"
	optStateDir   = "state_dir"
	optAccessKey  = "access_key"
	optSecretKey  = "secret_key"
	optSDKDebug   = "boto3_debug"

	optQuiet        = "quiet"
	optVerbose      = "verbose"
	optLevel        = "verbose_level"
	optDebugFile    = "debug_file"
	optVersion      = "version"
	optHelp         = "help"
	optPlugSep      = "plug_separator"
	optSep          = "separator"
	optDelay        = "delay"
	optNoTimeout    = "disable_timeout"
	optPowerTimeout = "power_timeout"
	optPowerWait    = "power_wait"
	optStatusSleep  = "stonith_status_sleep"
	optRetryOn      = "retry_on"
)

// separates is the value of options that may be a blank.
const separates = "char"

// option is one option of the agent. Parsing, checking, help and metadata go by it alone.
type option struct {
	// name is the option on standard input; on the command line it has dashes.
	name string
	// old are deprecated names that mean the same; listed tells which of them the metadata has.
	old    []string
	listed bool
	short  byte
	kind   kind
	// value stands for the value in the help.
	value string
	// initial is what leaving the option out means. It is empty if that is nothing.
	initial  string
	choices  []string
	required bool
	// refused says what to do instead, where the option is not taken.
	refused string
	// off and on are the parameters of the verbs that the option is.
	off, on string
	doc     string
	// brief is the line of the help, where doc is too long for one.
	brief string
}

// interfaces is how many interfaces can have groups of their own.
const interfaces = 16

// positionOption and deviceOption are the names of the options for one interface's groups.
func positionOption(n int) string { return "interface" + strconv.Itoa(n) + "_sg" }
func deviceOption(n int) string   { return "device" + strconv.Itoa(n) + "_sg" }

// secretsAdvice says what to do instead of giving a secret in a cluster's configuration.
const secretsAdvice = "the configuration of a cluster can be read on every node, and so could " +
	"the key: use the instance profile, or a profile in the file ~/.aws/credentials of root and " +
	optProfile + "=NAME"

// options is the table.
func options() []option {
	all := []option{
		{name: optAction, old: []string{"option"}, short: 'o', kind: text, value: "action",
			initial: "off", required: true,
			brief: "What to do",
			doc: "What to do: on, off, status, list, list-status, monitor, metadata, manpage or " +
				"validate-all."},
		{name: optPlug, old: []string{"port"}, short: 'n', kind: text, value: "id", required: true,
			brief: "The instance's id or name",
			doc:   "The instance: its id, or its name, which is the value of its tag Name."},
		{name: optPlugTag, kind: text, value: "key", initial: "Name",
			doc: "The tag whose value a name is."},
		{name: optRegion, short: 'r', kind: text, value: "region",
			brief: "The region (default this instance's)",
			doc: "The region, as in us-east-1. Without it AWS_REGION counts, then the region of this " +
				"instance."},
		{name: optAccessKey, short: 'a', kind: text, value: "key", refused: secretsAdvice,
			brief: "Not taken: use an instance profile",
			doc:   "Not taken: " + secretsAdvice + "."},
		{name: optSecretKey, short: 's', kind: text, value: "key", refused: secretsAdvice,
			brief: "Not taken: use an instance profile",
			doc:   "Not taken: " + secretsAdvice + "."},
		{name: optProfile, kind: text, value: "name",
			brief: "The profile of the AWS configuration files",
			doc:   "The profile of the AWS configuration files to use."},
		{name: optGroups, kind: text, value: "sg1,sg2,...", off: "securityGroups",
			brief: "The groups that a fence removes",
			doc:   "The security groups that a fence removes from every interface."},
		{name: optInvert, old: []string{"invert-sg-removal"}, listed: true, kind: boolean,
			initial: "0", off: "invertSgRemoval",
			brief: "A fence leaves exactly the groups of secg",
			doc:   "A fence leaves every interface exactly the groups of secg."},
	}
	for n := range interfaces {
		all = append(all, option{
			name: positionOption(n), old: []string{fmt.Sprintf("interface%d-sg", n)}, listed: true,
			kind: text, value: "sg1,sg2,...",
			doc: fmt.Sprintf("The exact groups of the interface that EC2 lists at place %d, counted from "+
				"0. Beside secg they are what unfencing gives back; alone they are the fence.", n),
		})
	}
	for n := range interfaces {
		all = append(all, option{name: deviceOption(n), kind: text, value: "sg1,sg2,...",
			doc: fmt.Sprintf("The same for the interface at device index %d, which does not change.", n),
		})
	}
	return append(append(all, fencingOptions()...), commonOptions()...)
}

// fencingOptions are the options of what a fence and its end do.
func fencingOptions() []option {
	return []option{
		{name: optPowerOff, old: []string{"onfence-poweroff"}, listed: true, kind: boolean,
			initial: "0", off: "onFencePoweroff",
			brief: "A fence also stops the instance",
			doc:   "A fence also stops the instance, without waiting until it has stopped."},
		{name: optPowerOn, kind: boolean, initial: "0", on: "powerOn",
			doc: "Unfencing also starts the instance."},
		{name: optNoRestore, old: []string{"unfence-ignore-restore"}, listed: true, kind: boolean,
			initial: "0", on: "unfenceIgnoreRestore",
			brief: "Unfencing gives no groups back",
			doc:   "Unfencing gives no groups back, and leaves the backup tags."},
		{name: optOnDrift, kind: choice, initial: "fail", choices: []string{"fail", "restore"},
			on:    "onDrift",
			brief: "If others changed the groups",
			doc: "What unfencing does where somebody else changed the groups of a fence: fail, or " +
				"restore over them."},
		{name: "skip_race_check", kind: boolean, initial: "0", off: "skipRaceCheck",
			brief: "Do not check that it is another machine",
			doc:   "Do not check that the instance is not this machine."},
		{name: optAnyState, old: []string{"ignore-instance-state"}, listed: true, kind: boolean,
			initial: "0", off: "ignoreInstanceState",
			brief: "Go by the groups alone",
			doc:   "Go by the groups alone, whatever the state of the instance."},
		{name: "ignore_tag_write_failure", old: []string{"ignore-tag-write-failure"}, listed: true,
			kind: boolean, initial: "0", off: "ignoreTagWriteFailure",
			brief: "Fence even without the backup tags",
			doc:   "Fence even where the backup tags can't be written."},
		{name: optTags, kind: boolean, initial: "1", off: "backupTags", on: "backupTags",
			brief: "Keep what was before in tags of the instance",
			doc:   "Keep what was there before in tags of the instance, so that every node can unfence."},
		{name: "ignore_branch_interfaces", kind: boolean, initial: "0", off: "ignoreBranchInterfaces",
			brief: "Fence although interfaces behind it go on",
			doc:   "Fence an instance although interfaces behind it have groups of their own and go on."},
		{name: optTransition, kind: text, value: "sg", off: "transitionSecurityGroup",
			brief: "An allow-all group that ends connections",
			doc: "A group that allows all traffic, to pass through on the way to the fence: tracked " +
				"connections end with it."},
		{name: optFilter, kind: text, value: "key=value",
			brief: "A filter of EC2, for list and names",
			doc: "A filter of EC2. It limits list, and which instances a name means. Without plug it " +
				"must select exactly one instance, which is meant."},
		{name: optStateDir, kind: text, value: "directory",
			brief: "Where prior facts are kept",
			doc: "Where prior facts are kept. Without it EXECUTOR_STATE_DIR counts, then " +
				"/var/lib/aws-provider-executor."},
		{name: optSDKDebug, short: 'b', kind: text, value: "option", initial: "False",
			brief: "Log as with verbose",
			doc:   "Log as with verbose; known from agents that use boto3."},
	}
}

// commonOptions are the options of all fence agents.
func commonOptions() []option {
	return []option{
		{name: optQuiet, short: 'q', kind: boolean, doc: "Write nothing to standard error."},
		{name: optVerbose, short: 'v', kind: boolean, doc: "Log what is done, on standard error."},
		{name: optLevel, kind: integer, value: "level",
			brief: "0 warnings, 1 what is done, 2 all",
			doc:   "How much is logged: 0 warnings, 1 what is done, 2 and more all there is."},
		{name: optDebugFile, old: []string{"debug"}, listed: true, short: 'D', kind: text,
			value: "debugfile", doc: "A file to add the whole log to."},
		{name: optVersion, short: 'V', kind: boolean, doc: "Tell the version and exit."},
		{name: optHelp, short: 'h', kind: boolean, doc: "Tell the options and exit."},
		{name: optPlugSep, kind: text, value: separates, initial: ",",
			doc: "What separates several plugs."},
		{name: optSep, short: 'C', kind: text, value: separates, initial: ",",
			brief: "What separates columns of list",
			doc:   "What separates the columns of list."},
		{name: optDelay, kind: second, value: "seconds", initial: "0",
			brief: "Wait before a fence begins",
			doc: "Wait so long before a fence begins. In a cluster of two nodes give one of them a " +
				"delay, or both fence each other."},
		{name: optNoTimeout, kind: boolean, value: "true/false",
			brief: "No time limit but an hour",
			doc: "No time limit of the agent's own but an hour. Without it the agent ends before the " +
				"cluster kills it."},
		{name: "login_timeout", kind: second, value: "seconds", initial: "5",
			brief: "Without effect here",
			doc:   "Known from other agents; there is no login."},
		{name: optPowerTimeout, kind: second, value: "seconds", initial: "45",
			brief: "The time for on and off",
			doc: "The time in which on and off are answered. Leave the cluster's own limit some " +
				"seconds more, and the delay."},
		{name: optPowerWait, kind: second, value: "seconds", initial: "0",
			doc: "Wait so long after on and off."},
		{name: "shell_timeout", kind: second, value: "seconds", initial: "3",
			brief: "Without effect here",
			doc:   "Known from other agents; there is no shell."},
		{name: optStatusSleep, kind: second, value: "seconds", initial: "1",
			brief: "The time between attempts of on",
			doc:   "The time between two attempts of on."},
		{name: optRetryOn, kind: integer, value: "attempts", initial: "1",
			brief: "How often on is tried again",
			doc:   "How often on is tried again, where trying again may help."},
	}
}

// names are all names of an option, the deprecated ones last.
func (o option) names() []string { return append([]string{o.name}, o.old...) }

// long is the option on the command line.
func (o option) long() string { return "--" + strings.ReplaceAll(o.name, "_", "-") }

// takesValue reports whether the option has a value on the command line.
func (o option) takesValue() bool { return o.kind != boolean || o.value != "" }

// spell is a name without what is spelt in two ways.
func spell(name string) string { return strings.ReplaceAll(strings.TrimSpace(name), "-", "_") }

// find finds an option by one of its names. Current reports whether it is not a deprecated one.
func find(table []option, name string) (o option, current, ok bool) {
	name = spell(name)
	for _, o := range table {
		i := slices.IndexFunc(o.names(), func(known string) bool { return spell(known) == name })
		if i >= 0 {
			return o, i == 0, true
		}
	}
	return option{}, false, false
}

// OptionDoc is an option as a page tells of it.
type OptionDoc struct {
	// Name is the option, Old the deprecated names that it has too, Default what holds without it.
	Name    string
	Old     []string
	Default string
	Doc     string
}

// Options are the options in the order of the help. Those for one interface each are one.
func Options() []OptionDoc {
	var all []OptionDoc
	for _, o := range options() {
		switch {
		case o.name == positionOption(0), o.name == deviceOption(0):
			last := positionOption(interfaces - 1)
			if o.name == deviceOption(0) {
				last = deviceOption(interfaces - 1)
			}
			o.name += "` … `" + last
			o.doc = strings.NewReplacer("place 0, counted", "this place, counted",
				"device index 0", "this device index").Replace(o.doc)
		case isOfInterface(o.name):
			continue
		}
		all = append(all, OptionDoc{o.name, o.old, o.initial, o.doc})
	}
	return all
}

// isOfInterface reports whether an option is for the groups of one interface.
func isOfInterface(name string) bool {
	return name != optTransition && strings.HasSuffix(name, "_sg")
}
